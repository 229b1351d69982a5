"""The live fleet is made of sums per agent: it must say what the devices say, one by one."""

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.job_rows import put_held
from tests.integration.collector.store_kinds import KINDS, empty_store

# Long enough that nobody's state changes while these tests run.
WINDOW_MS = 600_000
STALE_MS, SILENT_MS = WINDOW_MS + 30_000, WINDOW_MS + 90_000
DEVICES = [
    *({"device_id": n, "agent": 1} for n in (1, 2, 3)),
    # Two kinds on one agent, numbered among each other.
    {"device_id": 4, "agent": 2, "chip": "910B", "vendor": "huawei", "memory_bytes": 0},
    {"device_id": 5, "agent": 2},
    {"device_id": 6, "agent": 2, "chip": "910B", "vendor": "huawei", "memory_bytes": 0},
    {"device_id": 7, "agent": 2, "chip": "", "vendor": "cpu", "origin": "simulated"},
    # Nothing is ever heard of it.
    {"device_id": 8, "agent": 3, "chip": "MI300X", "vendor": "amd"},
]
# What the view is, in terms of the devices.
BY_DEVICE = """
SELECT vendor, chip, part, origin, uniqExact(agent) AS nodes, count() AS devices, countIf(state = 'live') AS reporting,
    countIf(state = 'stale') AS stale, uniqExactIf(job, state != 'silent') AS jobs,
    avgIf(d.busy, state = 'live') AS busy,
    avgIf(d.power_w, state = 'live') AS power_w, avgIf(d.chip_temp_c, state = 'live') AS chip_temp_c,
    avgIf(d.hbm_used_ratio, state = 'live') AS hbm_used_ratio, sumIf(d.power_w, state = 'live') AS power_total_w
FROM steelyard.devices AS d GROUP BY vendor, chip, part, origin ORDER BY vendor, chip, part, origin
"""
COLUMNS = (
    "vendor, chip, part, origin, nodes, devices, reporting, stale, jobs, busy, power_w, chip_temp_c, hbm_used_ratio, "
    "power_total_w"
)


