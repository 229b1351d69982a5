"""SIGTERM and SIGINT as the end of a pause: no handler runs in the middle of anything."""

import signal
import time
from collections.abc import Callable
from typing import Final

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class SignalPause:
    """Sleeps until a time has passed or a signal to stop has come. To be made before any thread is started.

    The signals are blocked in the whole process and fetched by the sleep itself. Python's handlers would wait for a
    vendor's call to end if the main thread made one, and could deadlock on a lock that the main thread holds.
    """

    def __init__(self) -> None:
        """Blocks both signals in this thread and in those that it starts."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._is_over = False

    def __call__(self, seconds: float) -> bool:
        """Sleeps so long at most; True once a signal has come, now or before."""
        if not self._is_over:
            self._is_over = signal.sigtimedwait(_SIGNALS, max(0.0, seconds)) is not None
        return self._is_over


def ending(pause: Callable[[float], bool], seconds: float) -> Callable[[float], bool]:
    """A pause that also says to stop once so many seconds have passed since it was first called."""
    end_s: float | None = None

    def pause_until_end(wait_s: float) -> bool:
        nonlocal end_s
        if end_s is None:
            end_s = time.monotonic() + seconds
        return pause(max(0.0, min(wait_s, end_s - time.monotonic()))) or end_s <= time.monotonic()

    return pause_until_end
