"""A fleet of 16,000 agents at once: what the collector costs, whether its queue holds under a slow query, what is seen.

The queue's age is that of the oldest message that an acknowledgement leaves out: it wasn't committed when the
acknowledgement went, though it had been sent. Each agent is acknowledged every 20 s at this size, at a time of its own.

It ends in bounded time also where the machine is too small; `samples_per_s` then misses its target, and the figures
are those of what the collector was given.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from tests.bench.asking import Asker, asker
from tests.bench.figure import Figure
from tests.bench.machine import Cost, busy_s, cost_of, wait_for
from tests.bench.processes import Load, collector, running_load, start_module

_FLUSH_S = 5
_OPENING_LIMIT_S, _STATE_LIMIT_S, _DRAIN_S = 180.0, 30.0, 60.0
_SLOW_QUERY = """
SELECT chip, toStartOfMinute(ts) AS minute, avg(power_w), max(power_w), avg(busy), stddevPop(core_active), count()
FROM steelyard.device_history WHERE level = 'raw' GROUP BY chip, minute ORDER BY chip, minute
"""
_STATE = "SELECT samples, rollup_s, rolled_to, failures, recorded, now64(3) AS now FROM steelyard.collector"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The size of a run; a whole minute of the fleet is rolled up in the measured one if it is the second or later."""

    agents: int = 16_000
    connections: int = 2_000
    devices: int = 8
    values: int = 30
    warm_s: int = 80
    measured_s: int = 60
    query_s: int = 20

    @property
    def offered(self) -> int:
        """Samples a second."""
        return self.agents * self.devices * self.values


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where a run stands; `state` is None where the collector didn't say it in time."""

    collector: Cost
    load: Cost
    busy_s: float
    monotonic_s: float
    acked: float
    state: dict[str, Any] | None


def run(progress: Callable[[str], None], fleet: Fleet = Fleet()) -> list[Figure]:
    """Opens the streams, lets the fleet settle, measures a minute, and then asks something slow."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder, collector(Path(folder)) as daemon:
        progress(f"{fleet.agents:,} streams over {fleet.connections:,} connections")
        seconds = fleet.warm_s + fleet.measured_s + fleet.query_s
        with running_load(
            daemon.address, "--agents", fleet.agents, "--connections", fleet.connections, "--devices", fleet.devices,
            "--ticks", _FLUSH_S, "--values", fleet.values, "--flush", _FLUSH_S, "--seconds", seconds + 5,
            "--drain", _DRAIN_S,
        ) as load:  # fmt: skip
            begin_s = time.monotonic()
            wait_for(lambda: bool(load.said) or not load.is_running, "all streams to be welcomed", _OPENING_LIMIT_S)
            progress(f"open after {time.monotonic() - begin_s:.0f} s; {fleet.warm_s} s to settle")
            with asker(daemon.address) as ask, _watching(daemon.address, seconds - 2 * _FLUSH_S) as watching:
                time.sleep(fleet.warm_s)
                progress(f"measuring for {fleet.measured_s} s")
                before = _moment(daemon.pid, load, ask)
                time.sleep(fleet.measured_s)
                after = _moment(daemon.pid, load, ask)
                progress(f"a slow query for {fleet.query_s} s")
                asked, growth_s, age_s = _queue(load, ask, fleet.query_s)
                watched = _seen(watching)
            progress("waiting for the last acknowledgements")
            load.wait(_DRAIN_S + 30.0)
    return _figures(fleet, before, after, watched, (asked, growth_s, age_s))


def _moment(pid: int, load: Load, ask: Asker) -> _Moment:
    acked = next((said["acked"] for said in reversed(load.said) if "acked" in said), 0)
    at = cost_of(pid), cost_of(load.process.pid), busy_s(), time.monotonic(), acked
    try:
        state: dict[str, Any] = ask.table(_STATE, _STATE_LIMIT_S).to_pylist()[0]
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            raise
        return _Moment(*at, None)
    if state["failures"]:
        raise RuntimeError(f"the store refused {state['failures']} inserts; see the collector's log")
    return _Moment(*at, state)


@contextmanager
def _watching(address: str, seconds: int) -> "Iterator[subprocess.Popen[str]]":
    with start_module("tests.bench.load.watcher", address, str(seconds), str(2 * _FLUSH_S)) as process:
        try:
            yield process
        finally:
            process.kill()


def _seen(watching: "subprocess.Popen[str]") -> dict[str, Any]:
    said = watching.communicate(timeout=60.0)[0]
    if watching.returncode:
        raise RuntimeError("the watcher's stream broke")
    seen: dict[str, Any] = json.loads(said)
    return seen


def _queue(load: Load, ask: Asker, seconds: int) -> tuple[int, float, float]:
    """Asks slow queries, one after another; how many, how much the queue's age rose meanwhile, and its mean."""
    begin_s = time.monotonic()
    end_s, asked = begin_s + seconds, 0
    while (left_s := end_s - time.monotonic()) > 0:
        asked += 1
        try:
            ask.table(_SLOW_QUERY, timeout_s=left_s)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
    said = [said for said in load.said if "left_s" in said and begin_s <= said["t"] <= end_s]
    if len(said) < seconds / 2:
        # Nothing is acknowledged: the queue is as much older as time has passed.
        return asked, float(seconds), float(seconds)
    ages = np.array([one["left_s"] for one in said])
    slope = np.polyfit([one["t"] for one in said], ages, 1)[0]
    return asked, float(slope) * seconds, float(ages.mean())


