"""What a window cost the training: the steps in it against their neighbours, with intervals of equal length in which
nothing was profiled as the error bar. Pure.

Means, never medians: a window that costs one step in fifty a second must not look free.
"""

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.profiling.step_log import Steps

Span = tuple[float, float]

# Fewer say nothing about how much such sums differ by themselves.
LEAST_PLACEBOS: Final = 5
_MOST_PLACEBOS: Final = 100
# On each side of the window.
_MOST_ROWS: Final = 600
# On each side: so many times the steps inside, and at least so many.
_NEIGHBOURS: Final = 5
_LEAST_NEIGHBOURS: Final = 20
_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Loss:
    """Seconds that were lost, and 95 % bounds of it; negative is noise.

    Attributes:
        spread_s: the standard deviation over the placebos.
        placebos: how many there were.
    """

    loss_s: float
    low_s: float
    high_s: float
    spread_s: float
    placebos: int


def loss_of(rows: Sequence[Steps], window: Span, others: Sequence[Span] = ()) -> Loss | None:
    """The loss of a window; None while too few steps around it are known, or something else was in it.

    Args:
        rows: the process's steps, oldest first.
        window: Unix milliseconds, from when its configuration was fetched to when its trace was whole.
        others: other windows of the process, which are no placebos and no neighbours.
    """
    inside = [row for row in rows if _overlaps(row, window)]
    if not inside or any(row.is_marked for row in inside):
        return None
    quiet = [row for row in rows if not row.is_marked and not any(_overlaps(row, span) for span in (window, *others))]
    found = _excess(inside, quiet)
    if found is None:
        return None
    spread = _spread(quiet, window)
    if spread is None:
        return None
    spread_s, placebos = spread
    half_s = student(placebos - 1) * spread_s * math.sqrt(1 + 1 / placebos)
    return Loss(found, found - half_s, found + half_s, spread_s, placebos)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by its expansion around the normal's (within 1 % from 4 on).

    Source: Abramowitz and Stegun, 26.7.5.
    """
    z, n = _Z, float(max(freedom, 1))
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


def _excess(inside: Sequence[Steps], quiet: Sequence[Steps]) -> float | None:
    """Time of the steps inside beyond so many of their neighbours."""
    steps = sum(row.count for row in inside)
    seconds = sum(row.count * row.seconds_each for row in inside)
    wanted = max(_NEIGHBOURS * steps, _LEAST_NEIGHBOURS)
    before = _nearest([row for row in reversed(quiet) if row.end_ms <= inside[0].end_ms], wanted)
    after = _nearest([row for row in quiet if row.end_ms > inside[-1].end_ms], wanted)
    if before is None or after is None:
        return None
    return seconds - steps * (before + after) / 2


def _nearest(rows: Sequence[Steps], wanted: int) -> float | None:
    """The mean length of the first steps of the rows; None where there are too few."""
    count, seconds = 0, 0.0
    for row in rows:
        count += row.count
        seconds += row.count * row.seconds_each
        if count >= wanted:
            break
    return seconds / count if count >= _LEAST_NEIGHBOURS else None


def _spread(quiet: Sequence[Steps], window: Span) -> tuple[float, int] | None:
    first = bisect.bisect_left(quiet, window[0], key=lambda row: row.end_ms)
    near = quiet[max(0, first - _MOST_ROWS) : first + _MOST_ROWS]
    found = []
    for begin, end in _placebos(near, window[1] - window[0]):
        excess = _excess(near[begin:end], [*near[:begin], *near[end:]])
        if excess is not None:
            found.append(excess)
        if len(found) >= _MOST_PLACEBOS:
            break
    if len(found) < LEAST_PLACEBOS:
        return None
    # About nothing, not about their mean: in a placebo nothing was lost.
    return math.sqrt(sum(value * value for value in found) / len(found)), len(found)


def _placebos(quiet: Sequence[Steps], length_ms: float) -> Iterator[tuple[int, int]]:
    """Runs of rows, first and behind the last, as a window of this length would meet them, one after another."""
    at = 0
    while at < len(quiet):
        begin = at
        # As windows do, it begins somewhere within its first row.
        end_ms = (quiet[at].begin_ms + quiet[at].end_ms) / 2 + length_ms
        while at < len(quiet) and quiet[at].begin_ms < end_ms:
            at += 1
        yield begin, at


def _overlaps(row: Steps, span: Span) -> bool:
    return row.end_ms > span[0] and row.begin_ms < span[1]
