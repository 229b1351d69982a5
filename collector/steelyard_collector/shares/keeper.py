"""The thread that keeps the shares: each window once a minute, below everything else; its faults are its own.

Until a job was seen it looks for one every few seconds, so that a new fleet doesn't wait for its first shares. Where a
window of many jobs takes seconds it comes more rarely: keeping it never takes more than a fiftieth of the time.
The time is the clock's: this thread's own CPU doesn't hold what the store's threads do for it.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_collector.shares.ledger import Ledger
from steelyard_collector.shares.window import KEPT_S
from steelyard_proto.errors import StoreError

log = logging.getLogger(__name__)

_PERIOD_S: Final = 60.0
# Between looks for a first job; a look is one cheap query.
_LOOK_S: Final = 5.0
_NICE: Final = 15
_MOST_SHARE: Final = 0.02


@dataclass(slots=True)
class KeeperState:
    """What it has done; read by other threads.

    Attributes:
        busy_s: time spent.
        runs: times that a window was kept.
        last_error: empty once a run succeeded.
    """

    busy_s: float = 0.0
    runs: int = 0
    last_error: str = ""


class ShareKeeper:
    """Nothing that goes wrong here reaches ingest: it is logged once, and tried again a minute later."""

    def __init__(self, ledger: Ledger, *, period_s: float = _PERIOD_S, look_s: float = _LOOK_S) -> None:
        """Args: what computes; seconds between runs, and between looks for a first job."""
        self._ledger = ledger
        self._period_s = period_s
        self._look_s = look_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shares", daemon=True)
        self._faults: tuple[str, ...] = ()
        self._has_jobs = False
        self.state = KeeperState()

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the window that is under way."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        due_s = dict.fromkeys(KEPT_S, time.monotonic() + self._look_s)
        while not self._stop.wait(self._pause_s(due_s)):
            if not self._has_jobs and self._look():
                self._has_jobs = True
                due_s = dict.fromkeys(KEPT_S, time.monotonic())
            seconds = min(due_s, key=due_s.__getitem__)
            begin_s = time.monotonic()
            if due_s[seconds] > begin_s:
                continue
            self._attempt(seconds)
            spent_s = time.monotonic() - begin_s
            self.state.busy_s += spent_s
            due_s[seconds] = max(begin_s + max(self._period_s, spent_s / _MOST_SHARE), time.monotonic() + 0.001)

    def _pause_s(self, due_s: Mapping[int, float]) -> float:
        pause_s = max(0.0, min(due_s.values()) - time.monotonic())
        return pause_s if self._has_jobs else min(pause_s, self._look_s)

    def _look(self) -> bool:
        try:
            return self._ledger.has_jobs()
        except StoreError:
            # Told where the shares are kept.
            return False

    def _attempt(self, seconds: int) -> None:
        try:
            self._tell(self._ledger.keep(seconds))
        # The comparison may fail; ingest may not.
        except Exception as error:
            if str(error) != self.state.last_error:
                # A store that refuses is told as such; anything else is a fault of ours, and says where.
                log.error(
                    "the shares can't be computed (tried again each minute): %s",
                    error, exc_info=not isinstance(error, StoreError),
                )  # fmt: skip
            self.state.last_error = str(error)
            return
        self.state.last_error = ""
        self.state.runs += 1

    def _tell(self, faults: tuple[str, ...]) -> None:
        if faults != self._faults:
            for fault in faults:
                log.error("left out until it is mended: %s", fault)
        self._faults = faults
