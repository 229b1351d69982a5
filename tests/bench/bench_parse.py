"""What reading a large trace costs beside json.load: CPU and memory, both in fresh processes; and a small one."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure
from tests.bench.load.kineto import TraceSize, write_trace

_BIG, _HUGE, _SMALL = 250 << 20, 1 << 30, 1 << 20
_RUNS = 3
_LEAST_EVENTS, _LEAST_NAMES = 900_000, 300
_OPS = (sys.executable, "-m", "tests.bench.load.ops_child")
_JSON_LOAD = "import json, sys\nwith open(sys.argv[1], encoding='utf-8') as file:\n    json.load(file)\n"
_HTA = "import sys\nfrom hta.trace_analysis import TraceAnalysis\nTraceAnalysis(trace_dir=sys.argv[1])\n"


@dataclass(frozen=True, slots=True)
class _Cost:
    cpu_s: float
    rss_mb: float


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Writes the traces, reads them and compares the totals with those of plain code."""
    with tempfile.TemporaryDirectory(prefix="steelyard-parse-") as name:
        folder = Path(name)
        figures = _big(folder, progress)
        progress("a trace of 1 GB")
        huge = folder / "huge.json"
        size = write_trace(huge, _HUGE)
        cost = _measured((*_OPS, str(huge)), folder / "huge.out")
        huge.unlink()
        figures.append(Figure("peak_rss_1gb_mb", cost.rss_mb, "MB", "<= 500", f"{size.events:,} events"))
        small = folder / "small.json"
        size = write_trace(small, _SMALL)
        best = min(_measured((*_OPS, str(small)), folder / "small.out").cpu_s for _ in range(_RUNS))
        figures.append(Figure("small_ms", 1000 * best, "ms", "", f"CPU from start to end, {size.events:,} events"))
    return figures


def _big(folder: Path, progress: Callable[[str], None]) -> list[Figure]:
    path = folder / "big.json"
    progress("a trace of 250 MB")
    size = write_trace(path, _BIG)
    if size.events < _LEAST_EVENTS or size.names < _LEAST_NAMES:
        raise RuntimeError(f"{size} has too few events or names for this bench")
    ours, theirs = [], []
    for turn in range(_RUNS):
        progress(f"turn {turn + 1} of {_RUNS}: ours, then json.load")
        ours.append(_measured((*_OPS, str(path)), folder / "ours.json"))
        theirs.append(_measured((sys.executable, "-c", _JSON_LOAD, str(path)), folder / "load.out"))
    progress("totals by plain code over json.load")
    _measured((sys.executable, "-m", "tests.bench.load.plain_totals", str(path)), folder / "plain.json")
    differing = _differing(_read(folder / "ours.json"), _read(folder / "plain.json"))
    mine, load = min(cost.cpu_s for cost in ours), min(cost.cpu_s for cost in theirs)
    note = f"{mine:.2f} s and {load:.2f} s CPU, {size.size_bytes / 1e6:.0f} MB, {size.events:,} events"
    figures = [
        Figure("speed_ratio_to_json_load", load / mine, "", ">= 2.5", note),
        Figure("peak_rss_mb", max(cost.rss_mb for cost in ours), "MB", "<= 200", _json_memory(theirs)),
        Figure("differing_totals", differing, "", "<= 0", "self time of each name, kernels, split"),
        _hta(path, folder, size, progress),
    ]
    path.unlink()
    return figures


def _json_memory(theirs: Sequence[_Cost]) -> str:
    return f"json.load {max(cost.rss_mb for cost in theirs):.0f} MB"


def _hta(path: Path, folder: Path, size: TraceSize, progress: Callable[[str], None]) -> Figure:
    """HolisticTraceAnalysis on the same trace, where it is installed."""
    if importlib.util.find_spec("hta") is None:
        return Figure("hta_cpu_s", None, "s", "", "HolisticTraceAnalysis is not installed")
    progress("HolisticTraceAnalysis")
    alone = folder / "hta"
    alone.mkdir()
    (alone / "rank3.json").hardlink_to(path)
    cost = _measured((sys.executable, "-c", _HTA, str(alone)), folder / "hta.out")
    return Figure("hta_cpu_s", cost.cpu_s, "s", "", f"{cost.rss_mb:.0f} MB, {size.events:,} events")


def _measured(command: Sequence[str], out: Path) -> _Cost:
    """Runs a program to its end; its own CPU time and peak memory as the kernel counts them."""
    with out.open("wb") as file, subprocess.Popen(command, stdout=file) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: exit code {process.returncode}")
    return _Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _differing(ours: dict[str, Any], plain: dict[str, Any]) -> int:
    """How many totals differ: the split, kernels by name, and each name's self time."""
    mine_self: dict[str, int] = {}
    for row in ours["calls"]:
        mine_self[row["name"]] = mine_self.get(row["name"], 0) + row["self_ns"]
    mine_types = {row["name"]: row["total_ns"] for row in ours["by_type"]}
    theirs_self, theirs_types = plain.pop("self"), plain.pop("by_type")
    count = sum(mine_self.get(name) != ns for name, ns in theirs_self.items()) + (len(mine_self) != len(theirs_self))
    count += sum(mine_types.get(name) != ns for name, ns in theirs_types.items())
    return count + sum(ours["totals"][name] != value for name, value in plain.items())
