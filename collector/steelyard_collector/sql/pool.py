"""Read-only clients for people's queries: so many at once, so many that wait, and no more."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from steelyard_collector.sql.refusal import Refused
from steelyard_collector.store.base import PUBLIC_DATABASE, Reader, ReadLimits, Store
from steelyard_proto.errors import StoreError

# ClickHouse's own number for this.
TOO_MANY: Final = 202
CLOSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What people's queries may use, all together.

    Attributes:
        read: what one query may use; one thread, so that two cores always leave one for ingest.
        front_s: a query ranks with ingest for so long; one that takes longer begins anew, behind it.
        running: queries at once; each may hold `read.memory_bytes`.
        waiting: queries that wait for a place.
        wait_s: how long one waits.
    """

    read: ReadLimits = field(default_factory=lambda: ReadLimits(memory_bytes=1_000_000_000, threads=1))
    front_s: float = 0.5
    running: int = 4
    waiting: int = 16
    wait_s: float = 10.0


class ReaderPool:
    """Lends read-only clients. Thread-safe; a client is used by one query at a time and kept for the next."""

    def __init__(self, store: Store, limits: QueryLimits | None = None) -> None:
        self.limits = limits or QueryLimits()
        self._store = store
        self._changed = threading.Condition()
        self._idle: defaultdict[ReadLimits, list[Reader]] = defaultdict(list)
        self._stops: set[Callable[[], None]] = set()
        self._running = 0
        self._waiting = 0
        self._closed = False

    @property
    def running(self) -> int:
        """Queries that run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Queries that wait for a place."""
        return self._waiting

    @property
    def patience_s(self) -> float:
        """After this a query is given up on our side: some of ClickHouse's functions don't look at the clock."""
        return self.limits.wait_s + self.limits.front_s + self.limits.read.seconds + 5.0

    @property
    def whole(self) -> ReadLimits:
        """The limits of a query that fails when its result is too long."""
        return self.limits.read

    @property
    def cut(self) -> ReadLimits:
        """The limits of a query whose result is cut; one row more than the limit tells that there were more."""
        return replace(self.limits.read, result_rows=self.limits.read.result_rows + 1, overflow="break")

    def front(self, limits: ReadLimits) -> ReadLimits | None:
        """The limits of a query's first try, ahead of what takes long; None where all queries rank alike."""
        return replace(limits, seconds=self.limits.front_s, nice=0) if self._store.stands_back else None

    @contextmanager
    def lend(self, limits: ReadLimits, stop: Callable[[], None] = lambda: None) -> Iterator[Reader]:
        """A client with these limits, for one query.

        Args:
            limits: what the query may use.
            stop: stops the query; called from another thread when the pool is closed.

        Raises:
            StoreError: too many queries run and wait already, or the store can't be reached.
        """
        self._enter(stop)
        try:
            reader = self._take(limits)
            try:
                yield reader
            except Refused:
                self._give(limits, reader)
                raise
            except BaseException:
                # A handle of the embedded engine may give the rest of a failed result to the next query.
                reader.close()
                raise
            self._give(limits, reader)
        finally:
            with self._changed:
                self._running -= 1
                self._stops.discard(stop)
                self._changed.notify_all()

    def close(self) -> None:
        """Stops the queries that run, and closes every client; returns when they have ended, or after some seconds."""
        with self._changed:
            self._closed = True
            idle = [reader for readers in self._idle.values() for reader in readers]
            self._idle.clear()
            stops = list(self._stops)
            self._changed.notify_all()
        for stop in stops:
            stop()
        for reader in idle:
            reader.close()
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, CLOSE_S)

    def _enter(self, stop: Callable[[], None]) -> None:
        deadline = time.monotonic() + self.limits.wait_s
        with self._changed:
            if self._waiting >= self.limits.waiting:
                raise too_many(f"{self._running} queries run already and {self._waiting} more wait")
            self._waiting += 1
            try:
                while self._running >= self.limits.running and not self._closed:
                    if not self._changed.wait(deadline - time.monotonic()):
                        raise too_many(
                            f"{self._running} queries run already and none ended within {self.limits.wait_s:g} s"
                        )
                if self._closed:
                    raise StoreError("the collector is shutting down; ask again in a moment", name="SHUTTING_DOWN")
                self._running += 1
                self._stops.add(stop)
            finally:
                self._waiting -= 1

    def _take(self, limits: ReadLimits) -> Reader:
        with self._changed:
            if self._idle[limits]:
                return self._idle[limits].pop()
        return open_reader(self._store, limits)

    def _give(self, limits: ReadLimits, reader: Reader) -> None:
        with self._changed:
            if not self._closed:
                self._idle[limits].append(reader)
                return
        reader.close()


def too_many(what: str) -> StoreError:
    """The error that says that there is no place."""
    return StoreError(
        f"{what}; wait for one to end, or ask less often", code=TOO_MANY, name="TOO_MANY_SIMULTANEOUS_QUERIES"
    )


def open_reader(store: Store, limits: ReadLimits) -> Reader:
    """A read-only client whose unqualified names are the public views.

    Raises:
        StoreError: the store can't be reached, or its client stands in another database: names without a database
            would then not be what the gate takes them for.
    """
    reader = store.reader(limits)
    found = reader.query_raw("SELECT currentDatabase()", format_name="TSVRaw").decode().strip()
    if found != PUBLIC_DATABASE:
        reader.close()
        raise StoreError(f"the read-only client stands in the database {found}, not in {PUBLIC_DATABASE}")
    return reader
