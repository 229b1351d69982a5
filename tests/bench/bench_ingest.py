"""Sustained ingest over real gRPC into the shipped store, and the collector's CPU beside a bare insert of the rows."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.machine import cost_of, wait_until_idle
from tests.bench.processes import collector, run_module, running_load

_SECONDS = 30
_STREAMS = 100
_VALUES = 30
_DEVICES, _TICKS = 8, 10
_DAY_MS = 86_400_000


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Saturates a collector, waits for its merges, then inserts as many rows without it."""
    # Saturated streams run ahead of the clock; yesterday has room for all of it within one day.
    start_ms = int(time.time() * 1000) // _DAY_MS * _DAY_MS - _DAY_MS
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        progress(f"{_STREAMS} streams for {_SECONDS} s")
        with collector(Path(folder), "--rollup-period", "0") as daemon:
            before = cost_of(daemon.pid)
            with running_load(
                daemon.address, "--agents", _STREAMS, "--seconds", _SECONDS, "--devices", _DEVICES,
                "--ticks", _TICKS, "--values", _VALUES, "--start-ms", start_ms,
            ) as load:  # fmt: skip
                done = load.wait(_SECONDS + 180.0)
            progress("waiting for the merges")
            wait_until_idle(daemon.pid)
            cost = cost_of(daemon.pid)
        samples, rows = int(done["samples"]), int(done["samples"]) // _VALUES
        cpu_s = cost.cpu_s - before.cpu_s
        progress(f"checking what was stored of {rows:,} rows, and rolling up some")
        stored = run_module("tests.bench.load.stored", [f"chdb://{folder}/store"])
        assert stored["rows"] == rows, f"acknowledged {rows} rows, stored {stored['rows']}"
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        progress("a bare insert of the same rows")
        flags = [f"chdb://{folder}/store", str(rows), str(stored["block_rows"]), str(start_ms)]
        bare = run_module("tests.bench.load.bare_insert", flags)
    ours_ns, bare_ns = 1e9 * cpu_s / samples, 1e9 * bare["cpu_s"] / samples
    peer = f"{ours_ns:.0f} ns of CPU a sample against {bare_ns:.0f} of insert_arrow, merges awaited in both"
    return [
        Figure(
            "samples_per_s", samples / done["seconds"], "1/s", ">= 12e6", f"{_SECONDS} s, acknowledged after commit"
        ),
        Figure("cpu_ratio_to_bare_insert", ours_ns / bare_ns, "", "<= 2.5", peer),
        Figure("rollup_us_per_row", stored["rollup_us_per_row"], "us", "", "CPU of all levels, by raw row"),
        Figure("block_rows", stored["block_rows"], "rows", "", "mean rows a block; the bare insert has the same"),
        Figure("rss_mb", cost.rss_mb, "MB", "", "the collector at the end"),
    ]