@pytest.fixture(scope="module", params=KINDS)
def dsn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with empty_store(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture
def store(dsn: str) -> Iterator[Store]:
    """Opened anew for each test, over what the tests before have left."""
    store = open_store(dsn)
    if not store.query("SELECT 1 FROM steelyard_store.live_window").num_rows:
        store.command(f"INSERT INTO steelyard_store.live_window (id, window_ms, ver) VALUES (1, {WINDOW_MS}, 1)")
        register(store, DEVICES, now_ms=now())
        put(store, 1, *({"device_id": n, "busy": n / 10, "power_w": 100.5 * n} for n in range(1, 8)))
    yield store
    store.close()


def now() -> int:
    """Unix time in ms: of the test, for others run long after they were collected."""
    return int(time.time() * 1000)


def put(store: Store, seq: int, *rows: dict[str, Any], ts: int = 0) -> None:
    """A block, of now if nothing else is said; `seq` rises from block to block."""
    store.insert("raw_device", raw_block([{"ts": ts or now(), "seq": seq} | row for row in rows]), token=f"block-{seq}")


def fleet(store: Store) -> dict[str, dict[str, Any]]:
    """The view by chip, once it is found to be what the devices say."""
    found = store.query(f"SELECT {COLUMNS} FROM steelyard.fleet_live ORDER BY vendor, chip, part, origin").to_pylist()
    told = store.query(BY_DEVICE).to_pylist()
    assert len(found) == len(told)
    for row, other in zip(found, told, strict=True):
        assert row == {
            name: value if value is None or isinstance(value, str) else pytest.approx(value)
            for name, value in other.items()
        }
    return {row["chip"] or "": row for row in found}


def test_every_kind_of_device_is_there(store: Store) -> None:
    rows = fleet(store)
    assert set(rows) == {"H100", "910B", "MI300X", ""}
    assert (rows["H100"]["nodes"], rows["H100"]["devices"], rows["H100"]["reporting"]) == (2, 4, 4)
    assert rows["MI300X"]["power_w"] is None
    assert rows["MI300X"]["power_total_w"] is None
    assert (rows["MI300X"]["devices"], rows["MI300X"]["reporting"]) == (1, 0)


def test_devices_of_an_agent_that_are_behind_count_apart(store: Store) -> None:
    put(store, 2, {"device_id": 2, "busy": 0.9}, ts=now() - STALE_MS)
    put(store, 3, {"device_id": 6, "busy": 0.9}, ts=now() - SILENT_MS)
    rows = fleet(store)
    assert (rows["H100"]["reporting"], rows["H100"]["stale"]) == (3, 1)
    assert (rows["910B"]["reporting"], rows["910B"]["stale"], rows["910B"]["devices"]) == (1, 0, 2)
    assert rows["910B"]["busy"] == pytest.approx(0.4)


def test_one_device_s_row_leaves_the_others_of_its_agent_as_they_are(store: Store) -> None:
    before = fleet(store)["H100"]["power_total_w"]
    put(store, 4, {"device_id": 1, "power_w": 700.5})
    assert fleet(store)["H100"]["power_total_w"] == pytest.approx(before + 700.5 - 100.5)
    # Out of order: an agent's clock may jump, its sequence doesn't.
    put(store, 3, {"device_id": 1, "power_w": 1.5}, ts=now() + 1000)
    assert fleet(store)["H100"]["power_total_w"] == pytest.approx(before + 700.5 - 100.5)


def test_a_share_of_memory_is_of_what_the_device_tells_else_of_what_is_known(store: Store) -> None:
    put(store, 5, *({"device_id": n, "hbm_used_bytes": 8.0 * (1 << 30)} for n in (1, 4)))
    rows = fleet(store)
    assert rows["H100"]["hbm_used_ratio"] == pytest.approx(0.1)
    assert rows["910B"]["hbm_used_ratio"] is None
    put(store, 6, *({"device_id": n, "hbm_total_bytes": 16.0 * (1 << 30)} for n in (1, 4)))
    put(store, 7, *({"device_id": n, "hbm_used_bytes": 8.0 * (1 << 30)} for n in (1, 4)))
    rows = fleet(store)
    assert rows["H100"]["hbm_used_ratio"] == rows["910B"]["hbm_used_ratio"] == pytest.approx(0.5)


def test_jobs_are_those_of_devices_that_are_not_silent(store: Store) -> None:
    to_ms = now()
    hour_ago = to_ms - 3_600_000
    held = {"to_ts": to_ms, "from_ts": hour_ago}
    put_held(store, [
        *({"job": "both", "agent": n, "device_id": device} | held for n, device in ((1, 1), (2, 5), (2, 4))),
        {"job": "newer", "agent": 1, "device_id": 3, "from_ts": hour_ago + 1, "to_ts": to_ms},
        {"job": "older", "agent": 1, "device_id": 3} | held,
        {"job": "of a silent device", "agent": 2, "device_id": 6} | held,
        {"job": "ended", "agent": 1, "device_id": 2, "closed": 1} | held,
        {"job": "unsaid", "agent": 1, "device_id": 2, "from_ts": hour_ago, "to_ts": to_ms - 600_000},
    ])  # fmt: skip
    rows = fleet(store)
    assert (rows["H100"]["jobs"], rows["910B"]["jobs"], rows["MI300X"]["jobs"]) == (2, 1, 0)


def test_a_device_that_is_described_anew_moves(store: Store) -> None:
    register(store, [{"device_id": 5, "agent": 2, "chip": "H20"}], now_ms=now() + 1)
    rows = fleet(store)
    assert (rows["H100"]["nodes"], rows["H100"]["devices"], rows["H20"]["reporting"]) == (1, 3, 1)


def test_a_clock_s_offset_is_taken_off(store: Store) -> None:
    put(store, 9, {"device_id": 7, "busy": 0.5})
    assert fleet(store)[""]["reporting"] == 1
    store.command("INSERT INTO steelyard_store.agent_state (agent, clock_offset_ms) "
                  f"VALUES (2, {SILENT_MS})")  # fmt: skip
    rows = fleet(store)
    assert (rows[""]["reporting"], rows["H20"]["reporting"], rows["H100"]["reporting"]) == (0, 0, 2)


def test_what_a_killed_collector_left_behind_is_made_up_for_at_the_start(store: Store) -> None:
    store.command("INSERT INTO steelyard_store.live_device (is_slow, device_id, ts, ver, power_w) "
                  f"VALUES (0, 1, fromUnixTimestamp64Milli({now()}), {1 << 40}, 42.5)")  # fmt: skip
    at_seq_4 = store.query("SELECT power_w FROM steelyard.fleet_live WHERE chip = 'H100'")["power_w"][0].as_py()
    store.load_fleet()
    assert not math.isclose(fleet(store)["H100"]["power_w"], at_seq_4)
