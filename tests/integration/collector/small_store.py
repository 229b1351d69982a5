"""A store of a few rows behind the real doors, for tests of what people may ask."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc

from steelyard_collector.access.tokens import Authorize
from steelyard_collector.live.watch import LiveViews
from steelyard_collector.sql.handlers import add_query_service
from steelyard_collector.sql.http import HttpDoor, serve_http
from steelyard_collector.sql.pool import QueryLimits, ReaderPool
from steelyard_collector.sql.service import QueryService, anybody
from steelyard_collector.store.base import ReadLimits
from steelyard_collector.store.chdb import ChdbStore

SECRET = "only-in-the-store"
ROWS = 1000

_DDL = (
    "CREATE DATABASE IF NOT EXISTS steelyard_store ENGINE = Atomic",
    "CREATE DATABASE IF NOT EXISTS steelyard ENGINE = Atomic",
    "CREATE TABLE steelyard_store.sample (id UInt32, word String) ENGINE = MergeTree ORDER BY id",
    f"INSERT INTO steelyard_store.sample SELECT number, '{SECRET}' FROM numbers({ROWS})",
    "CREATE DICTIONARY steelyard_store.words (id UInt64, word String) PRIMARY KEY id "
    "SOURCE(CLICKHOUSE(TABLE 'sample' DB 'steelyard_store')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE VIEW steelyard.devices AS SELECT id AS device_id, concat('n', toString(intDiv(id, 8))) AS node, "
    "toUInt32(id % 8) AS device_index, if(id % 3 = 0, 'H100', '910B') AS chip, "
    "if(id % 5 = 0, NULL, toFloat32(id / 1000)) AS busy, if(id % 7 = 6, NULL, 'llama') AS job, "
    "now64(3, 'UTC') AS last_seen FROM steelyard_store.sample",
    "CREATE VIEW steelyard.nodes AS SELECT node, groupUniqArray(chip) AS chips, count() AS devices "
    "FROM steelyard.devices GROUP BY node",
    "CREATE TABLE steelyard_store.event (ts DateTime64(3, 'UTC'), text String) ENGINE = MergeTree ORDER BY ts",
    "CREATE VIEW steelyard.events AS SELECT * FROM steelyard_store.event",
)

LIMITS = QueryLimits(
    read=ReadLimits(seconds=3, memory_bytes=300_000_000, result_rows=2000, threads=1), running=2, waiting=2, wait_s=0.5
)
# For tests of long queries that aren't of limits: a busy machine takes its time.
PATIENT = replace(LIMITS, read=replace(LIMITS.read, seconds=60))


@contextmanager
def small_store(directory: Path) -> Iterator[ChdbStore]:
    store = ChdbStore(directory)
    try:
        for statement in _DDL:
            store.command(statement)
        yield store
    finally:
        store.close()


class Doors:
    """The gRPC and the HTTP door of one store, in a loop of their own thread."""

    def __init__(self, store: ChdbStore, authorize: Authorize = anybody, limits: QueryLimits = LIMITS) -> None:
        self.pool = ReaderPool(store, limits)
        self.http: HttpDoor = serve_http(self.pool, port=0, authorize=authorize)
        self.views: LiveViews
        self.grpc_port = 0
        self._store = store
        self._authorize = authorize
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(20)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        self.views = LiveViews(self._store, lambda: int(time.time() * 1000))
        service = QueryService(self.pool, self.views, self._authorize)
        server = grpc.aio.server()
        add_query_service(service, server)
        self.grpc_port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._ready.set()
        await self._done.wait()
        await server.stop(0)
        await self.views.close()
        service.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(20)
        self._loop.close()
        self.http.close()
        until(lambda: self.pool.running == 0)
        self.pool.close()


@contextmanager
def doors(store: ChdbStore, authorize: Authorize = anybody, limits: QueryLimits = LIMITS) -> Iterator[Doors]:
    opened = Doors(store, authorize, limits)
    try:
        yield opened
    finally:
        opened.close()


def until(claim: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for a claim to come true."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
