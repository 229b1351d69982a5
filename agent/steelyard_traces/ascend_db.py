"""Databases of Ascend: `ascend_pytorch_profiler_*.db` and `msprof_*.db`, of any version that names its columns so."""

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from steelyard_traces.ascend_calls import HostCalls, data_waits, torch_calls
from steelyard_traces.ascend_database import opened
from steelyard_traces.ascend_folder import NoKernels
from steelyard_traces.ascend_text import rank_of
from steelyard_traces.ascend_work import AscendRecording, Task

_NO_SHAPES: Final = ("", "", "")
_Rows = Sequence[tuple[Any, ...]]
_Shapes = dict[int, tuple[str, str, str]]


def read_ascend_db(path: Path) -> AscendRecording:
    """Reads a database, which stays as it is; tables and columns that other tools have added don't matter.

    Raises:
        TraceError: it is damaged, lacks a table or a column, or holds no kernel.
    """
    with opened(path) as (database, tables):
        return _recording(path, database, tables)


def _recording(path: Path, database: sqlite3.Connection, tables: set[str]) -> AscendRecording:
    if "COMPUTE_TASK_INFO" not in tables and "COMMUNICATION_OP" not in tables:
        raise NoKernels(
            "no table COMPUTE_TASK_INFO in it; name a recording: ascend_pytorch_profiler_*.db or msprof_*.db",
            path=str(path),
        )

    def ask(query: str, table: str) -> _Rows:
        text = files("steelyard_traces").joinpath("queries", f"{query}.sql").read_text(encoding="utf-8")
        return database.execute(text).fetchall() if table in tables else []

    kernels = ask("kernels", "COMPUTE_TASK_INFO")
    device = next((int(row[5]) for row in kernels if row[5] is not None), 0)
    rows = [*kernels, *ask("collectives", "COMMUNICATION_OP")]
    steps = ask("steps", "STEP_TIME")
    shapes = {row[0]: row[1:] for row in _shapes(database, ask)}
    good = [row for row in rows if isinstance(row[3], int) and isinstance(row[4], int) and row[3] <= row[4]]
    if not good:
        raise NoKernels("no kernel in its tables: none ran while it was recorded; record again", path=str(path))
    launches: dict[int, int] = dict(ask("launches", "CANN_API"))
    skipped = len(rows) - len(good)
    calls: HostCalls = ask("calls", "PYTORCH_API")
    ranks = ask("rank", "RANK_DEVICE_MAP")
    return AscendRecording(
        path=str(path),
        tasks=tuple(_task(row, device, launches, steps, shapes) for row in good),
        chip=next((str(name) for (name,) in ask("chip", "NPU_INFO")), ""),
        rank=str(ranks[0][0]) if ranks else rank_of(path.parent),
        calls=torch_calls(calls),
        waits=data_waits(calls) if "PYTORCH_API" in tables else None,
        walls_ns={str(step): end_ns - start_ns for step, start_ns, end_ns in steps},
        notes=(f"{skipped:,} rows without a usable time were left out",) if skipped else (),
    )


def _shapes(database: sqlite3.Connection, ask: Callable[[str, str], _Rows]) -> _Rows:
    """Not every version and level has the columns."""
    columns = {name for _, name, *_ in database.execute("PRAGMA table_info(COMPUTE_TASK_INFO)")}
    return ask("shapes", "COMPUTE_TASK_INFO") if columns >= {"inputShapes", "inputDataTypes", "outputShapes"} else []


def _task(row: tuple[Any, ...], device: int, launches: dict[int, int], steps: _Rows, shapes: _Shapes) -> Task:
    """A row as a task; its step is the one in which the host asked for it, as far as that is known."""
    name, kind, core, start_ns, end_ns, of_device, connection, *task = row
    index = bisect_right(steps, launches.get(connection, start_ns), key=lambda step: step[1]) - 1
    step = str(steps[index][0]) if index >= 0 else ""
    on = device if of_device is None else int(of_device)
    inputs = shapes.get(task[0], _NO_SHAPES) if task else _NO_SHAPES
    length_ns = end_ns - start_ns
    return Task(str(name or ""), str(kind or ""), str(core or ""), start_ns, length_ns, step, on, inputs=inputs)
