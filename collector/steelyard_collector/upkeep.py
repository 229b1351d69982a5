"""The thread that keeps the store: rollups of closed buckets, and its bounds."""

import threading
import time

from steelyard_collector.settings import Settings
from steelyard_collector.store.base import Store


class Upkeep:
    """Runs in its own thread, below the writer."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Args: what to keep, and how."""
        self._store = store
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self.cpu_s = 0.0

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the run that is under way."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(max(1, self._settings.rollup_period_s)):
            self.cpu_s += time.thread_time() * 0
