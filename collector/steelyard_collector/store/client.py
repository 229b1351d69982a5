"""The one body of both stores: a client per thread, and what is the same embedded and on a server."""

import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from steelyard_collector.store.base import PUBLIC_DATABASE, STORE_DATABASE, DayBytes, ReadLimits, SqlValue
from steelyard_collector.store.dirty import DirtyMinutes, ToldJobs
from steelyard_collector.store.failures import as_store_error
from steelyard_collector.store.given import given_in, loaded, rows_of
from steelyard_collector.store.live import newest_rows
from steelyard_collector.store.live_fleet import LiveFleet, Numbers, fleet_from
from steelyard_collector.store.statements import statement
from steelyard_proto.errors import StoreError

# A client of clickhouse-connect; it ships types that strict checking can't follow.
Client = Any
Settings = dict[str, str | int]

# A block must become one part: the part is what commits as a whole.
INSERT_SETTINGS: Settings = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "max_insert_threads": 1,
    "max_insert_block_size": 20_000_000,
    "min_insert_block_size_rows": 20_000_000,
    "min_insert_block_size_bytes": 8_000_000_000,
    "use_async_executor_for_materialized_views": 0,
    # Merging a block with itself before it is written costs more than making it; whoever reads takes the newest row.
    "optimize_on_insert": 0,
}


def quoted(text: str) -> str:
    """A string literal of SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def settings_clause(settings: Mapping[str, str | int]) -> str:
    """The settings as they stand after SETTINGS."""
    return ", ".join(
        f"{name} = {value if isinstance(value, int) else quoted(value)}" for name, value in settings.items()
    )


def write_ipc(block: pa.Table, sink: Any) -> None:
    """Writes the block as one Arrow file, its columns as they lie in memory."""
    with pa.ipc.new_file(sink, block.schema) as writer:
        writer.write_table(block)


class Clients:
    """One client per thread, and the readers': a handle of the embedded engine serves one query at a time.

    Once closed none is opened any more: the embedded engine crashes where it is opened again while it closes, and where
    the process ends while a statement runs.
    """

    def __init__(self, connect: Callable[[Settings], Client]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._all: list[Client] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def open(self, settings: Settings) -> Client:
        """Another client, to be given back by `shut`.

        Raises:
            StoreError: the store can't be reached, or is closed.
        """
        with self._lock:
            if self._is_closed:
                raise StoreError("the store is closed: the collector is shutting down", name="SHUTTING_DOWN")
            with as_store_error():
                client = self._connect(settings)
            self._all.append(client)
        return client

    def shut(self, client: Client) -> None:
        """Closes one."""
        with self._lock:
            if client in self._all:
                self._all.remove(client)
        client.close()

    def mine(self) -> Client:
        """This thread's client, opened on first use."""
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self.open({"async_insert": 0})
        return client

    def drop(self) -> None:
        """Closes this thread's client; the next call opens another.

        The embedded engine gives what is left of a result that failed while it was written to the next query.
        """
        client = getattr(self._local, "client", None)
        if client is not None:
            self._local.client = None
            self.shut(client)

    def close(self) -> None:
        """Closes every client that was handed out, each when its statement has ended."""
        with self._lock:
            self._is_closed = True
            clients, self._all = self._all, []
        self._local = threading.local()
        for client in clients:
            client.close()


def arrow_query(client: Client, sql: str, parameters: Mapping[str, SqlValue] | None) -> pa.Table:
    """Runs a query; strings come as strings and times with their zone.

    Raises:
        StoreError: ClickHouse refused.
    """
    with as_store_error():
        raw = client.raw_query(sql, parameters=dict(parameters or {}), fmt="ArrowStream")
    if not raw:
        return pa.table({})
    with pa.ipc.open_stream(raw) as stream:
        return stream.read_all()


class ClickhouseReader:
    """A read-only client with limits; see base.Reader.

    After an error it is opened anew: a handle of the embedded engine gives the rest of a failed result to the next one.
    """

    def __init__(
        self, connect: Callable[[], Client], shut: Callable[[Client], None], tag: str, kill: Callable[[str], None]
    ) -> None:
        self._connect = connect
        self._shut = shut
        self._client: Client | None = connect()
        self._tag = tag
        self._kill = kill

    def query_arrow(self, sql: str, parameters: Mapping[str, SqlValue] | None = None) -> pa.Table:
        """See base.Reader."""
        with self._lent() as client:
            return arrow_query(client, sql, parameters)

    def query_raw(self, sql: str, parameters: Mapping[str, SqlValue] | None = None, *, format_name: str) -> bytes:
        """See base.Reader."""
        with self._lent() as client, as_store_error():
            return bytes(client.raw_query(sql, parameters=dict(parameters or {}), fmt=format_name))

    @contextmanager
    def _lent(self) -> Iterator[Client]:
        client = self._client
        if client is None:
            client = self._client = self._connect()
        try:
            yield client
        except StoreError:
            self.close()
            raise

    def cancel(self) -> None:
        """See base.Reader."""
        self._kill(self._tag)

    def close(self) -> None:
        """See base.Reader."""
        client, self._client = self._client, None
        if client is not None:
            self._shut(client)


def reader_settings(limits: ReadLimits, tag: str) -> Settings:
    """The limits, and readonly last: after it nothing can be set any more."""
    return {
        "log_comment": tag,
        "max_execution_time": f"{limits.seconds:g}",
        "timeout_overflow_mode": "throw",
        "max_memory_usage": limits.memory_bytes,
        "max_result_rows": limits.result_rows,
        "result_overflow_mode": limits.overflow,
        "max_threads": limits.threads,
        "output_format_arrow_string_as_string": 1,
        "output_format_arrow_compression_method": "none",
        "do_not_merge_across_partitions_select_final": 1,
        "readonly": 1,
    }


