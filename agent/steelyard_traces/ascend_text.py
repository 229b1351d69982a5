"""Text exports of Ascend: `ASCEND_PROFILER_OUTPUT` of torch_npu; `op_summary_*.csv` and `task_time_*.csv` of msprof."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_work import AscendRecording, Task, class_of_torch, layer_of
from steelyard_traces.classify import Classifier, load_classifier
from steelyard_traces.csv_table import read_csv
from steelyard_traces.decimal_time import WholeNanoseconds, nanoseconds
from steelyard_traces.profile import Calls, Work

KERNELS: Final = "kernel_details.csv"
_NEEDED: Final = {
    "name": ("Name", "Op Name", "kernel_name"),
    "start": ("Start Time(us)", "Task Start Time(us)", "task_start(us)"),
    "duration": ("Duration(us)", "Task Duration(us)", "task_time(us)"),
}
_OPTIONAL: Final = {
    "type": ("Type", "OP Type"),
    "core": ("Accelerator Core", "Task Type", "kernel_type"),
    "task": ("kernel_type",),
    "step": ("Step Id",),
    "device": ("Device_id",),
    "inputs": ("Input Shapes",),
    "types": ("Input Data Types",),
    "outputs": ("Output Shapes",),
}
_CALLS: Final = {
    "name": ("Name",),
    "self": ("Host Self Duration(us)",),
    "total": ("Host Total Duration(us)",),
    "device": ("Device Self Duration(us)",),
}
_STEPS: Final = {
    "computing": ("Computing",),
    "overlapped": ("Overlapped",),
    "communication": ("Communication",),
}
_Sums = dict[str, list[int]]


def read_ascend_text(tables: Sequence[Path], folder: Path) -> AscendRecording:
    """Reads an export.

    Args:
        tables: its tables of kernels, one for each device or slice.
        folder: where they lie, with the other tables of the export.

    Raises:
        TraceError: a table can't be read, or no kernel is in any.
    """
    skipped = [0]
    tasks = tuple(task for table in tables for task in _tasks(table, skipped))
    if not tasks and skipped[0]:
        reason = f"none of its tables' {skipped[0]:,} rows has a usable time; record again"
        raise TraceError(reason, path=str(folder))
    if not tasks:
        raise TraceError("no kernel in its tables: none ran while it was recorded; record again", path=str(folder))
    calls, launchers = _host(folder / "operator_details.csv", load_classifier())
    notes = [f"{skipped[0]:,} rows without a usable time were left out"] if skipped[0] else []
    if all(table.name.startswith("task_time") for table in tables):
        notes.append("a table of tasks tells no collectives and no types; op_summary_*.csv has them")
    return AscendRecording(
        path=str(folder),
        tasks=tasks,
        rank=rank_of(folder),
        calls=calls,
        launchers=launchers,
        vendor_ns=vendor_sums_ns(folder),
        notes=tuple(notes),
    )


def rank_of(folder: Path) -> str:
    """The rank, from `profiler_info_N.json` beside the folder; empty where it isn't told."""
    for path in sorted(folder.parent.glob("profiler_info*.json")):
        try:
            told = json.loads(path.read_text(encoding="utf-8")).get("rank_id")
        except (OSError, ValueError, AttributeError):
            told = None
        if told not in (None, "", -1, "-1"):
            return str(told)
    return ""


def vendor_sums_ns(folder: Path) -> dict[str, int] | None:
    """What `step_trace_time.csv` says: computing, overlapped and communication over all steps; None without it."""
    path = folder / "step_trace_time.csv"
    if not path.is_file():
        return None
    sums = dict.fromkeys(_STEPS, 0)
    for row in read_csv(path, _STEPS, {}):
        for name in _STEPS:
            sums[name] += nanoseconds(row[name]) or 0
    return sums


def _tasks(table: Path, skipped: list[int]) -> Iterator[Task]:
    for row in read_csv(table, _NEEDED, _OPTIONAL):
        start_ns, duration_ns = nanoseconds(row["start"]), nanoseconds(row["duration"])
        if start_ns is None or duration_ns is None or duration_ns < 0:
            skipped[0] += 1
            continue
        # A table of all tasks has waits and the small tasks of collectives in it, which are no kernels.
        if row["task"] and layer_of(row["core"], row["name"]) is None:
            continue
        device = int(row["device"]) if row["device"].isdecimal() else 0
        inputs = (row["inputs"], row["types"], row["outputs"])
        yield Task(row["name"], row["type"], row["core"], start_ns, duration_ns, row["step"], device, inputs=inputs)


def _host(path: Path, classifier: Classifier) -> tuple[tuple[Calls, ...], tuple[Work, ...]]:
    """Calls of torch operators, and the device work of each; nothing where the export has no such table."""
    if not path.is_file():
        return (), ()
    calls: _Sums = {}
    works: _Sums = {}
    rounding = [WholeNanoseconds() for _ in range(3)]
    for row in read_csv(path, _CALLS, {}):
        texts = (row["self"], row["total"], row["device"])
        self_ns, total_ns, device_ns = (one.take(text) for one, text in zip(rounding, texts, strict=True))
        if self_ns is None or total_ns is None:
            continue
        _add(calls, row["name"], total_ns, self_ns)
        if device_ns:
            _add(works, row["name"], device_ns, 0)
    rows = [
        Calls(name, class_of_torch(name, classifier), "cpu_op", count, total, own, least, most)
        for name, (count, total, own, least, most) in calls.items()
    ]
    launchers = [
        Work(name, class_of_torch(name, classifier), "", count, total, least, most)
        for name, (count, total, _, least, most) in works.items()
    ]
    return (
        tuple(sorted(rows, key=lambda call: (-call.self_ns, call.name))),
        tuple(sorted(launchers, key=lambda work: (-work.total_ns, work.name))),
    )


def _add(sums: _Sums, name: str, length_ns: int, self_ns: int) -> None:
    row = sums.setdefault(name, [0, 0, 0, length_ns, length_ns])
    row[0] += 1
    row[1] += length_ns
    row[2] += self_ns
    row[3] = min(row[3], length_ns)
    row[4] = max(row[4], length_ns)
