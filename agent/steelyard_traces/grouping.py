"""Sums of columns by what their rows have in common."""

from dataclasses import dataclass

import numpy as np

from steelyard_traces.intervals import Ints


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with one index.

    Attributes:
        total_ns: the sum of the lengths.
        other_sums: of each further column.
        min_ns: the shortest length.
        max_ns: the longest.
    """

    index: int
    count: int
    total_ns: int
    other_sums: tuple[int, ...]
    min_ns: int
    max_ns: int


def grouped(index: Ints, length_ns: Ints, *more: Ints) -> list[Group]:
    """One group for each index that occurs, in its order."""
    if not len(index):
        return []
    order = np.argsort(index, kind="stable")
    begins = np.concatenate(([0], np.flatnonzero(np.diff(index[order])) + 1))
    ordered = length_ns[order]
    counts = np.diff(np.concatenate((begins, [len(order)])))
    sums = [np.add.reduceat(column[order], begins, dtype=np.int64).tolist() for column in (length_ns, *more)]
    least, most = np.minimum.reduceat(ordered, begins).tolist(), np.maximum.reduceat(ordered, begins).tolist()
    firsts = index[order][begins].tolist()
    rows = zip(firsts, counts.tolist(), zip(*sums, strict=True), least, most, strict=True)
    return [Group(first, count, of[0], of[1:], low, high) for first, count, of, low, high in rows]
