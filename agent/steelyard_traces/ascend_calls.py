"""Calls of torch on the host of an NPU: what each took for itself, and when it waited for data."""

from collections.abc import Sequence

import numpy as np

from steelyard_traces.ascend_work import class_of_torch
from steelyard_traces.classify import load_classifier
from steelyard_traces.grouping import grouped
from steelyard_traces.intervals import Intervals, sorted_intervals, union
from steelyard_traces.nesting import nest
from steelyard_traces.profile import DATA_WAIT, Calls

HostCalls = Sequence[tuple[int, int, int, str]]
"""Thread, start and end in nanoseconds, and name of each call."""


def torch_calls(rows: HostCalls) -> tuple[Calls, ...]:
    """Sums by operator, the most time of its own first."""
    if not rows:
        return ()
    classifier = load_classifier()
    names: dict[str, int] = {}
    columns = np.array(
        [(thread, start, max(end - start, 0), names.setdefault(name, len(names))) for thread, start, end, name in rows],
        dtype=np.int64,
    ).T
    thread, start_ns, length_ns, name_index = columns
    told = list(names)
    calls = []
    for group in grouped(name_index, length_ns, nest(thread, start_ns, length_ns).self_ns):
        name, (self_ns,) = told[group.index], group.other_sums
        class_name = class_of_torch(name, classifier)
        calls.append(
            Calls(name, class_name, "cpu_op", group.count, group.total_ns, self_ns, group.min_ns, group.max_ns)
        )
    return tuple(sorted(calls, key=lambda call: (-call.self_ns, call.name)))


def data_waits(rows: HostCalls) -> Intervals:
    """When the host was in its data loader."""
    classifier = load_classifier()
    is_wait = {name: classifier.class_of(name, "host") == DATA_WAIT for name in {row[3] for row in rows}}
    spans = [(start, end) for _, start, end, name in rows if is_wait[name] and start <= end]
    start_ns, end_ns = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    return union(sorted_intervals(start_ns, end_ns)[0])