def _figures(
    fleet: Fleet, before: _Moment, after: _Moment, watched: dict[str, Any], queue: tuple[int, float, float]
) -> list[Figure]:
    asked, growth_s, age_s = queue
    lasted_s = after.monotonic_s - before.monotonic_s
    cores = (after.collector.cpu_s - before.collector.cpu_s) / lasted_s
    load_cores = (after.load.cpu_s - before.load.cpu_s) / lasted_s
    busy, of = (after.busy_s - before.busy_s) / lasted_s, len(os.sched_getaffinity(0))
    machine = f"load {load_cores:.2f}, all of the machine {busy:.2f} of {of}"
    samples_per_s, rolled, rollup_lag_s, how = _said_by_the_collector(before, after)
    return [
        Figure("cores", cores, "cores", "<= 1.3", f"the whole collector, rollups too; {machine}"),
        Figure("rollup_cores", rolled, "cores", "", "of these; time of their statements, on one thread"),
        Figure(
            "queue_growth_s", growth_s, "s", "<= 1",
            f"over {fleet.query_s} s and {asked} slow queries; its age {age_s:.1f} s",
        ),
        Figure(
            "watch_p99_s", watched["p99_s"] if watched["frames"] else watched["seconds"], "s", f"<= {_FLUSH_S + 3}",
            f"{watched['frames']} frames of {watched['devices']:,} devices in {watched['seconds']:.0f} s; "
            f"p50 {watched['p50_s']:.1f}, worst {watched['worst_s']:.1f}",
        ),
        Figure(
            "samples_per_s", samples_per_s, "1/s", f">= {0.97 * fleet.offered:.0f}",
            f"{how}, of {fleet.offered:,} offered; less: this machine is too small for them",
        ),
        Figure("rollup_lag_s", rollup_lag_s, "s", "", "age of the newest minute that is rolled up"),
        Figure("rss_mb", after.collector.rss_mb, "MB", "", "the collector"),
    ]  # fmt: skip


def _said_by_the_collector(before: _Moment, after: _Moment) -> tuple[float, float | None, float | None, str]:
    """Samples a second, the rollups' time a second, the age of what is rolled up, and how the first is known."""
    if before.state is None or after.state is None:
        lasted_s = after.monotonic_s - before.monotonic_s
        how = f"acknowledged (the collector answers no query within {_STATE_LIMIT_S:.0f} s)"
        return (after.acked - before.acked) / lasted_s, None, None, how
    recorded: tuple[datetime, datetime] = before.state["recorded"], after.state["recorded"]
    seconds = max(1.0, (recorded[1] - recorded[0]).total_seconds())
    samples, rolled_s = (after.state[name] - before.state[name] for name in ("samples", "rollup_s"))
    return samples / seconds, rolled_s / seconds, _rollup_lag_s(after.state), "committed"


def _rollup_lag_s(state: dict[str, Any]) -> float | None:
    return (state["now"] - state["rolled_to"]).total_seconds() if state["rolled_to"] else None
