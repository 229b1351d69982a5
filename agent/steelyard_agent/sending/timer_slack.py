"""Lets the kernel wake threads late, together with others, where nothing depends on when they wake."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Of linux/prctl.h; both concern the calling thread alone.
_PR_SET_TIMERSLACK: Final = 29
_PR_GET_TIMERSLACK: Final = 30


@contextmanager
def timers_late_by(seconds: float) -> Iterator[None]:
    """Threads that are started meanwhile, and those that they start, wake up to so much after their timers.

    What wakes them otherwise, as a socket does, wakes them at once. Source: prctl(2), PR_SET_TIMERSLACK; where that is
    forbidden all stays as it is.
    """
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = ctypes.c_int, *(ctypes.c_ulong,) * 4
    before_ns = prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0)
    prctl(_PR_SET_TIMERSLACK, int(seconds * 1e9), 0, 0, 0)
    try:
        yield
    finally:
        # 0 stands for what the thread was given when it was started.
        prctl(_PR_SET_TIMERSLACK, max(0, before_ns), 0, 0, 0)
