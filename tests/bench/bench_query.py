"""What people ask most, at full size, over gRPC: the live fleet, a device's day, a week by chip.

The live view is asked while 128,000 devices send at 1 Hz. They are on 1,600 streams, so that the load itself takes
little of the machine; `fleet` has 16,000. The history is made by ClickHouse in the shipped tables.
"""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.asking import asker, percentile
from tests.bench.figure import Figure
from tests.bench.load.history import DAY_DEVICES
from tests.bench.machine import wait_for, wait_until_idle
from tests.bench.processes import collector, run_module, running_load

_AGENTS, _DEVICES, _FLUSH_S = 1_600, 80, 5
_LIVE_ASKED, _LIVE_EVERY_S = 200, 0.25
_DAY_ASKED, _WEEK_ASKED = 200, 50
_WARM_S = 20
_LIVE = "SELECT * FROM fleet_live"
_DAY = """
SELECT ts, busy, core_active, tensor_active, hbm_bw_active, power_w, hbm_used_bytes, chip_temp_c
FROM device_history
WHERE device_id = {device:UInt32} AND level = '1m' AND ts >= now() - INTERVAL 24 HOUR
ORDER BY ts
"""
_WEEK = """
SELECT chip, toStartOfHour(ts) AS hour, avg(busy) AS busy, avg(core_active) AS core_active, avg(power_w) AS power_w
FROM device_history
WHERE level = '1h' AND ts >= now() - INTERVAL 7 DAY
GROUP BY chip, hour
ORDER BY chip, hour
"""


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Asks the live view under load, then fills in a history and asks that."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        live = _ask_live(Path(folder), progress)
        progress("making a week of history")
        dsn = f"chdb://{folder}/store"
        made = run_module("tests.bench.load.history", [dsn])
        flags = [
            flag for query in (_LIVE, _DAY.replace("{device:UInt32}", "500"), _WEEK) for flag in ("--estimate", query)
        ]
        read = run_module("tests.bench.load.history", [dsn, *flags])["rows"]
        day, week = _ask_history(Path(folder), progress)
    return [
        _figure(
            "live_p99_ms", live, "<= 150", f"{_AGENTS * _DEVICES:,} devices sending at 1 Hz; reads {read[0]:,} rows"
        ),
        _figure("device_p99_ms", day, "<= 100", f"of {made['roll_1m']:,} minutes; reads {read[1]:,} rows"),
        _figure("week_p99_ms", week, "<= 1500", f"of {made['roll_1h']:,} hours; reads {read[2]:,} rows"),
    ]


def _figure(name: str, times_ms: list[float], target: str, what: str) -> Figure:
    middle = f"p50 {percentile(times_ms, 0.5):.0f} ms of {len(times_ms)}"
    return Figure(name, percentile(times_ms, 0.99), "ms", target, f"{what} by EXPLAIN ESTIMATE; {middle}")


def _ask_live(folder: Path, progress: Callable[[str], None]) -> list[float]:
    with collector(folder) as daemon:
        progress(f"{_AGENTS * _DEVICES:,} devices on {_AGENTS:,} streams")
        seconds = _WARM_S + _LIVE_ASKED * _LIVE_EVERY_S + 5
        with running_load(
            daemon.address, "--agents", _AGENTS, "--connections", 200, "--devices", _DEVICES, "--ticks", _FLUSH_S,
            "--flush", _FLUSH_S, "--seconds", seconds,
        ) as load, asker(daemon.address) as ask:  # fmt: skip
            wait_for(lambda: bool(load.said) or not load.is_running, "all streams to be welcomed", 120)
            time.sleep(_WARM_S)
            progress(f"the live fleet, {_LIVE_ASKED} times at most")
            times_ms, end_s = [], time.monotonic() + _LIVE_ASKED * _LIVE_EVERY_S
            while time.monotonic() < end_s:
                due_s = time.monotonic() + _LIVE_EVERY_S
                times_ms.append(ask.timed_ms(_LIVE)[0])
                time.sleep(max(0.0, due_s - time.monotonic()))
            reporting = sum(ask.table(_LIVE)["reporting"].to_pylist())
            load.wait(120)
    assert reporting == _AGENTS * _DEVICES, f"{reporting} devices report"
    return times_ms


def _ask_history(folder: Path, progress: Callable[[str], None]) -> tuple[list[float], list[float]]:
    chance = random.Random(1)
    with collector(folder) as daemon, asker(daemon.address) as ask:
        progress("waiting for the merges")
        wait_until_idle(daemon.pid)
        progress(f"a device's day, {_DAY_ASKED} times")
        day = [ask.timed_ms(_DAY, device=str(chance.randint(1, DAY_DEVICES))) for _ in range(_DAY_ASKED)]
        progress(f"a week by chip, {_WEEK_ASKED} times")
        week = [ask.timed_ms(_WEEK) for _ in range(_WEEK_ASKED)]
    assert min(rows for _, rows in day) >= 1400, f"a day has {min(rows for _, rows in day)} minutes"
    # The hour that a week ago cuts, and the one that runs, aren't whole.
    assert min(rows for _, rows in week) >= 2 * (7 * 24 - 1), (
        f"a week has {min(rows for _, rows in week)} hours by chip"
    )
    return [ms for ms, _ in day], [ms for ms, _ in week]
