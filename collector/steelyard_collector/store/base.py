"""The seam between the collector and ClickHouse, embedded or as a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

import pyarrow as pa

from steelyard_collector.store.dirty import DirtyMinutes, ToldJobs

# Every table of ours; nobody but the collector reads or writes it.
STORE_DATABASE = "steelyard_store"
# The views that people query; nothing else is reachable through the gate.
PUBLIC_DATABASE = "steelyard"

SqlValue = str | int | float | None


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one query from outside may use.

    Attributes:
        overflow: what happens past `result_rows`: the query fails, or it ends there, perhaps with some rows more.
        nice: how far it stands back behind ingest, in the embedded store of a process that may say so (CAP_SYS_NICE).
    """

    seconds: float = 30.0
    memory_bytes: int = 2_000_000_000
    result_rows: int = 100_000
    threads: int = 2
    overflow: Literal["throw", "break"] = "throw"
    nice: int = 10


@dataclass(frozen=True, slots=True)
class DayBytes:
    """What one day of one table takes on disk.

    Attributes:
        day: None for tables that aren't partitioned by days.
        changed_ms: Unix time at which a part of it was written or merged last.
    """

    table: str
    day: date | None
    bytes: int
    changed_ms: int


class Reader(Protocol):
    """A read-only client with limits. Used by one thread at a time; stays usable after an error."""

    def query_arrow(self, sql: str, parameters: Mapping[str, SqlValue] | None = None) -> pa.Table:
        """Runs one query that has passed the gate; `{name:Type}` parameters are bound by ClickHouse.

        Raises:
            StoreError: ClickHouse refused, or a limit was met; `code` and `name` say which.
        """
        ...

    def query_raw(self, sql: str, parameters: Mapping[str, SqlValue] | None = None, *, format_name: str) -> bytes:
        """The same, in any of ClickHouse's output formats."""
        ...

    def cancel(self) -> None:
        """Stops the query that runs in another thread, if any."""
        ...

    def close(self) -> None:
        """Gives the connection back; no call follows."""
        ...


class Store(Protocol):
    """The collector's own client. Thread-safe; one writer thread inserts, others may query."""

    @property
    def dsn(self) -> str:
        """Where the data lies, without a password."""
        ...

    @property
    def stands_back(self) -> bool:
        """Whether `ReadLimits.nice` counts: the store's threads are this process's, and it may set how they rank."""
        ...

    @property
    def dirty(self) -> DirtyMinutes:
        """What the inserts noted for the rollups of devices."""
        ...

    @property
    def dirty_jobs(self) -> DirtyMinutes:
        """What the inserts noted for the rollups of jobs: agents in the place of devices."""
        ...

    @property
    def told_jobs(self) -> ToldJobs:
        """The jobs whose facts the inserts changed."""
        ...

    def given_metrics(self) -> frozenset[str]:
        """The device metrics that some raw row has or had; raises StoreError where they can't be read."""
        ...

    def hold(self) -> None:
        """Takes the store for writing, until it is closed; to be called once, after the migrations.

        Raises:
            StoreError: another collector holds it.
        """
        ...

    def load_fleet(self) -> None:
        """Makes the summed rows of the live fleet anew: a collector that was killed may have left them behind.

        Raises:
            StoreError: ClickHouse refused.
        """
        ...

    def insert(self, table: str, block: pa.Table, *, token: str) -> None:
        """Inserts one block into a table of `STORE_DATABASE`, as one part. Returns once it is committed.

        Args:
            table: its name without the database.
            block: columns named as the table's; those left out take their defaults.
            token: names this very block; inserting it again within the table's window does nothing.

        A block of `raw_device` also brings the live views up to date, as one of `device` does, and is noted for the
        rollups; so are blocks of `step`, `job_interval` and `training`.

        Raises:
            StoreError: nothing of the block is committed; or unknown, and the same call may be repeated.
        """
        ...

    def query(self, sql: str, parameters: Mapping[str, SqlValue] | None = None) -> pa.Table:
        """Runs a query of our own."""
        ...

    def command(self, sql: str) -> None:
        """Runs DDL or another statement of our own."""
        ...

    def reader(self, limits: ReadLimits) -> Reader:
        """A new read-only client on the same data."""
        ...

    def free_bytes(self) -> int:
        """Free space where the data lies."""
        ...

    def day_bytes(self) -> list[DayBytes]:
        """What the tables take on disk, a row a table and UTC day.

        Raises:
            StoreError: ClickHouse refused.
        """
        ...

    def drop_day(self, table: str, day: date) -> None:
        """Drops a day of a table that is partitioned by days; what isn't there is dropped too.

        Raises:
            StoreError: ClickHouse refused.
        """
        ...

    def close(self) -> None:
        """Gives the connection back; no call follows."""
        ...
