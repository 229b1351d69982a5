"""Two recordings as text: the gap, and the points of each operator class, which add up to it as printed."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Final

from steelyard_tui.present.ops import aligned, part_name

if TYPE_CHECKING:
    from steelyard_traces.difference import Change, Difference, Side

_NAMED: Final = 3
_TENTHS: Final = 10


def difference_lines(difference: "Difference") -> Iterator[str]:
    """What makes the gap, in a sentence and as a table."""
    yield f"A  {difference.a.path}"
    yield f"B  {difference.b.path}"
    yield ""
    points = rounded_points([change.points for change in difference.changes], difference.gap)
    yield _sentence(difference, points)
    if difference.per == "recording":
        yield "no steps are marked: whole recordings are compared, which says little unless both did the same work"
    yield ""
    unit, scale = ("us", 1e3) if difference.per == "token" else ("ms", 1e6)
    head = ("class", f"A {unit}", "share", f"B {unit}", "share", "points")
    rows = [_row(change, tenths, difference, scale) for change, tenths in zip(difference.changes, points, strict=True)]
    total = ("together", *_cells(difference, difference.a.total_ns, difference.b.total_ns, scale), _signed(sum(points)))
    yield from aligned([head, *rows, total])


def rounded_points(points: Sequence[Fraction], gap: Fraction) -> list[int]:
    """Points in tenths, rounded so that their sum is the rounded gap: what remains goes to the largest remainders."""
    tenths = [floor(value * _TENTHS) for value in points]
    missing = round(gap * _TENTHS) - sum(tenths)
    by_rest = sorted(range(len(points)), key=lambda i: tenths[i] - points[i] * _TENTHS)
    for i in by_rest[:missing]:
        tenths[i] += 1
    return tenths


def _sentence(difference: "Difference", points: Sequence[int]) -> str:
    total = sum(points)
    per = "" if difference.per == "recording" else f" a {difference.per}"
    if not total:
        return f"B takes as much time{per} as A, to a tenth of a percent"
    word = "more" if total > 0 else "less"
    named = sorted(zip(points, difference.changes, strict=True), key=lambda pair: -abs(pair[0]))
    same_way = [(tenths, change) for tenths, change in named if tenths * total > 0][:_NAMED]
    said = ", ".join(f"{abs(tenths) / _TENTHS:.1f} {_name(change)}" for tenths, change in same_way)
    counter = [(tenths, change) for tenths, change in named if tenths * total < 0][:1]
    against = "".join(
        f"; {_name(change)} goes the other way by {abs(tenths) / _TENTHS:.1f}" for tenths, change in counter
    )
    return f"B takes {abs(total) / _TENTHS:.1f} % {word} time{per} than A; of these points are {said}{against}"


def _row(change: "Change", tenths: int, difference: "Difference", scale: float) -> tuple[str, ...]:
    return (_name(change), *_cells(difference, change.a_ns, change.b_ns, scale), _signed(tenths))


def _cells(difference: "Difference", a_ns: int, b_ns: int, scale: float) -> tuple[str, ...]:
    return (*_side(difference.a, a_ns, scale), *_side(difference.b, b_ns, scale))


def _side(side: "Side", total_ns: int, scale: float) -> tuple[str, str]:
    return f"{float(side.each_ns(total_ns)) / scale:,.3f}", f"{total_ns / side.total_ns:.1%}"


def _signed(tenths: int) -> str:
    return f"{tenths / _TENTHS:+.1f}" if tenths else "0.0"


def _name(change: "Change") -> str:
    return part_name(change.layer, change.class_name)
