"""`steelyard compare` over a week of 512 jobs, and the live view of efficiency, at full size.

The minutes and hours of the jobs are made by ClickHouse in the shipped tables; the newest minutes are rolled up by the
collector from the ranks' steps. The kept windows are answered from rows; a window that nobody keeps is computed while
one waits, and stands beside it.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steelyard_tui.client import Client, connect
from tests.bench.asking import Asker, asker, percentile
from tests.bench.figure import Figure
from tests.bench.load.job_history import CHIPS, DEVICES_OF_JOB, JOBS, LIVE
from tests.bench.machine import cost_of, wait_for, wait_until_idle
from tests.bench.processes import collector, program, run_module

_LIVE_ASKED, _COMPARED, _COMPUTED = 200, 50, 5
# Between two askings of a live view, so that the last finds the rows of the first.
_LIVE_EVERY_S = 0.25
_DAY_S, _WEEK_S = 86_400, 7 * 86_400
_HOLDERS = "SELECT job, state, devices, busy, steps FROM jobs"
_KEPT = "SELECT count() AS n FROM shares WHERE window = '7d' AND ratio IS NOT NULL"
# What isn't a rollup and grows with every step or sample.
_RAW = ("step", "process", "event")


@dataclass(slots=True)
class _Asked:
    """How long each answer took in ms, and the collector's CPU over all of them in s."""

    times_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def told(self) -> str:
        """In words."""
        n = len(self.times_ms)
        return f"p50 {percentile(self.times_ms, 0.5):.0f} ms of {n}, {1000 * self.cpu_s / n:.0f} ms of CPU each"


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Makes a week of jobs, then asks as people do."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        progress(f"making a week of minutes of {JOBS} jobs, and of hours of {JOBS * DEVICES_OF_JOB:,} devices")
        dsn = f"chdb://{folder}/store"
        made = run_module("tests.bench.load.job_history", [dsn])
        asked = _ask(Path(folder), progress)
        read = run_module("tests.bench.load.job_history", [dsn, "--read", str(_DAY_S), "--read", str(_WEEK_S)])
        return _figures(asked, made, read)


def _ask(folder: Path, progress: Callable[[str], None]) -> dict[str, _Asked]:
    with collector(folder) as daemon, asker(daemon.address) as ask, connect(daemon.address) as client:
        progress("waiting for the newest minutes to be rolled up, and for the merges")
        # Of each job, node and device; those of chips and vendors are few.
        rows = JOBS * (1 + 1 + DEVICES_OF_JOB)
        wait_for(lambda: ask.table(LIVE).num_rows >= rows, "the live view", 120, every_s=1)
        progress(f"the live view of {rows:,} rows, {_LIVE_ASKED} times")
        live = _timed(daemon.pid, _LIVE_ASKED, lambda: _live_ms(ask, LIVE, rows))
        progress(f"the jobs, {_LIVE_ASKED // 4} times")
        jobs = _timed(daemon.pid, _LIVE_ASKED // 4, lambda: _live_ms(ask, _HOLDERS, JOBS))
        progress("waiting for the shares to be kept")
        wait_until_idle(daemon.pid)
        wait_for(lambda: ask.table(_KEPT)["n"][0].as_py() > 0, "the shares to be kept", 300, every_s=1)
        command = [program("steelyard"), "compare", "--since", "7d", "--collector", daemon.address]
        progress(f"steelyard compare, {_COMPARED} times")
        compared = _timed(daemon.pid, _COMPARED, lambda: _command_ms(command))
        progress(f"windows that aren't kept, {_COMPUTED} times each")
        # The hour that is cut off counts as read: by minutes a day costs more than a week by hours.
        day, week = (
            _timed(daemon.pid, _COMPUTED, lambda of=seconds: _computed_ms(client, of - 3600))  # type: ignore[misc]
            for seconds in (_DAY_S, _WEEK_S)
        )
        progress("a minute of nobody asking")
        kept = _timed(daemon.pid, 1, lambda: time.sleep(60) or 0.0)
        _check(client)
    return {"live": live, "jobs": jobs, "compared": compared, "day": day, "week": week, "kept": kept}


def _figures(
    asked: Mapping[str, _Asked], made: Mapping[str, int], read: Mapping[str, Mapping[str, int]]
) -> list[Figure]:
    live, jobs, compared, day, week = (asked[name] for name in ("live", "jobs", "compared", "day", "week"))
    raw = sum(n for tables in read.values() for table, n in tables.items() if table in _RAW or table.startswith("raw_"))
    of_day, of_week = (sum(read[str(seconds)].values()) for seconds in (_DAY_S, _WEEK_S))
    return [
        Figure("live_p99_ms", percentile(live.times_ms, 0.99), "ms", "<= 250",
               f"{LIVE}: {made['device']:,} devices, reads {sum(read['live'].values()):,} rows by EXPLAIN ESTIMATE; "
               f"{live.told()}"),
        Figure("jobs_p99_ms", percentile(jobs.times_ms, 0.99), "ms", "", f"{_HOLDERS}; {jobs.told()}"),
        Figure("compare_p99_ms", percentile(compared.times_ms, 0.99), "ms", "<= 1000",
               f"`steelyard compare --since 7d`, a process each; {compared.told()} in the collector"),
        Figure("computed_day_p50_ms", percentile(day.times_ms, 0.5), "ms", "",
               f"23 h, every pair of chips; reads {of_day:,} rows (a day) of {made['job_minute']:,} minutes; "
               f"{day.told()}"),
        Figure("computed_week_p50_ms", percentile(week.times_ms, 0.5), "ms", "",
               f"167 h; reads {of_week:,} rows of {made['job_hour']:,} hours; {week.told()}"),
        Figure("raw_rows_read", raw, "rows", "<= 0",
               f"by all of these, of {made['step']:,} rows of steps; nor is any of the devices' {made['roll_1h']:,} "
               "hours"),
        Figure("keeping_cpu_s", asked["kept"].cpu_s, "s/minute", "", "the collector's CPU while nobody asks"),
    ]  # fmt: skip


def _timed(pid: int, times: int, ask_ms: Callable[[], float]) -> _Asked:
    before_s = cost_of(pid).cpu_s
    asked = _Asked([ask_ms() for _ in range(times)])
    asked.cpu_s = cost_of(pid).cpu_s - before_s
    return asked


def _live_ms(ask: Asker, query: str, least: int) -> float:
    due_s = time.monotonic() + _LIVE_EVERY_S
    took_ms, rows = ask.timed_ms(query)
    assert rows >= least, f"{query}: {rows} rows"
    time.sleep(max(0.0, due_s - time.monotonic()))
    return took_ms


def _command_ms(command: list[str]) -> float:
    begin_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begin_s)


def _computed_ms(client: Client, seconds: int) -> float:
    begin_s = time.perf_counter()
    rows = client.compare(seconds).table.num_rows
    assert rows, f"no shares over {seconds} s"
    return 1000 * (time.perf_counter() - begin_s)


def _check(client: Client) -> None:
    """All jobs are in the comparison: those on the reference are compared with those on each other chip."""
    rows = client.compare(_WEEK_S, quantity="tokens_per_s_device", mode="matched").table.to_pylist()
    shown = [row for row in rows if row["is_shown"] and row["reference"] == "H100" and row["unit"] == "device"]
    jobs = sum(row["n_a"] for row in shown)
    assert jobs >= JOBS * (len(CHIPS) - 1) // len(CHIPS), f"{jobs} jobs are compared with those on the reference"
