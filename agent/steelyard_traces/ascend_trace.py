"""Timelines of Ascend: `trace_view.json` of torch_npu, and `msprof_*.json`; lists of events in Chrome's JSON."""

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_calls import data_waits, torch_calls
from steelyard_traces.ascend_text import rank_of
from steelyard_traces.ascend_work import AscendRecording, Task, layer_of
from steelyard_traces.decimal_time import nanoseconds
from steelyard_traces.json_events import EventReader
from steelyard_traces.nesting import NO_PARENT, nest
from steelyard_traces.trace_file import open_trace

_HARDWARE: Final = "Ascend Hardware"
_COLLECTIVES: Final = ("HCCL", "Communication")
_OVERLAP: Final = "Overlap Analysis"
_OURS: Final = (_HARDWARE, *_COLLECTIVES, "CANN", _OVERLAP)
_STEP: Final = "ProfilerStep#"
_FLOW: Final = "async_npu"
_HOST: Final = ("cpu_op", "python_function")
_NOTHING: Final = msgspec.Raw(b"")

_Place = tuple[str, str, int]
"""A pid, a tid and a moment: what joins the two ends of a flow to their events."""


class _Told(msgspec.Struct, gc=False):
    name: Any = None
    task_type: Any = msgspec.field(default=None, name="Task Type")


class _Event(msgspec.Struct, gc=False):
    ph: str = ""
    cat: str | None = None
    name: str | int | float | None = None
    pid: str | int | float | None = None
    tid: str | int | float | None = None
    id: str | int | float | None = None
    ts: msgspec.Raw = _NOTHING
    dur: msgspec.Raw = _NOTHING
    args: _Told | None = None


@dataclass(slots=True)
class _Span:
    """An event with a length that may be work, a call or a part of the vendor's own sums."""

    pid: str
    tid: str
    name: str
    core: str
    start_ns: int
    duration_ns: int


@dataclass(slots=True)
class _Timeline:
    """What is kept of the events."""

    processes: dict[str, str] = field(default_factory=dict)
    threads: dict[tuple[str, str], str] = field(default_factory=dict)
    device: list[_Span] = field(default_factory=list)
    calls: list[_Span] = field(default_factory=list)
    python: list[_Span] = field(default_factory=list)
    begins: dict[str, _Place] = field(default_factory=dict)
    ends: dict[_Place, str] = field(default_factory=dict)
    skipped: int = 0

    def add(self, event: _Event) -> None:
        """Takes an event."""
        pid, tid, name = _text(event.pid), _text(event.tid), _text(event.name)
        if event.ph == "M":
            told = _text(event.args.name) if event.args else ""
            if name == "process_name":
                self.processes[pid] = told
            elif name == "thread_name":
                self.threads[pid, tid] = told
        elif event.ph == "X":
            self._add_span(event, pid, tid, name)
        elif event.ph in ("s", "f") and event.cat == _FLOW:
            at_ns = nanoseconds(bytes(event.ts))
            if at_ns is not None and event.ph == "s":
                self.begins[_text(event.id)] = (pid, tid, at_ns)
            elif at_ns is not None:
                self.ends[pid, tid, at_ns] = _text(event.id)

    def _add_span(self, event: _Event, pid: str, tid: str, name: str) -> None:
        start_ns, duration_ns = nanoseconds(bytes(event.ts)), nanoseconds(bytes(event.dur))
        if start_ns is None or duration_ns is None or duration_ns < 0:
            self.skipped += 1
            return
        core = _text(event.args.task_type) if event.args else ""
        span = _Span(pid, tid, name, core, start_ns, duration_ns)
        if event.cat is None:
            self.device.append(span)
        elif event.cat in _HOST:
            (self.calls if event.cat == "cpu_op" else self.python).append(span)


def read_ascend_trace(path: Path) -> AscendRecording | None:
    """Reads a timeline; None where it has no process of Ascend, and so is somebody else's.

    Raises:
        TraceError: it is cut off, no JSON, or holds no kernel.
    """
    timeline = _Timeline()
    with open_trace(path) as text:
        for block in EventReader(text, _Event).blocks():
            timeline.skipped += block.skipped
            for event in block.events:
                timeline.add(event)
    if not any(name in _OURS for name in timeline.processes.values()):
        return None
    return _recording(path, timeline)


