"""What a torch.profiler trace adds up to."""

from typing import Final

import numpy as np

from steelyard_traces.device_work import (
    DeviceWork,
    parts_of,
    split_of,
    works_by_core,
    works_by_kind,
    works_by_operator,
)
from steelyard_traces.grouping import grouped
from steelyard_traces.intervals import Intervals, sorted_intervals, union
from steelyard_traces.kineto import ANNOTATION, OPERATOR, PYTHON, KinetoTrace, Spans
from steelyard_traces.nesting import NO_PARENT
from steelyard_traces.profile import DATA_WAIT, Calls, Part, Profile, Step

OUTSIDE: Final = "outside operators"
_STEP: Final = "ProfilerStep#"


def kineto_profile(trace: KinetoTrace) -> Profile:
    """The profile of a trace: of its devices, or where none worked of the host's busiest thread."""
    spans = trace.spans()
    work = trace.work(spans)
    has_device = bool(len(trace.device))
    parts = parts_of(work, _waiting(trace)) if has_device else _host_parts(trace, spans)
    return Profile(
        path=str(trace.path),
        format="torch.profiler",
        chip=_chip(trace, work),
        rank=_rank(trace),
        devices=len(np.unique(work.device)),
        window_ns=sum(part.duration_ns for part in parts),
        step_count=len(spans.names) or None,
        steps=tuple(_step(index, spans, work) for index in range(len(spans.names))),
        has_timeline=bool(len(trace.host)),
        kernels=int((work.layer < 2).sum()),
        kernels_ns=int((work.end_ns - work.start_ns)[work.layer < 2].sum()) if has_device else None,
        split=split_of(work) if has_device else None,
        parts=parts,
        operators=works_by_operator(work),
        types=works_by_kind(work),
        cores=works_by_core(work),
        calls=_calls(trace),
        notes=_notes(trace),
    )


def class_of_call(trace: KinetoTrace, category: str, name: str) -> str:
    """The class of a call on the host; Python's own time and ranges that a user named are outside of operators."""
    if category == PYTHON or name.startswith(_STEP):
        return OUTSIDE
    known = trace.classifier.class_of(name, "host")
    return OUTSIDE if category == ANNOTATION and known in ("unmatched", "bookkeeping") else known


def _step(index: int, spans: Spans, work: DeviceWork) -> Step:
    mine = work.of_step(index)
    wall_ns = int(spans.end_ns[index] - spans.start_ns[index])
    return Step(spans.names[index], wall_ns, split_of(mine) if len(mine.start_ns) else None)


def _waiting(trace: KinetoTrace) -> Intervals:
    """When the host was in its data loader."""
    c = trace.columns
    is_wait = np.array([trace.classifier.class_of(label.name, "host") == DATA_WAIT for label in c.labels], np.bool_)
    waits = trace.host[trace.label_mask(is_wait)] if len(trace.host) else trace.host
    ordered, _ = sorted_intervals(c.start_ns[waits], c.start_ns[waits] + c.duration_ns[waits])
    return union(ordered)


def _host_parts(trace: KinetoTrace, spans: Spans) -> tuple[Part, ...]:
    c, host, self_ns = trace.columns, trace.host, trace.nesting.self_ns
    is_operator = trace.label_mask(np.array([label.category == OPERATOR for label in c.labels], np.bool_))
    sums = np.zeros(len(c.threads), dtype=np.int64)
    np.add.at(sums, c.thread[host], np.where(is_operator, self_ns, 0))
    on_thread = c.thread[host] == int(np.argmax(sums))
    start_ns, end_ns = c.start_ns[host], c.start_ns[host] + c.duration_ns[host]
    window = (int(start_ns[on_thread].min()), int(end_ns[on_thread].max()))
    if spans.names:
        window = (int(spans.start_ns[0]), int(spans.end_ns[-1]))
    inside = on_thread & (start_ns >= window[0]) & (end_ns <= window[1])
    by_class: dict[str, int] = {}
    # With stacks, an operator's Python frames are its own time, as they are without.
    is_frame = trace.label_mask(np.array([label.category == PYTHON for label in c.labels], np.bool_))
    around = trace.nesting.nearest(np.flatnonzero(inside), ~is_frame)
    for group in grouped(c.label[host][around[around != NO_PARENT]], self_ns[inside][around != NO_PARENT]):
        label = c.labels[group.index]
        name = class_of_call(trace, label.category, label.name)
        by_class[name] = by_class.get(name, 0) + group.total_ns
    covered_ns = sum(by_class.values())
    by_class[OUTSIDE] = by_class.get(OUTSIDE, 0) + window[1] - window[0] - covered_ns
    rows = [Part("host", name, duration_ns) for name, duration_ns in by_class.items() if duration_ns]
    return tuple(sorted(rows, key=lambda part: (-part.duration_ns, part.name)))


def _calls(trace: KinetoTrace) -> tuple[Calls, ...]:
    c, host = trace.columns, trace.host
    if not len(host):
        return ()
    rows = []
    for group in grouped(c.label[host], c.duration_ns[host], trace.nesting.self_ns):
        one = c.labels[group.index]
        class_name = class_of_call(trace, one.category, one.name)
        total_ns, (self_ns,) = group.total_ns, group.other_sums
        rows.append(
            Calls(one.name, class_name, one.category, group.count, total_ns, self_ns, group.min_ns, group.max_ns)
        )
    return tuple(sorted(rows, key=lambda row: (-row.self_ns, row.name)))


def _chip(trace: KinetoTrace, work: DeviceWork) -> str:
    told = trace.facts.get("deviceProperties")
    devices = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    mine = [row for row in devices if row.get("id") in set(work.device.tolist())] or devices
    return str(mine[0].get("name", "")) if mine else ""


def _rank(trace: KinetoTrace) -> str:
    told = trace.facts.get("distributedInfo")
    return str(told.get("rank", "")) if isinstance(told, dict) else ""


def _notes(trace: KinetoTrace) -> tuple[str, ...]:
    notes = []
    if trace.columns.skipped:
        notes.append(f"{trace.columns.skipped:,} events without a usable time or length were left out")
    lost = int((trace.launch < 0).sum())
    if lost:
        notes.append(
            f"{lost:,} of {len(trace.device):,} pieces of device work were launched before the recording began"
        )
    return tuple(notes)
