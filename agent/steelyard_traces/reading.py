"""Reads any recording that is known here, by what is in it and not by its name."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_database import is_database
from steelyard_traces.ascend_db import read_ascend_db
from steelyard_traces.ascend_folder import AscendExport, NoKernels, find_export
from steelyard_traces.ascend_rates import rates_profile, read_rates
from steelyard_traces.ascend_summaries import refuse_summary, summary_notes
from steelyard_traces.ascend_text import read_ascend_text
from steelyard_traces.ascend_trace import read_ascend_trace
from steelyard_traces.ascend_work import ascend_profile, ascend_stacks
from steelyard_traces.kineto import read_kineto
from steelyard_traces.kineto_profile import kineto_profile
from steelyard_traces.npu_monitor import is_npu_monitor, monitored_files, read_npu_monitor
from steelyard_traces.profile import Profile, Stack
from steelyard_traces.py_spy import is_py_spy, read_py_spy
from steelyard_traces.stacks import kineto_stacks
from steelyard_traces.trace_file import open_trace

_HEAD_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, read; `stacks` are made when they are asked for."""

    profile: Profile
    stacks: Callable[[], tuple[Stack, ...]]


def read_recording(path: Path, sampled_hz: float | None = None) -> Recording:
    """Reads a trace file, or a folder that a profiler of Ascend has left.

    Args:
        path: the file or the folder.
        sampled_hz: how often py-spy looked, for its stacks, which don't tell.

    Raises:
        TraceError: it isn't there, or is none that can be read; says which, where and what to do.
    """
    if not path.exists():
        raise TraceError("is not there; name a trace of torch.profiler or a folder of Ascend", path=str(path))
    try:
        return _recording(path, sampled_hz)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A database can hold any value in any column, and a document may nest without end.
        text = f"holds a value that no profiler writes ({type(error).__name__}: {error}); record it again"
        raise TraceError(text, path=str(path)) from error


def _recording(path: Path, sampled_hz: float | None) -> Recording:
    refuse_summary(path)
    monitored = monitored_files(path) if path.is_dir() else ()
    if monitored:
        lines = read_npu_monitor(path, monitored)
        return Recording(ascend_profile(lines), lambda: ascend_stacks(lines))
    if path.is_dir() or path.suffix == ".csv" or is_database(path):
        return _ascend(path)
    head = _head(path)
    if is_py_spy(head):
        profile, stacks = read_py_spy(path, sampled_hz)
        return Recording(profile, lambda: stacks)
    timeline = None
    if head.startswith(b"["):
        timeline = read_ascend_trace(path)
    elif is_npu_monitor(head):
        timeline = read_npu_monitor(path)
    if timeline:
        return Recording(ascend_profile(timeline), lambda: ascend_stacks(timeline))
    trace = read_kineto(path)
    return Recording(kineto_profile(trace), lambda: kineto_stacks(trace))


def _head(path: Path) -> bytes:
    """How a file begins: a list of events as Ascend's tools write it, an object that holds one, or a line."""
    with open_trace(path) as text:
        return text.read(_HEAD_BYTES).lstrip()


def _ascend(path: Path) -> Recording:
    try:
        return _ascend_work(path)
    except NoKernels:
        # msprof may have sampled the device without any.
        rates = read_rates(path)
        if not rates:
            raise
    profile = rates_profile(path, rates)
    return Recording(profile, lambda: ())


def _ascend_work(path: Path) -> Recording:
    export = AscendExport(path.parent, (path,)) if path.is_file() else find_export(path)
    first = export.tables[0]
    recording = read_ascend_db(first) if is_database(first) else read_ascend_text(export.tables, export.folder)
    profile = ascend_profile(recording)
    if not is_database(first):
        told = summary_notes(export.folder, profile.types, profile.split.communication_ns if profile.split else 0)
        profile = replace(profile, notes=(*profile.notes, *told))
    profile = replace(profile, rates=read_rates(first if is_database(first) else export.folder))
    return Recording(profile, lambda: ascend_stacks(recording))
