"""The thread that keeps the store: rollups of closed buckets, and its bounds."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from steelyard_collector.settings import Settings
from steelyard_collector.store.base import Store
from steelyard_collector.store.job_rollup import JobRoller
from steelyard_collector.store.retention import Bounds, bounds_of, keep_within
from steelyard_collector.store.rollup import Roller
from steelyard_collector.stragglers import StragglerWatch
from steelyard_proto.errors import StoreError

log = logging.getLogger(__name__)

_BOUNDS_EVERY_S: Final = 60.0
# Below ingest and the live views, for a rollup may be late by seconds; not so far that it stops while it holds Python.
_NICE: Final = 5


@dataclass(slots=True)
class UpkeepState:
    """What upkeep has done; read by other threads.

    Attributes:
        rollup_s: time spent in rollups, each statement on one thread: at least their CPU.
        rolled_to_ms: every closed minute before this is rolled up; 0 before the first run.
        store_bytes: on disk, when it was looked at last.
        oldest_day: of the raw rows or rollups that are kept; None for an empty store.
        last_error: of the last refusal; empty once a run succeeded.
        failure: what ended the thread; None while it is well.
    """

    rollup_s: float = 0.0
    rolled_to_ms: int = 0
    store_bytes: int = 0
    oldest_day: date | None = None
    last_error: str = ""
    failure: Exception | None = None


class Upkeep:
    """Runs in its own thread, below the writer."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        on_failure: Callable[[Exception], None],
        wall_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        """Args: the store; how to keep it; who is told, in this thread, if it ends; Unix time.

        Raises:
            StoreError: the store can't be asked for its size.
        """
        self._store = store
        self._roller = Roller(store, store.dirty, raw_days=settings.store_retention_days)
        self._job_roller = JobRoller(store, self._roller.rolled, raw_days=settings.store_retention_days)
        self._stragglers = StragglerWatch(store)
        self._period_s = settings.rollup_period_s
        self.bounds: Bounds = bounds_of(store, settings.store_retention_days, settings.max_disk_bytes)
        self._on_failure = on_failure
        self._wall_ms = wall_ms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self.state = UpkeepState()
        self._counted_s = 0.0

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the statement that is under way."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
            self._recover()
            bounds_due_s = 0.0
            while not self._stop.wait(self._period_s or _BOUNDS_EVERY_S):
                if self._period_s:
                    self._attempt(self._roll)
                if time.monotonic() >= bounds_due_s:
                    bounds_due_s = time.monotonic() + _BOUNDS_EVERY_S
                    self._attempt(self._keep_within)
                    if self._period_s:
                        self._attempt(self._watch_ranks)
        except Exception as error:  # noqa: BLE001  the daemon is told, which ends and says why
            self.state.failure = error
            self._on_failure(error)

    def _recover(self) -> None:
        while self._period_s and not self._attempt(self._find_undone):
            if self._stop.wait(self._period_s):
                return

    def _attempt(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except StoreError as error:
            if str(error) != self.state.last_error:
                log.error("the store refuses upkeep (tried again): %s", error)
            self.state.last_error = str(error)
            return False
        self.state.last_error = ""
        return True

    def _find_undone(self) -> None:
        begin_s = time.monotonic()
        found = self._roller.recover(self._wall_ms()) + self._job_roller.recover(self._wall_ms())
        self.state.rollup_s += time.monotonic() - begin_s
        if found:
            log.info("%d minutes of devices and agents to roll up that the last run left undone", found)

    def _roll(self) -> None:
        self._counted_s = time.monotonic()
        try:
            self._roller.run_once(self._wall_ms(), is_stopping=self._is_stopping)
            if not self._stop.is_set():
                self._job_roller.run_once(self._wall_ms())
        finally:
            self._is_stopping()
        self.state.rolled_to_ms = self._roller.rolled_to_ms

    def _is_stopping(self) -> bool:
        """Asked between statements; counts their time, so that a long run shows while it lasts."""
        now_s = time.monotonic()
        self.state.rollup_s += now_s - self._counted_s
        self._counted_s = now_s
        return self._stop.is_set()

    def _watch_ranks(self) -> None:
        late, self._roller.late = self._roller.late, set()
        self._stragglers.run_once(self._wall_ms(), late)

    def _keep_within(self) -> None:
        self.state.store_bytes = keep_within(self._store, self.bounds, self._wall_ms())
        days = [part.day for part in self._store.day_bytes() if part.day is not None]
        self.state.oldest_day = min(days, default=None)
