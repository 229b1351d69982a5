"""An icicle as lines: its cells, what is selected in words, and the tables below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from steelyard_proto.units import format_value
from steelyard_tui.flame.layout import LEAST, Cell, Row, View, span_of
from steelyard_tui.flame.names import class_of, family_of, short
from steelyard_tui.flame.sums import Sum, total_before
from steelyard_tui.flame.tree import ROOT, Tree
from steelyard_tui.present.bars import thin_bar
from steelyard_tui.present.figures import count
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, Span, clean, fit, fit_line, line_width, width_of

Unit = Literal["ns", "samples"]

# Changes of share in points from which a colour grows stronger.
_STEPS: Final = (0.2, 1.0, 3.0)
_BAR: Final = 16
_WIDE: Final = 120
_POINT: Final = 100.0
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Ink:
    """How a tree is drawn.

    Attributes:
        matches: which labels a search has found; None while nothing is searched.
        tones: of labels, as far as they were needed.
    """

    tree: Tree
    glyphs: Glyphs
    unit: Unit = "ns"
    matches: "np.ndarray[tuple[int], np.dtype[np.bool_]] | None" = None
    tones: dict[int, str] = field(default_factory=dict)

    @property
    def has_before(self) -> bool:
        """Whether two profiles are compared."""
        return self.tree.before is not None

    def share(self, weight: int) -> float:
        """Of the whole profile."""
        return weight / max(int(self.tree.total[ROOT]), 1)

    def change(self, weight: int, before: int | None) -> float | None:
        """How many points of share were won or lost; None where nothing is compared."""
        if self.tree.before is None or before is None:
            return None
        return _POINT * (self.share(weight) - before / max(int(self.tree.before[ROOT]), 1))

    def amount(self, weight: int) -> str:
        """A weight in its unit."""
        if self.unit == "samples":
            return f"{count(weight)} samples"
        return format_value(weight, "ns") if weight >= _SECOND_NS else format_value(weight / 1e6, "ms")


def row_line(row: Row, ink: Ink, picked: Cell | None) -> Line:
    """One row of cells; what is right of a parent's children is blank."""
    line: list[Span] = []
    at = 0
    for cell in row:
        if cell.left > at:
            line.append((" " * (cell.left - at), "ink"))
        at = cell.right
        line.append((_cell_text(cell, ink), "picked" if cell == picked else _tone(cell, ink)))
    return tuple(line)


def _cell_text(cell: Cell, ink: Ink) -> str:
    width = cell.right - cell.left
    glyphs = ink.glyphs
    if cell.merged:
        return fit(f"{glyphs.rule}+{count(cell.merged)} small", width, "left", glyphs.ellipsis)
    label = clean(short(ink.tree.name(cell.node)))
    if width < LEAST:
        return fit(glyphs.rule + label[: width - 1], width)
    if ink.tree.before is not None:
        change = ink.change(int(ink.tree.total[cell.node]), int(ink.tree.before[cell.node])) or 0.0
        sign = f" {round(change, 1) + 0.0:+.1f}"
        # The name gives way: without its sign a cell says nothing where there are no colours.
        room = width - 1 - len(sign)
        if width_of(label) > room >= LEAST:
            label = fit(label, room, "left", glyphs.ellipsis)
        label += sign
    return fit(f"{glyphs.rule}{label}", width, "left", glyphs.ellipsis)


def _tone(cell: Cell, ink: Ink) -> str:
    if cell.merged:
        return "small"
    label = int(ink.tree.label[cell.node])
    if ink.matches is not None and not ink.matches[label]:
        return "apart"
    if ink.tree.before is not None:
        return change_tone(ink.change(int(ink.tree.total[cell.node]), int(ink.tree.before[cell.node])) or 0.0)
    tone = ink.tones.get(label)
    if tone is None:
        tone = ink.tones[label] = f"op-{family_of(class_of(ink.tree.names[label])) if cell.node else 'python'}"
    return tone


def change_tone(points: float) -> str:
    """Orange where a share grew, blue where it shrank."""
    strength = sum(abs(points) >= step for step in _STEPS)
    return f"{'grew' if points > 0 else 'shrank'}-{strength}" if strength else "same"


def path_line(view: View, ink: Ink, width: int) -> Line:
    """Where the view stands: its callers, the nearest ones where not all have room."""
    glyphs = ink.glyphs
    names = [clean(short(ink.tree.name(node))) for node in ink.tree.path(view.node)]
    if view.skip:
        names.append(f"its {count(_merged(view, ink.tree))} small ones")
    arrow = " > "
    while len(names) > 1 and len(arrow.join(names)) > width - 2:
        names = [glyphs.ellipsis, *names[2:]] if names[0] == glyphs.ellipsis else [glyphs.ellipsis, *names[1:]]
    above = arrow.join(names[:-1])
    return ((f" {above}{arrow if above else ''}", "quiet"), (names[-1], "title"))


def _merged(view: View, tree: Tree) -> int:
    return int(tree.children[view.node + 1] - tree.children[view.node]) - view.skip


