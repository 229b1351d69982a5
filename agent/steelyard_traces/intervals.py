"""Intervals of time as arrays of integers: unions, shares and overlaps, exact to the nanosecond."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Half-open intervals [start, end) in nanoseconds, in the order of their starts."""

    start_ns: Ints
    end_ns: Ints

    @property
    def total_ns(self) -> int:
        """The sum of their lengths, in which overlaps count as often as they occur."""
        return int((self.end_ns - self.start_ns).sum())


def sorted_intervals(start_ns: Ints, end_ns: Ints) -> tuple[Intervals, Ints]:
    """Intervals by their starts, and where each one stood before."""
    order = np.lexsort((end_ns, start_ns))
    return Intervals(start_ns[order], end_ns[order]), order


def first_come(intervals: Intervals) -> Intervals:
    """Each interval without what earlier ones cover already: the rests don't overlap, and their sum is the union's."""
    if not len(intervals.start_ns):
        return intervals
    reached = np.maximum.accumulate(intervals.end_ns)
    begin = intervals.start_ns.copy()
    begin[1:] = np.maximum(begin[1:], reached[:-1])
    return Intervals(begin, np.maximum(begin, intervals.end_ns))


def union(intervals: Intervals) -> Intervals:
    """Joined where they touch or overlap."""
    if not len(intervals.start_ns):
        return intervals
    reached = np.maximum.accumulate(intervals.end_ns)
    opens = np.concatenate(([True], intervals.start_ns[1:] > reached[:-1]))
    last = np.concatenate((np.flatnonzero(opens)[1:] - 1, [len(reached) - 1]))
    return Intervals(intervals.start_ns[opens], reached[last])


def covered_ns(joined: Intervals, intervals: Intervals) -> Ints:
    """How much of each interval lies within a union."""
    return _covered_before(joined, intervals.end_ns) - _covered_before(joined, intervals.start_ns)


def _covered_before(joined: Intervals, at_ns: Ints) -> Ints:
    """How much of a union lies before each moment."""
    if not len(joined.start_ns):
        return np.zeros(len(at_ns), dtype=np.int64)
    sums = np.concatenate(([0], np.cumsum(joined.end_ns - joined.start_ns)))
    index = np.searchsorted(joined.start_ns, at_ns, side="right")
    inside = np.maximum(index - 1, 0)
    over = np.where(index > 0, np.maximum(joined.end_ns[inside] - at_ns, 0), 0)
    counted: Ints = sums[index] - over
    return counted