class ClickhouseStore(ABC):
    """What is the same for both stores; see base.Store for the contract."""

    cluster = ""

    def __init__(self, dsn: str, connect: Callable[[Settings], Client]) -> None:
        self._dsn = dsn
        self._clients = Clients(connect)
        self._dirty = DirtyMinutes()
        self._dirty_jobs = DirtyMinutes()
        self._told_jobs = ToldJobs()
        self._given: frozenset[str] | None = None
        self._fleet: LiveFleet | None = None

    @property
    def dsn(self) -> str:
        """See base.Store."""
        return self._dsn

    @property
    def stands_back(self) -> bool:
        """See base.Store."""
        return False

    @property
    def dirty(self) -> DirtyMinutes:
        """See base.Store."""
        return self._dirty

    @property
    def dirty_jobs(self) -> DirtyMinutes:
        """See base.Store."""
        return self._dirty_jobs

    @property
    def told_jobs(self) -> ToldJobs:
        """See base.Store."""
        return self._told_jobs

    def given_metrics(self) -> frozenset[str]:
        """See base.Store."""
        if self._given is None:
            self._given = loaded(self.query(statement("queries", "given_metrics")).to_pylist()[0])
        return self._given

    @abstractmethod
    def free_bytes(self) -> int:
        """See base.Store."""

    @abstractmethod
    def hold(self) -> None:
        """See base.Store."""

    def insert(self, table: str, block: pa.Table, *, token: str) -> None:
        """See base.Store."""
        if not block.num_rows:
            raise StoreError(f"the block for {table} is empty; nothing to insert", name="EMPTY_BLOCK")
        if table == "raw_device" and (new := given_in(block, self.given_metrics())):
            self.insert("given_metric", rows_of(new), token=f"given-{token}")
            self._given = self.given_metrics() | new
        settings = INSERT_SETTINGS | {"insert_deduplication_token": token}
        columns = ", ".join(f"`{name}`" for name in block.column_names)
        self._insert_arrow(f"{STORE_DATABASE}.{table} ({columns})", block, settings)
        if table == "raw_device":
            # Refused here, the whole call is repeated, and its token keeps the raw rows from coming twice.
            newest = newest_rows(block)
            self.insert("live_device", newest, token=f"live-{token}")
            self._tell_fleet(lambda fleet: fleet.take(newest), token)
            self._dirty.note(block)
        if table == "device":
            self._tell_fleet(lambda fleet: fleet.register(block), token)
        if table in ("step", "job_interval"):
            self._dirty_jobs.note_jobs(table, block)
        if table == "training":
            self._told_jobs.note(block)

    def load_fleet(self) -> None:
        """See base.Store."""
        self._fleet = fleet = fleet_from(self.query)
        if fleet.order.size:
            self.insert("live_fleet", fleet.rows(np.unique(fleet.agent[fleet.order])), token=f"fleet-{fleet.ver}")

    def _tell_fleet(self, change: Callable[[LiveFleet], Numbers], token: str) -> None:
        """Writes the summed rows of the agents that a block of `device` or `raw_device` changes."""
        if self._fleet is None:
            # What was committed just now is in the tables that it is made of.
            self.load_fleet()
        elif (agents := change(self._fleet)).size:
            self.insert("live_fleet", self._fleet.rows(agents), token=f"fleet-{token}")

    @abstractmethod
    def _insert_arrow(self, target: str, block: pa.Table, settings: Settings) -> None:
        """Inserts into `table (columns)`, as one part."""

    def query(self, sql: str, parameters: Mapping[str, SqlValue] | None = None) -> pa.Table:
        """See base.Store."""
        try:
            return arrow_query(self._clients.mine(), sql, parameters)
        except StoreError:
            self._clients.drop()
            raise

    def command(self, sql: str) -> None:
        """See base.Store."""
        client = self._clients.mine()
        with as_store_error():
            client.command(sql)

    def reader(self, limits: ReadLimits) -> ClickhouseReader:
        """See base.Store."""
        tag = f"reader-{uuid.uuid4()}"
        return ClickhouseReader(lambda: self._read_only(limits, tag), self._clients.shut, tag, self._kill)

    def _read_only(self, limits: ReadLimits, tag: str) -> Client:
        client = self._clients.open(self._standing_back(limits.nice) | reader_settings(limits, tag))
        # Names without a database are public views; the gate relies on it.
        client.database = PUBLIC_DATABASE
        return client

    def _standing_back(self, nice: int) -> Settings:
        """What lets queries run below others by so much; nothing where the store's threads aren't ours."""
        del nice
        return {}

    def _kill(self, tag: str) -> None:
        self.command(f"KILL QUERY WHERE Settings['log_comment'] = {quoted(tag)} ASYNC")

    def day_bytes(self) -> list[DayBytes]:
        """See base.Store."""
        parts = f"clusterAllReplicas('{self.cluster}', system.parts)" if self.cluster else "system.parts"
        rows = self.query(statement("queries", "day_bytes", parts=parts)).to_pylist()
        return [DayBytes(row["name"], row["day"], row["bytes"], row["changed_ms"]) for row in rows]

    def drop_day(self, table: str, day: date) -> None:
        """See base.Store."""
        where = f"{table}_local ON CLUSTER '{self.cluster}'" if self.cluster else table
        self.command(f"ALTER TABLE {STORE_DATABASE}.{where} DROP PARTITION '{day}'")

    def close(self) -> None:
        """See base.Store."""
        self._clients.close()