def picked_lines(cell: Cell | None, ink: Ink, width: int) -> list[Line]:
    """The full name of what is selected or under the mouse, and its figures."""
    if cell is None:
        return [(), ()]
    tree = ink.tree
    if cell.merged:
        view = cell.view(tree)
        begin, end = span_of(tree, view)
        weight, own, before = end - begin, None, total_before(tree, view)
        name, kind = f"{count(cell.merged)} frames too narrow to draw; enter shows them", ""
    else:
        weight, own = int(tree.total[cell.node]), int(tree.own[cell.node])
        before = None if tree.before is None else int(tree.before[cell.node])
        name = clean(tree.name(cell.node))
        kind = class_of(tree.name(cell.node)) if cell.node else ""
    figures: list[Span] = [(f" {_percent(ink.share(weight))}", "strong"), (f" {ink.amount(weight)}", "ink")]
    if own is not None:
        figures += [("   itself ", "quiet"), (f"{_percent(ink.share(own))} {ink.amount(own)}", "ink")]
    change = ink.change(weight, before)
    if change is not None and before is not None:
        figures += [("   change ", "quiet"), (f"{change:+.2f} points", _text_tone(change))]
    if kind:
        figures += [("   ", "ink"), *_swatch(kind, ink.glyphs), (kind, "quiet")]
    return [fit_line(((f" {name}", "strong"),), width, "left", ink.glyphs.ellipsis), tuple(figures)]


def _swatch(kind: str, glyphs: Glyphs) -> Line:
    return ((f"{glyphs.bar} ", f"bar-{family_of(kind)}"),)


def _text_tone(points: float) -> str:
    """The tone of a printed change: as the cell's, but legible on the ground of the screen."""
    if abs(points) < _STEPS[0]:
        return "quiet"
    return "bar-matmul" if points > 0 else "bar-collective"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def by_change(sums: Sequence[Sum], ink: Ink) -> list[Sum]:
    """The largest change of share first; as they come where nothing is compared."""
    return sorted(sums, key=lambda row: -abs(ink.change(row.weight, row.before) or 0.0))


def table_lines(sums: Sequence[Sum], ink: Ink, width: int, height: int, *, title: str) -> list[Line]:
    """Where the time of the view was spent: by frame, and by class where there is room beside."""
    if height < 2 or not sums:
        return []
    sums = by_change(sums, ink)
    left_width = width if width < _WIDE else width * 3 // 5
    left = [_head(left_width, ink, title), *_frame_rows(sums[: height - 1], ink, left_width)]
    if width < _WIDE:
        return left
    right_width = width - left_width - 2
    rows = by_change(by_class(sums), ink)
    right = [_head(right_width, ink, "by class"), *_class_rows(rows[: height - 1], ink, right_width)]
    blank: Line = ()
    return [
        (
            *fit_line(left[y] if y < len(left) else blank, left_width),
            ("  ", "ink"),
            *(right[y] if y < len(right) else ()),
        )
        for y in range(max(len(left), len(right)))
    ]


def by_class(sums: Sequence[Sum]) -> list[Sum]:
    """The same sums by class of operators, the largest first."""
    weights: dict[str, list[int]] = {}
    for one in sums:
        of = weights.setdefault(class_of(one.name), [0, 0])
        of[0] += one.weight
        of[1] += one.before or 0
    has_before = any(one.before is not None for one in sums)
    rows = [Sum(name, weight, before if has_before else None) for name, (weight, before) in weights.items()]
    return sorted(rows, key=lambda row: (-row.weight, -(row.before or 0), row.name))


_FIGURES: Final = 9  # cells of a share


def _head(width: int, ink: Ink, title: str) -> Line:
    heads = (
        "share".rjust(_FIGURES),
        *(("before".rjust(_FIGURES), "change".rjust(_FIGURES) + " ") if ink.has_before else ()),
    )
    room = width - 1 - sum(map(len, heads)) - (0 if ink.has_before else _BAR + 2)
    return ((f" {fit(title, room)}{''.join(heads)}", "head"),)


def _figures(row: Sum, ink: Ink) -> list[Span]:
    spans: list[Span] = [(_percent(ink.share(row.weight)).rjust(_FIGURES), "ink")]
    change = ink.change(row.weight, row.before)
    if change is None or row.before is None:
        return spans
    told = "gone" if not row.weight else "new" if not row.before else f"{change:+.1f}"
    before = _percent(row.before / max(int(ink.tree.before[ROOT]), 1)) if ink.tree.before is not None else ""
    return [*spans, (before.rjust(_FIGURES), "quiet"), (f"{told.rjust(_FIGURES)} ", _text_tone(change))]


def _frame_rows(sums: Sequence[Sum], ink: Ink, width: int) -> list[Line]:
    lines: list[Line] = []
    most = max((row.weight for row in sums), default=1)
    for row in sums:
        kind = class_of(row.name)
        lines.append(_table_row(row, clean(short(row.name)), kind, most, ink, width))
    return lines


def _class_rows(rows: Sequence[Sum], ink: Ink, width: int) -> list[Line]:
    most = max((row.weight for row in rows), default=1)
    return [_table_row(row, row.name, row.name, most, ink, width) for row in rows]


def _table_row(row: Sum, name: str, kind: str, most: int, ink: Ink, width: int) -> Line:
    figures = _figures(row, ink)
    tail: list[Span] = []
    if not ink.has_before:
        bar = thin_bar(row.weight, most, _BAR - 1, f"bar-{family_of(kind)}", ink.glyphs)
        tail = [("  ", "ink"), *bar, (" ", "ink")]
    room = width - 1 - line_width(figures) - line_width(tail)
    note = "" if name == kind else f"  {kind}"
    shown = fit(name, room - len(note), "left", ink.glyphs.ellipsis) if len(name) + len(note) > room else name
    named: Line = ((f" {shown}", "ink"), (note, "quiet"))
    return (*fit_line(named, room + 1), *figures, *tail)
