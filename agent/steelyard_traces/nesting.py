"""Calls within calls: who encloses whom on a thread, and what is left of each for itself."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from steelyard_traces.intervals import Ints

NO_PARENT: Final = -1


@dataclass(frozen=True, slots=True)
class Nesting:
    """The order of calls.

    Attributes:
        parent: the innermost call that is open on the same thread when each call begins; `NO_PARENT` for outermost
            ones.
        self_ns: each call's time without the calls right inside it. Of two calls that overlap without being nested the
            second is cut at the first's end, or the first at the second's start where the second lies mostly outside of
            it, as a range does that a Python frame opens. So the sum over a thread is the time that its outermost calls
            cover.
    """

    parent: Ints
    self_ns: Ints

    def nearest(self, calls: Ints, wanted: NDArray[np.bool_]) -> Ints:
        """For each of `calls` itself or the nearest call around it that is wanted; `NO_PARENT` where there is none."""
        # Twice as far up each time; the last place, which is also that of NO_PARENT, stands for above all.
        up = np.empty(len(wanted) + 1, dtype=np.int32)
        up[:-1], up[-1] = self.parent, NO_PARENT
        ends = np.flatnonzero(wanted)
        up[ends] = ends
        while not np.array_equal(further := up[up], up):
            up = further
        return up[calls].astype(np.int64)


def nest(thread: Ints, start_ns: Ints, duration_ns: Ints) -> Nesting:
    """Finds the order of calls, given in any order.

    A call that begins where another ends is not inside it. Of calls that begin together the longer encloses the others.
    """
    parent = np.full(len(start_ns), NO_PARENT, dtype=np.int64)
    self_ns = duration_ns.astype(np.int64)
    if not len(start_ns):
        return Nesting(parent, self_ns)
    order = np.lexsort((-duration_ns, start_ns, thread))
    for members in np.split(order, np.flatnonzero(np.diff(thread[order])) + 1):
        # Twice the time and one more where it is zero: calls without a length have a place in others too.
        start = start_ns[members] * 2
        end = start + np.maximum(duration_ns[members] * 2, 1)
        found = _by_depth(start, end)
        if found is None:
            found, end = _by_stack(start, end)
        left = (end - start) // 2
        inner = np.flatnonzero(found != NO_PARENT)
        np.subtract.at(left, found[inner], left[inner].copy())
        parent[members[inner]] = members[found[inner]]
        self_ns[members] = left
    return Nesting(parent, self_ns)


def _by_depth(start: Ints, end: Ints) -> Ints | None:
    """Parents by how many calls are open at each start; None where calls overlap without being nested."""
    depth = np.arange(len(start)) - np.searchsorted(np.sort(end), start, side="right")
    by_depth = np.argsort(depth, kind="stable")
    levels = np.split(by_depth, np.flatnonzero(np.diff(depth[by_depth])) + 1)
    parent = np.full(len(start), NO_PARENT, dtype=np.int64)
    for above, level in pairwise(levels):
        parent[level] = above[np.searchsorted(above, level) - 1]
    inner = np.flatnonzero(parent != NO_PARENT)
    return parent if bool((end[inner] <= end[parent[inner]]).all()) else None


def _by_stack(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The same one by one, for threads on which some call outlives the one it began in; and the ends after the cuts."""
    parent = np.full(len(start), NO_PARENT, dtype=np.int64)
    ends = end.tolist()
    open_calls: list[int] = []
    for call, begin in enumerate(start.tolist()):
        while open_calls and ends[open_calls[-1]] <= begin:
            open_calls.pop()
        while open_calls and ends[call] - ends[open_calls[-1]] > ends[open_calls[-1]] - begin:
            ends[open_calls.pop()] = begin
        if open_calls:
            parent[call] = open_calls[-1]
            ends[call] = min(ends[call], ends[open_calls[-1]])
        open_calls.append(call)
    return parent, np.array(ends, dtype=np.int64)
