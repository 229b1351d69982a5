"""What the collector needs of a store, on every kind of store alike."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from steelyard_collector.sql.pool import ReaderPool
from steelyard_collector.sql.run import QueryRun
from steelyard_collector.store.base import Store
from steelyard_collector.store.lease import LeaseTimes
from steelyard_collector.store.migrate import EMBEDDED, migrate, migrations
from steelyard_collector.store.open import open_store
from steelyard_collector.store.retention import Bounds, bounds_of, keep_within
from steelyard_collector.store.rollup import Roller
from steelyard_collector.store.server import ServerStore
from steelyard_collector.store.views import VIEWS
from steelyard_proto.errors import ConfigError, StoreError, StoreLost, TransportError
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.store_kinds import KINDS, empty_store
from tests.standins.clickhouse_process import clickhouse_process
from tests.standins.programs import free_port

NOW_MS = int(time.time() * 1000)
DAY_MS = 86_400_000
PATIENT = LeaseTimes(renew_s=0.1, expires_s=30.0, look_s=0.02)
HASTY = LeaseTimes(renew_s=0.1, expires_s=0.5, look_s=0.02)


@pytest.fixture(scope="module", params=KINDS)
def dsn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with empty_store(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture(scope="module")
def store(dsn: str) -> Iterator[Store]:
    """One for the module; each test has a device of its own."""
    store = open_store(dsn)
    register(store, [{"device_id": device, "agent": 1} for device in range(1, 6)], now_ms=NOW_MS)
    yield store
    store.close()


def ask(store: Store, query: str, **parameters: str) -> list[dict[str, object]]:
    pool = ReaderPool(store)
    try:
        return QueryRun(pool).table(query, parameters).to_pylist()
    finally:
        pool.close()


def test_it_is_migrated_once_and_has_its_views(store: Store) -> None:
    assert migrate(store) == []
    held = store.query("SELECT id FROM steelyard_store.schema_migrations FINAL ORDER BY id")["id"].to_pylist()
    assert held == [migration.id for migration in migrations(EMBEDDED)]
    views = store.query("SELECT name FROM system.tables WHERE engine = 'View'")["name"].to_pylist()
    assert set(VIEWS) <= set(views)


def test_a_block_stands_in_a_view_and_its_repeat_does_nothing(store: Store) -> None:
    now_ms = int(time.time() * 1000)
    block = raw_block([{"device_id": 1, "ts": now_ms + second, "seq": 1, "power_w": 300.5} for second in range(3)])
    for _ in range(2):
        store.insert("raw_device", block, token="a-block")
    assert store.query("SELECT count() AS n FROM steelyard_store.raw_device WHERE device_id = 1")["n"][0].as_py() == 3
    row = ask(store, "SELECT uid, node, power_w, hbm_temp_c FROM devices WHERE device_id = {id:UInt32}", id="1")
    assert row == [{"uid": "dev-1", "node": "n1", "power_w": 300.5, "hbm_temp_c": None}]


def test_closed_minutes_are_rolled_up_and_a_late_row_again(store: Store) -> None:
    start_ms = (NOW_MS - 2 * 3_600_000) // 3_600_000 * 3_600_000
    rows = [{"device_id": 2, "ts": start_ms + 1000 * n, "seq": n, "power_w": float(n), "energy_mj": 500 * n}
            for n in range(120)]  # fmt: skip
    store.insert("raw_device", raw_block(rows), token="to-roll")
    roller = Roller(store, store.dirty)
    roller.run_once(NOW_MS)
    history = """SELECT samples, power_w, power_w_max, energy_mj_per_s FROM device_history
        WHERE level = '1m' AND device_id = 2 ORDER BY ts"""
    assert ask(store, history) == [
        {"samples": 60, "power_w": 29.5, "power_w_max": 59.0, "energy_mj_per_s": 500.0},
        {"samples": 60, "power_w": 89.5, "power_w_max": 119.0, "energy_mj_per_s": 500.0},
    ]
    late = [{"device_id": 2, "ts": start_ms + 60_500, "seq": 200, "power_w": 700.0}]
    store.insert("raw_device", raw_block(late), token="late")
    roller.run_once(NOW_MS + 1)
    assert [row["samples"] for row in ask(store, history)] == [60, 61]


def test_old_days_go(store: Store) -> None:
    old = [{"device_id": 3, "ts": NOW_MS - ago * DAY_MS, "seq": ago, "power_w": 1.0} for ago in (9, 3)]
    for row in old:
        store.insert("raw_device", raw_block([row]), token=f"old-{row['seq']}")
    assert bounds_of(store, 7, 0).max_bytes > 0
    keep_within(store, Bounds(raw_days=7, max_bytes=1 << 50), NOW_MS)
    assert store.query("SELECT seq FROM steelyard_store.raw_device WHERE device_id = 3")["seq"].to_pylist() == [3]
    today = datetime.fromtimestamp(NOW_MS / 1000, UTC).date()
    told = ask(store, "SELECT text FROM events WHERE code = 'day_dropped'")
    assert len(told) == 1
    assert str(today - timedelta(9)) in str(told[0]["text"])


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO steelyard_store.gap SELECT * FROM steelyard_store.gap",
        "SELECT count() FROM steelyard_store.raw_device",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:1/')",
        "KILL QUERY WHERE 1",
        "SET readonly = 0",
        "SELECT 1 SETTINGS max_threads = 64",
        "SELECT * FROM devices INTO OUTFILE '/tmp/devices'",
    ],
)
def test_the_gate_holds(store: Store, query: str) -> None:
    with pytest.raises(StoreError):
        ask(store, query)


def test_a_reader_can_write_nothing_even_past_the_gate(store: Store) -> None:
    pool = ReaderPool(store)
    try:
        with pool.lend(pool.whole) as reader, pytest.raises(StoreError) as refused:
            reader.query_raw("TRUNCATE TABLE steelyard_store.gap", format_name="TSV")
        assert refused.value.name == "READONLY"
    finally:
        pool.close()


def test_a_wrong_query_says_what_is_wrong(store: Store) -> None:
    with pytest.raises(StoreError) as refused:
        ask(store, "SELECT nothing_like_this FROM devices")
    assert (refused.value.code, refused.value.name) == (47, "UNKNOWN_IDENTIFIER")
    assert ask(store, "SELECT 1 AS one") == [{"one": 1}]


def test_a_second_collector_is_refused(store: Store, dsn: str) -> None:
    with pytest.raises(StoreError, match=rf"in use by .*process {os.getpid()}\b.*stop it.*--store") as refused:
        open_store(dsn)
    assert refused.value.name == "STORE_IN_USE"


def test_a_lock_that_is_let_go_or_abandoned_can_be_taken(tmp_path: Path) -> None:
    with clickhouse_process(tmp_path) as server:
        open_store(server.dsn).close()
        first = ServerStore(server.dsn, PATIENT)
        first.hold()  # at once: the one before let it go
        refused = ServerStore(server.dsn, PATIENT)
        with pytest.raises(StoreError, match="in use"):
            refused.hold()
        refused.close()
        first._lease._stop.set()  # as if it hung, or was killed
        first._lease._thread.join()
        second = ServerStore(server.dsn, HASTY)
        second.hold()
        with pytest.raises(StoreLost, match=r"taken over by another collector \(process"):
            first._lease.renew()
        second.close()
        first.close()


def test_a_server_that_can_not_be_used_says_so(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(TransportError, match=f"no ClickHouse answers at 127.0.0.1:{port}.*start it.*--store"):
        open_store(f"clickhouse://127.0.0.1:{port}/")
    with clickhouse_process(tmp_path, version="24.3.5.46") as server:
        with pytest.raises(StoreError, match=r"is 24\.3\.5\.46; upgrade it to 25\.8 or later"):
            open_store(server.dsn)
        with pytest.raises(StoreError, match=r"refuses the user 'me' or the password") as refused:
            open_store(f"clickhouse://me:secret@127.0.0.1:{server.port}/")
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("clickhouse:///", "names no host"),
        ("clickhouse://me:secret@host:99999/", "port is none"),
        ("chdb://", "names no directory"),
        ("clickhause://me:secret@host/", "is no store; write chdb:///DIR or clickhouse://"),
        ("/var/lib/steelyard", "is no store"),
    ],
)
def test_a_dsn_that_is_none_says_so_without_its_password(dsn: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        open_store(dsn)
    assert "secret" not in str(refused.value)
