"""Paths of calls with the time of each: what flame graphs are drawn from."""

from typing import Final

import numpy as np

from steelyard_traces.grouping import grouped
from steelyard_traces.intervals import Ints
from steelyard_traces.kineto import KinetoTrace
from steelyard_traces.nesting import NO_PARENT, Nesting
from steelyard_traces.profile import Stack

_UNKNOWN: Final = ("(launched before the recording began)",)


def kineto_stacks(trace: KinetoTrace) -> tuple[Stack, ...]:
    """Device work under the calls that launched it; where no device worked, the host's own time under its callers."""
    c = trace.columns
    paths = _Paths(trace.nesting, c.label[trace.host])
    names = [label.name for label in c.labels]
    if not len(trace.device):
        groups = grouped(paths.path, trace.nesting.self_ns)
        rows = [Stack(paths.frames(group.index, names), group.total_ns) for group in groups]
    else:
        launched = trace.launch != NO_PARENT
        under = np.full(len(trace.device), NO_PARENT, dtype=np.int64)
        under[launched] = paths.path[trace.launch[launched]]
        pairs, index = np.unique((under + 1) * len(names) + c.label[trace.device], return_inverse=True)
        rows = []
        for group in grouped(index, c.duration_ns[trace.device]):
            path, label = divmod(int(pairs[group.index]), len(names))
            callers = paths.frames(path - 1, names) if path else _UNKNOWN
            rows.append(Stack((*callers, names[label]), group.total_ns))
    return tuple(sorted((row for row in rows if row.duration_ns), key=lambda row: (-row.duration_ns, row.frames)))


class _Paths:
    """A number for each path of calls that occurs.

    Attributes:
        path: of each call.
    """

    def __init__(self, nesting: Nesting, label: Ints) -> None:
        self.path = np.full(len(label), NO_PARENT, dtype=np.int64)
        self._steps: list[tuple[int, int]] = []
        labels = int(label.max()) + 1 if len(label) else 1
        level = np.flatnonzero(nesting.parent == NO_PARENT)
        while len(level):
            above = np.where(nesting.parent[level] == NO_PARENT, NO_PARENT, self.path[nesting.parent[level]])
            found, index = np.unique((above + 1) * labels + label[level], return_inverse=True)
            self.path[level] = len(self._steps) + index
            self._steps += [(int(pair) // labels - 1, int(pair) % labels) for pair in found]
            placed = self.path != NO_PARENT
            waiting = np.flatnonzero(~placed)
            level = waiting[placed[nesting.parent[waiting]]]

    def frames(self, path: int, names: list[str]) -> tuple[str, ...]:
        """The names from the outermost call on."""
        frames = []
        while path != NO_PARENT:
            path, label = self._steps[path]
            frames.append(names[label])
        return tuple(reversed(frames))