def _recording(path: Path, timeline: _Timeline) -> AscendRecording:
    steps = sorted((s.start_ns, s.start_ns + s.duration_ns, s.name) for s in timeline.calls if s.name.startswith(_STEP))
    callers = _Callers(timeline)
    tasks = tuple(
        task for span in timeline.device if (task := _task(span, timeline, callers, [step[0] for step in steps], steps))
    )
    if not tasks:
        raise TraceError("no kernel in it: none ran on the NPU while it was recorded; record again", path=str(path))
    threads: dict[tuple[str, str], int] = {}
    rows = [
        (threads.setdefault((s.pid, s.tid), len(threads)), s.start_ns, s.start_ns + s.duration_ns, s.name)
        for s in timeline.calls
        if not s.name.startswith(_STEP)
    ]
    skipped = f"{timeline.skipped:,} events without a usable time or length were left out"
    return AscendRecording(
        path=str(path),
        tasks=tasks,
        rank=rank_of(path.parent),
        calls=torch_calls(rows),
        waits=data_waits(rows) if rows else None,
        walls_ns={name.removeprefix(_STEP): end_ns - start_ns for start_ns, end_ns, name in steps},
        vendor_ns=_vendor_ns(timeline),
        notes=(skipped,) if timeline.skipped else (),
    )


def _task(
    span: _Span, timeline: _Timeline, callers: "_Callers", begins: list[int], steps: list[tuple[int, int, str]]
) -> Task | None:
    process = timeline.processes.get(span.pid, "")
    name, kind, core = span.name, "N/A", span.core
    if process in _COLLECTIVES and timeline.threads.get((span.pid, span.tid), "").startswith("Group"):
        # hcom_allReduce__586_0_1 is the first collective of its kind in group 586.
        kind, core = f"{name.partition('__')[0]}_", "COMMUNICATION"
    elif process != _HARDWARE or layer_of(core, name) is None:
        return None
    place = (span.pid, span.tid, span.start_ns)
    launched = timeline.begins.get(timeline.ends.get(place, ""))
    at_ns = launched[2] if launched else span.start_ns
    index = bisect_right(begins, at_ns) - 1
    step = steps[index][2].removeprefix(_STEP) if index >= 0 else ""
    # The pids of an NPU's processes are made of the host's, a layer and, in the lowest five bits, the device.
    device = int(span.pid) & 31 if span.pid.isdecimal() else 0
    of = callers.of(launched) if launched else ()
    return Task(name, kind, core, span.start_ns, span.duration_ns, step, device, of)


class _Callers:
    """The calls around each launch."""

    def __init__(self, timeline: _Timeline) -> None:
        self._spans = [s for s in (*timeline.calls, *timeline.python) if not s.name.startswith(_STEP)]
        threads: dict[tuple[str, str], int] = {}
        columns = [(threads.setdefault((s.pid, s.tid), len(threads)), s.start_ns, s.duration_ns) for s in self._spans]
        thread, start_ns, duration_ns = np.array(columns, dtype=np.int64).reshape(-1, 3).T
        self._parents: list[int] = nest(thread, start_ns, duration_ns).parent.tolist()
        # Of calls that begin at one moment the shortest is the innermost.
        calls = sorted(range(len(timeline.calls)), key=lambda i: -timeline.calls[i].duration_ns)
        known = {id(span): i for i, span in enumerate(self._spans)}
        self._at = {(s.pid, s.tid, s.start_ns): known[id(s)] for i in calls if id(s := timeline.calls[i]) in known}
        self._paths: dict[int, tuple[str, ...]] = {NO_PARENT: ()}

    def of(self, launched: _Place) -> tuple[str, ...]:
        """The names of the calls from the outermost to the operator; empty where none is there."""
        call = self._at.get(launched, NO_PARENT)
        above = []
        while call not in self._paths:
            above.append(call)
            call = self._parents[call]
        path = self._paths[call]
        for one in reversed(above):
            path = self._paths[one] = (*path, self._spans[one].name)
        return path


def _vendor_ns(timeline: _Timeline) -> dict[str, int] | None:
    """What the timeline's own analysis of overlaps says."""
    sums = {"computing": 0, "communication": 0, "exposed": 0}
    names = {"Computing": "computing", "Communication": "communication", "Communication(Not Overlapped)": "exposed"}
    found = False
    for span in timeline.device:
        if timeline.processes.get(span.pid) == _OVERLAP and span.name in names:
            found = True
            sums[names[span.name]] += span.duration_ns
    if not found:
        return None
    overlapped_ns = sums["communication"] - sums.pop("exposed")
    return {**sums, "overlapped": overlapped_ns}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
