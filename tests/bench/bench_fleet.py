"""A fleet of 16,000 agents at once: what the collector costs, whether its queue holds under a slow query, what is seen.

The queue's growth is the slope of the oldest unacknowledged message's age, times the 20 s that the slow query runs: an
acknowledgement goes out every 30 s at this size, so the age itself stands at about half of that.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np

from tests.bench.asking import Asker, asker
from tests.bench.figure import Figure
from tests.bench.machine import cost_of, wait_for
from tests.bench.processes import Load, collector, start_load, start_module

_AGENTS, _CONNECTIONS, _DEVICES, _VALUES = 16_000, 2_000, 8, 30
_FLUSH_S = 5
# A whole minute of the whole fleet is rolled up in the measured one only if it is the second or later.
_WARM_S, _MEASURED_S, _QUERY_S = 80, 60, 20
_OPENING_LIMIT_S = 180.0
_SLOW_QUERY = """
SELECT chip, toStartOfMinute(ts) AS minute, avg(power_w), max(power_w), avg(busy), stddevPop(core_active), count()
FROM steelyard.device_history WHERE level = 'raw' GROUP BY chip, minute ORDER BY chip, minute
"""
_STATE = "SELECT rollup_s, rolled_to, queue_age_s, failures, streams, now64(3) AS now FROM steelyard.collector"


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Opens the streams, lets the fleet settle, measures a minute, and then asks something slow."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder, collector(Path(folder)) as daemon:
        progress(f"{_AGENTS:,} streams over {_CONNECTIONS:,} connections")
        seconds = _WARM_S + _MEASURED_S + _QUERY_S + 5
        load = start_load(
            daemon.address, "--agents", _AGENTS, "--connections", _CONNECTIONS, "--devices", _DEVICES,
            "--ticks", _FLUSH_S, "--values", _VALUES, "--flush", _FLUSH_S, "--seconds", seconds,
        )  # fmt: skip
        reading = threading.Thread(target=load.last, name="load")
        reading.start()
        wait_for(lambda: bool(load.said), "all streams to be welcomed", _OPENING_LIMIT_S)
        with asker(daemon.address) as ask:
            progress(f"{_WARM_S} s to settle")
            time.sleep(2 * _FLUSH_S)
            watched_s = _WARM_S - 2 * _FLUSH_S + _MEASURED_S + _QUERY_S
            watching = start_module("tests.bench.load.watcher", daemon.address, str(watched_s))
            time.sleep(_WARM_S - 2 * _FLUSH_S)
            progress(f"measuring for {_MEASURED_S} s")
            before, state_before, begin_s = cost_of(daemon.pid), _state(ask), time.monotonic()
            time.sleep(_MEASURED_S)
            after, state, lasted_s = cost_of(daemon.pid), _state(ask), time.monotonic() - begin_s
            progress(f"a slow query for {_QUERY_S} s")
            asked, first = _ask_slowly(ask), len(load.said)
            growth_s, lag_s = _growth(load, first - _QUERY_S, first)
        watched = json.loads(watching.communicate()[0] or "{}")
        if watching.returncode:
            raise RuntimeError("the watcher's stream broke")
        reading.join()
    done = load.said[-1]
    offered = _AGENTS * _DEVICES * _VALUES
    rolled = state["rollup_s"] - state_before["rollup_s"]
    lag_of_rollup_s = (state["now"] - state["rolled_to"]).total_seconds() if state["rolled_to"] else None
    return [
        Figure("cores", (after.cpu_s - before.cpu_s) / lasted_s, "cores", "<= 1.3", "the whole collector, rollups too"),
        Figure("rollup_cores", rolled / lasted_s, "cores", "", "of these; time of their statements, one thread each"),
        Figure("queue_growth_s", growth_s, "s", "<= 1", f"over {_QUERY_S} s and {asked} slow queries; age {lag_s:.1f}"),
        Figure(
            "watch_p99_s", watched["p99_s"], "s", f"<= {_FLUSH_S + 3}",
            f"{watched['frames']} frames in {watched_s} s; p50 {watched['p50_s']:.1f}, worst {watched['worst_s']:.1f}",
        ),
        Figure(
            "samples_per_s", done["samples"] / done["seconds"], "1/s", "", f"acknowledged, of {offered:,} offered"
        ),
        Figure("rollup_lag_s", lag_of_rollup_s, "s", "", "age of the newest minute that is rolled up"),
        Figure("rss_mb", after.rss_mb, "MB", "", "the collector"),
    ]  # fmt: skip


def _state(ask: Asker) -> dict[str, object]:
    row: dict[str, object] = ask.table(_STATE).to_pylist()[0]
    if row["failures"]:
        raise RuntimeError(f"the store refused {row['failures']} inserts; see the collector's log")
    return row


def _ask_slowly(ask: Asker) -> int:
    """Asks one query after another, and leaves the last."""
    count, end_s = 0, time.monotonic() + _QUERY_S
    while (left_s := end_s - time.monotonic()) > 0:
        count += 1
        try:
            ask.table(_SLOW_QUERY, timeout_s=left_s)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
    return count


def _growth(load: Load, first: int, end: int) -> tuple[float, float]:
    """How much the age of the oldest unacknowledged message rose, and its mean."""
    ages = np.array([said["lag_s"] for said in load.said[first:end] if "lag_s" in said])
    slope = np.polyfit(np.arange(len(ages)), ages, 1)[0]
    return float(slope) * _QUERY_S, float(ages.mean())
