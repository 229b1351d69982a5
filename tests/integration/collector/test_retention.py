"""What is dropped: old days, and the oldest ones of a store that is too large; what it leaves behind in SQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_collector.store.retention import DEFAULT_MAX_BYTES, Bounds, bounds_of, keep_within
from steelyard_collector.store.rollup import Roller
from tests.integration.collector.fleet_rows import TIME, register

DAY_MS = 86_400_000
# The rollups' TTL goes by the real date.
TODAY = datetime.now(UTC).date()
NOW_MS = int(datetime.combine(TODAY, time(12), UTC).timestamp() * 1000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path}/store")
    register(store, [{"device_id": 1, "agent": 1}], now_ms=NOW_MS)
    yield store
    store.close()


def fill(store: Store, ago: int, rows: int = 120) -> None:
    """Rows of noise, from 06:00 on, so many days ago."""
    start_ms = NOW_MS - NOW_MS % DAY_MS - ago * DAY_MS + 6 * 3_600_000
    stamps = [start_ms + 1000 * index for index in range(rows)]
    noise = np.random.default_rng(ago).random(rows).astype(np.float32)
    block = pa.table(
        {"device_id": pa.array([1] * rows, pa.uint32()), "ts": pa.array(stamps, TIME),
         "epoch": pa.array([1] * rows, pa.uint32()), "seq": pa.array(range(rows), pa.uint32()), "power_w": noise}
    )  # fmt: skip
    store.insert("raw_device", block, token=f"fill-{ago}-{rows}")


def days_of(store: Store, table: str) -> list[date]:
    return [part.day for part in store.day_bytes() if part.table == table and part.day is not None]


def events(store: Store) -> list[dict[str, Any]]:
    sql = "SELECT severity, code, text, source FROM steelyard.events WHERE code = 'day_dropped' ORDER BY text"
    return store.query(sql).to_pylist()


def test_old_raw_days_go_and_rollups_stay(store: Store) -> None:
    for ago in (0, 2, 3, 9):
        fill(store, ago)
    Roller(store, store.dirty, raw_days=30).run_once(NOW_MS)
    keep_within(store, Bounds(raw_days=3, max_bytes=1 << 40), NOW_MS)
    assert days_of(store, "raw_device") == [TODAY - timedelta(2), TODAY]
    assert TODAY - timedelta(9) in days_of(store, "roll_1m")
    told = events(store)
    assert [event["severity"] for event in told] == ["info", "info"]
    assert str(TODAY - timedelta(9)) in told[0]["text"]
    assert "--retention" in told[0]["text"]


def test_the_oldest_day_goes_first_and_is_told(store: Store) -> None:
    for ago in (0, 1, 2):
        fill(store, ago, rows=20_000)
    sizes = {part.day: part.bytes for part in store.day_bytes() if part.table == "raw_device"}
    total = sum(part.bytes for part in store.day_bytes())
    limit = total - sizes[TODAY - timedelta(2)] // 2
    assert keep_within(store, Bounds(raw_days=30, max_bytes=limit), NOW_MS) <= limit
    assert days_of(store, "raw_device") == [TODAY - timedelta(1), TODAY]
    assert [event["severity"] for event in events(store)] == ["warning"]
    assert "--max-disk" in events(store)[0]["text"]


def test_a_dropped_day_is_never_rolled_up_again(store: Store) -> None:
    fill(store, 2)
    roller = Roller(store, store.dirty, raw_days=30)
    roller.run_once(NOW_MS)
    before = store.query("SELECT count() AS n, max(ver) AS ver FROM steelyard_store.roll_1m").to_pylist()
    keep_within(store, Bounds(raw_days=2, max_bytes=1 << 40), NOW_MS)
    fill(store, 2, rows=60)  # late rows for the same minutes
    roller.run_once(NOW_MS + 1000)
    again = Roller(store, store.dirty, raw_days=30)
    again.recover(NOW_MS + 2000)
    again.run_once(NOW_MS + 3000)
    assert store.query("SELECT count() AS n, max(ver) AS ver FROM steelyard_store.roll_1m").to_pylist() == before


def test_today_alone_too_large_is_dropped_up_to_now(store: Store) -> None:
    fill(store, 0, rows=20_000)
    roller = Roller(store, store.dirty, raw_days=30)
    roller.run_once(NOW_MS)
    rolled = store.query("SELECT count() AS n FROM steelyard_store.roll_1h").to_pylist()
    keep_within(store, Bounds(raw_days=30, max_bytes=1), NOW_MS)
    assert days_of(store, "raw_device") == []
    later = pa.table(
        {"device_id": pa.array([1], pa.uint32()), "ts": pa.array([NOW_MS + 1_800_000], TIME),
         "epoch": pa.array([1], pa.uint32()), "seq": pa.array([99_999], pa.uint32()),
         "power_w": pa.array([1.0], pa.float32())}
    )  # fmt: skip
    store.insert("raw_device", later, token="later")
    roller.run_once(NOW_MS + 2 * 3_600_000)
    hours = store.query("SELECT count() AS n FROM steelyard_store.roll_1h").to_pylist()
    assert hours[0]["n"] == rolled[0]["n"] + 1


def test_the_bound_without_a_size_is_half_the_disk_or_50_gb(store: Store) -> None:
    found = bounds_of(store, 7, 0)
    assert found.max_bytes == min(DEFAULT_MAX_BYTES, found.max_bytes)
    assert found.max_bytes <= (store.free_bytes() + sum(part.bytes for part in store.day_bytes())) // 2 + (1 << 24)
    assert bounds_of(store, 7, 123).max_bytes == 123


def test_nothing_is_dropped_twice(store: Store) -> None:
    fill(store, 9)
    for _ in range(3):
        keep_within(store, Bounds(raw_days=3, max_bytes=1 << 40), NOW_MS)
    assert len(events(store)) == 1


def test_what_jobs_were_goes_with_time(store: Store) -> None:
    old, new = pa.array([NOW_MS - 400 * DAY_MS], TIME), pa.array([NOW_MS - 30 * DAY_MS], TIME)
    zero = {name: pa.array([0], pa.uint32()) for name in ("epoch", "seq")}
    agent = {"agent": pa.array([1], pa.uint32()), **zero}
    for job, at in (("old", old), ("new", new)):
        names = {"job": [job]}
        store.insert("training", pa.table({**agent, **names, "ts": at, "start_ts": at}), token=f"training-{job}")
        spans = {"device_id": pa.array([1], pa.uint32()), "ts": at, "from_ts": at, "to_ts": at}
        store.insert("job_interval", pa.table({**agent, **names, **spans}), token=f"interval-{job}")
        ver = {"ver": at.cast(pa.int64()).cast(pa.uint64())}
        store.insert("job_total", pa.table({**names, **ver}), token=f"total-{job}")
    for table in ("training", "job_interval", "job_total"):
        store.command(f"OPTIMIZE TABLE steelyard_store.{table} FINAL")
        assert store.query(f"SELECT job FROM steelyard_store.{table}")["job"].to_pylist() == ["new"], table
