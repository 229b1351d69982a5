"""The lock row of a store on a server: one collector writes a store, and a second is refused.

A version of the row is written with a token of its number, so of two that write the same one the server drops the
second as a repeat: whoever reads its own name back holds the lock. Nobody's clock is compared: a holder that ended
without releasing is known by its version standing still for a while.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.store.statements import statement
from steelyard_proto.errors import StoreError, StoreLost

log = logging.getLogger(__name__)

_NAME: Final = "collector"


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How often the lock is written again, and after how long without that it may be taken over."""

    renew_s: float = 4.0
    expires_s: float = 15.0
    look_s: float = 0.5


class Lease:
    """Held from `take` to `release`; `renew` and `check` may be called by any thread."""

    def __init__(
        self,
        query: Callable[[str], pa.Table],
        insert: Callable[[pa.Table, str], None],
        shown: str,
        times: LeaseTimes | None = None,
    ) -> None:
        """Args: asks the store; writes a row of the lock with a token; the store's name for people; how often."""
        self._query = query
        self._insert = insert
        self._shown = shown
        self._times = times or LeaseTimes()
        self._holder = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._ver = 0
        self._renewed_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def take(self) -> None:
        """Takes the lock and begins to renew it; waits where a holder may have been killed.

        Raises:
            StoreError: another collector holds it, or ClickHouse refuses.
        """
        held = self._newest()
        waited_until_s = time.monotonic() + self._times.expires_s
        if held and not held["released"]:
            log.info("%s: waiting %.0f s to see whether its last collector still runs (%s)", self._shown,
                     self._times.expires_s, _who(held))  # fmt: skip
        while held and not held["released"] and time.monotonic() < waited_until_s:
            time.sleep(self._times.look_s)
            now = self._newest()
            if now["ver"] != held["ver"] and not now["released"]:
                raise self._in_use(now)
            held = now
        self._ver = int(held.get("ver", 0))
        if not self._write(released=0):
            raise self._in_use(self._newest())
        self._thread.start()

    def check(self) -> None:
        """Before a write: the lock, once taken, is ours, or was so recently that nobody can have it now.

        Raises:
            StoreLost: another collector has taken it.
            StoreError: it can't be renewed now.
        """
        if not self._ver:
            return
        # Half of the time, so that a write which begins now has the other half.
        if time.monotonic() - self._renewed_s > self._times.expires_s / 2:
            self.renew()

    def renew(self) -> None:
        """Writes the next version.

        Raises:
            StoreLost: another collector has taken the lock.
            StoreError: ClickHouse refuses.
        """
        with self._lock:
            if not self._write(released=0):
                raise StoreLost(
                    f"{self._shown} was taken over by another collector ({_who(self._newest())}) while this one did "
                    "not answer; stop one of the two"
                )

    def release(self) -> None:
        """Lets the next collector in at once; if ClickHouse refuses, the next one waits."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
            try:
                with self._lock:
                    self._write(released=1)
            except StoreError as error:
                log.warning("the lock of %s could not be released: %s", self._shown, error)

    def _run(self) -> None:
        last_error = ""
        while not self._stop.wait(self._times.renew_s):
            try:
                self.renew()
                last_error = ""
            except StoreError as error:
                if str(error) != last_error:
                    log.error("ClickHouse refuses the lock (tried again): %s", error)
                last_error = str(error)
            except StoreLost as error:
                # The next write says so too, and ends the collector.
                log.critical("%s", error)
                return

    def _write(self, *, released: int) -> bool:
        """Writes the version after the one that we know; False where somebody else has written it."""
        begin_s = time.monotonic()
        # A version that was written, but whose answer was lost, is found here.
        newest = self._newest()
        if newest and int(newest["ver"]) > self._ver and newest["holder"] != self._holder:
            return False
        ver = max(self._ver, int(newest.get("ver", 0))) + 1
        row = {"name": _NAME, "holder": self._holder, "host": socket.gethostname(), "pid": os.getpid(),
               "released": released, "recorded": int(time.time() * 1000), "ver": ver}  # fmt: skip
        table = pa.Table.from_pylist([row])
        table = table.set_column(5, "recorded", table["recorded"].cast(pa.timestamp("ms", tz="UTC")))
        self._insert(table, f"lock-{ver}")
        newest = self._newest()
        if newest.get("holder") != self._holder:
            return False
        self._ver, self._renewed_s = int(newest["ver"]), begin_s
        return True

    def _newest(self) -> dict[str, Any]:
        rows = self._query(statement("queries", "lock")).to_pylist()
        return rows[0] if rows else {}

    def _in_use(self, held: dict[str, Any]) -> StoreError:
        return StoreError(
            f"{self._shown} is in use by another collector ({_who(held)}); stop it, or choose another store with "
            "--store",
            name="STORE_IN_USE",
        )


def _who(held: dict[str, Any]) -> str:
    return f"process {held['pid']} on {held['host']}"
