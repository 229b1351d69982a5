"""For every closed bucket a rollup equals what the raw rows give, counted here by other means."""

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import Roller
from tests.integration.collector.fleet_rows import raw_block, register

# The clock of the rollups is the real one: TTLs and the times of parts go by it.
NOW_MS = int(time.time() * 1000) // 3_600_000 * 3_600_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
Row = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path}/store")
    register(store, [{"device_id": device, "agent": 1} for device in (1, 2, 3)], now_ms=NOW_MS)
    yield store
    store.close()


def rows_of(device: int, first_ms: int, seconds: int, *, seed: int = 1) -> list[Row]:
    """A row a second: noise with holes; counters, of which one resets, one wraps at 32 bits, one comes each minute."""
    noise = random.Random(seed * 1000 + device)
    energy, pcie, ecc = 1_000_000, 2**32 - 40_000, 5
    rows: list[Row] = []
    for second in range(seconds):
        energy = 0 if noise.random() < 0.004 else energy + noise.randrange(300, 700)
        pcie = (pcie + noise.randrange(1000)) % 2**32
        ecc += noise.random() < 0.1
        is_hole = noise.random() < 0.1
        rows.append(
            {
                "device_id": device,
                "ts": first_ms + second * 1000 + noise.randrange(-20, 20),
                "seq": second,
                "power_w": None if is_hole else float(noise.randrange(200, 700)),
                "core_active": noise.randrange(0, 101) / 100,
                "hbm_bw_active": None,
                "energy_mj": None if is_hole else energy,
                "pcie_tx_bytes": pcie,
                "ecc_corrected": ecc if second % 60 == 7 else None,
            }
        )
    return rows


def put(store: Store, rows: Sequence[Row], token: str) -> None:
    store.insert("raw_device", raw_block(rows), token=token)


def increments(rows: Sequence[Row], name: str, bits: int) -> list[tuple[int, int, int]]:
    """(time, increase, milliseconds since the value before) of a counter."""
    found = []
    before: tuple[int, int] | None = None
    for row in sorted(rows, key=lambda row: row["ts"]):
        value = row[name]
        if value is None:
            continue
        if before is not None:
            step = value - before[1]
            if step < 0:
                step = step + (1 << bits) if bits and -step > 1 << (bits - 1) else value
            found.append((row["ts"], step, row["ts"] - before[0]))
        before = row["ts"], value
    return found


