"""The kinds of store that one test body runs over: embedded, a stand-in for a server, and a real one where given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steelyard_collector.store.server import ServerStore
from tests.standins.clickhouse_process import clickhouse_process

KINDS = ("chdb", "clickhouse", "real-server")
REAL_SERVER = "STEELYARD_TEST_CLICKHOUSE"


@contextmanager
def empty_store(kind: str, folder: Path) -> Iterator[str]:
    """The DSN of a store without anything in it."""
    if kind == "chdb":
        yield f"chdb://{folder}/store"
    elif kind == "clickhouse":
        with clickhouse_process(folder / "server") as server:
            yield server.dsn
    else:
        with _real_server() as dsn:
            yield dsn


@contextmanager
def _real_server() -> Iterator[str]:
    dsn = os.environ.get(REAL_SERVER, "")
    if not dsn:
        pytest.skip(f"{REAL_SERVER} gives no DSN (clickhouse://user:password@host:port/) of a server for tests")
    server = ServerStore(dsn)
    try:
        names = "name IN ('steelyard', 'steelyard_store')"
        held = server.query(f"SELECT name FROM system.databases WHERE {names}")
        assert not held.num_rows, f"{REAL_SERVER} holds a store already; this test would drop it"
        try:
            yield dsn
        finally:
            for name in ("steelyard", "steelyard_store"):
                server.command(f"DROP DATABASE IF EXISTS {name} SYNC")
    finally:
        server.close()