def expected(rows: Sequence[Row], period_ms: int) -> dict[tuple[int, int], dict[str, Any]]:
    """By device and bucket, what the raw rows give."""
    buckets: dict[tuple[int, int], dict[str, Any]] = {}
    by_device: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_device[row["device_id"]].append(row)
    for device, own in by_device.items():
        groups: dict[int, list[Row]] = defaultdict(list)
        for row in own:
            groups[row["ts"] // period_ms].append(row)
        for bucket, group in groups.items():
            power = [row["power_w"] for row in group if row["power_w"] is not None]
            buckets[device, bucket] = {
                "n": len(group),
                "power_w_sum": sum(power),
                "power_w_n": len(power),
                "power_w_min": min(power, default=None),
                "power_w_max": max(power, default=None),
                "hbm_bw_active_n": 0,
                "hbm_bw_active_max": None,
            }
        for name, bits in (("energy_mj", 0), ("pcie_tx_bytes", 32), ("ecc_corrected", 0)):
            sums: dict[int, list[int]] = {}
            for ts, step, milliseconds in increments(own, name, bits):
                total = sums.setdefault(ts // period_ms, [0, 0])
                total[0] += step
                total[1] += milliseconds
            for bucket in groups:
                inc, covered_ms = sums.get(bucket, [None, 0])
                buckets[device, bucket] |= {f"{name}_inc": inc, f"{name}_ms": covered_ms}
    return buckets


def stored(store: Store, table: str, period_ms: int) -> dict[tuple[int, int], dict[str, Any]]:
    rows = store.query(
        f"SELECT *, toUnixTimestamp(bucket) * 1000 AS bucket_ms FROM steelyard_store.{table} FINAL"
    ).to_pylist()
    return {(row["device_id"], row["bucket_ms"] // period_ms): row for row in rows}


def check(store: Store, rows: Sequence[Row], table: str, period_ms: int, until_ms: int) -> None:
    found = stored(store, table, period_ms)
    wanted = {key: value for key, value in expected(rows, period_ms).items() if (key[1] + 1) * period_ms <= until_ms}
    assert found.keys() == wanted.keys()
    for key, figures in wanted.items():
        got = {name: found[key][name] for name in figures if name in found[key]}
        assert got == {name: value for name, value in figures.items() if name in got}, (table, key)


def test_every_level_equals_raw(store: Store) -> None:
    rows = [row for device in (1, 2, 3) for row in rows_of(device, NOW_MS - 2 * HOUR_MS, 6000)]
    put(store, rows, "first")
    Roller(store, store.dirty).run_once(NOW_MS)
    check(store, rows, "roll_10s", 10_000, NOW_MS)
    check(store, rows, "roll_1m", MINUTE_MS, NOW_MS)
    # 11:00 to 11:40 is closed only with its hour.
    check(store, rows, "roll_1h", HOUR_MS, NOW_MS - HOUR_MS)


def test_again_gives_the_same(store: Store) -> None:
    rows = rows_of(1, NOW_MS - HOUR_MS, 600)
    put(store, rows, "first")
    roller = Roller(store, store.dirty)
    roller.run_once(NOW_MS)
    put(store, rows_of(2, NOW_MS - HOUR_MS, 60), "other")
    store.dirty.note(raw_block(rows))
    roller.run_once(NOW_MS + 1000)
    check(store, rows + rows_of(2, NOW_MS - HOUR_MS, 60), "roll_1m", MINUTE_MS, NOW_MS)


def test_an_open_minute_waits(store: Store) -> None:
    rows = rows_of(1, NOW_MS - 300_000, 300)
    put(store, rows, "first")
    roller = Roller(store, store.dirty)
    roller.run_once(NOW_MS - 100_000)
    check(store, rows, "roll_1m", MINUTE_MS, (NOW_MS - 100_000 - 15_000) // MINUTE_MS * MINUTE_MS)
    roller.run_once(NOW_MS + 60_000)
    check(store, rows, "roll_1m", MINUTE_MS, NOW_MS)


def test_late_rows_and_what_follows_them(store: Store) -> None:
    rows = rows_of(1, NOW_MS - HOUR_MS, 1200)
    late = [row for row in rows if 300 <= row["seq"] < 450]
    put(store, [row for row in rows if row not in late], "first")
    roller = Roller(store, store.dirty)
    roller.run_once(NOW_MS)
    roller.late.clear()
    put(store, late, "late")
    roller.run_once(NOW_MS + 1000)
    assert roller.late == {1}
    check(store, rows, "roll_1m", MINUTE_MS, NOW_MS)


def test_a_days_backlog_of_one_node(store: Store) -> None:
    rows = [row for device in (1, 2) for row in rows_of(device, NOW_MS - 30 * HOUR_MS, 7200)]
    put(store, [row for row in rows if row["ts"] < NOW_MS - NOW_MS % 86_400_000], "before midnight")
    Roller(store, store.dirty).run_once(NOW_MS)
    check(store, rows, "roll_1h", HOUR_MS, NOW_MS)


def test_a_new_process_finds_what_was_left(store: Store) -> None:
    rows = rows_of(1, NOW_MS - HOUR_MS, 900)
    put(store, rows, "first")
    store.dirty.take(1 << 40)  # as a process does that dies before its first run
    roller = Roller(store, store.dirty)
    assert roller.recover(NOW_MS) == len(expected(rows, MINUTE_MS))
    roller.run_once(NOW_MS)
    check(store, rows, "roll_1m", MINUTE_MS, NOW_MS)
    assert Roller(store, store.dirty).recover(NOW_MS) == 0


def test_history_shows_every_level(store: Store) -> None:
    rows = rows_of(1, NOW_MS - 2 * HOUR_MS, 3600)
    put(store, rows, "first")
    Roller(store, store.dirty).run_once(NOW_MS)
    sql = (
        "SELECT level, count() AS n, sum(samples) AS total, "
        "avgWeighted(power_w, samples) AS mean_w, max(power_w_max) AS peak_w "
        "FROM steelyard.device_history WHERE device_id = 1 GROUP BY level"
    )
    levels = {row["level"]: row for row in store.query(sql).to_pylist()}
    assert levels.keys() == {"raw", "10s", "1m", "1h"}
    for name, level in levels.items():
        assert level["total"] == pytest.approx(len(rows), abs=60)
        assert level["peak_w"] == max(row["power_w"] or 0 for row in rows)
        assert level["mean_w"] == pytest.approx(levels["raw"]["mean_w"], rel=0.01), name
    assert levels["raw"]["n"] == len(rows)


_KILLED = """
import sys
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import Roller
from tests.integration.collector.test_rollup import NOW_MS, put, rows_of
store = open_store(sys.argv[1])
roller = Roller(store, store.dirty)
roller.recover(NOW_MS)
print("ready", flush=True)
for number in range(int(sys.argv[2]), 60):
    put(store, rows_of(1, NOW_MS - 2 * 3_600_000 + number * 120_000, 120, seed=number), f"block-{number}")
    roller.run_once(NOW_MS)
    print(number, flush=True)
"""


def test_kills_between_raw_and_rollup_leave_nothing_open(tmp_path: Path) -> None:
    """Killed at random instants of inserting and rolling up, then gone on with, then compared."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    noise, dsn, begun = random.Random(seed), f"chdb://{tmp_path}/store", 0
    for _ in range(5):
        command = [sys.executable, "-c", _KILLED, dsn, str(begun)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(noise.uniform(0.02, 0.5))
            process.send_signal(signal.SIGKILL)
            said = [int(line) for line in process.stdout if line.strip().isdigit()]
        # The block after the last that was told may be in the store or not; its token is the next process's too.
        begun = max([begun, *(number + 1 for number in said)])
    store = open_store(dsn)
    try:
        roller = Roller(store, store.dirty)
        roller.recover(NOW_MS)
        roller.run_once(NOW_MS)
        sql = "SELECT *, toUnixTimestamp64Milli(ts) AS ts FROM steelyard_store.raw_device"
        check(store, store.query(sql).to_pylist(), "roll_1m", MINUTE_MS, NOW_MS)
    finally:
        store.close()
