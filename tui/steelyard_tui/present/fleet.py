"""Vendors and chips side by side: rows of `fleet_live` as lines, with one figure as bars on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from steelyard_tui.present.bars import axis, bar, nice_ceiling
from steelyard_tui.present.cells import chip_cell, figure_column, reporting_cell
from steelyard_tui.present.columns import Column, Drawing, Placed, Row, head_line, place_columns, row_line
from steelyard_tui.present.figures import count, figure, number, text_of, vendor_name
from steelyard_tui.present.frame import legend
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import BLANK, Drawn, Line, Painted, Span, line_width, spread
from steelyard_tui.present.tones import vendor_tone

WIDE: Final = 120
_BAR: Final = 34  # cells that a wide screen keeps for the bars


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that may be compared as bars."""

    name: str
    title: str
    unit: str

    def scale(self, rows: Sequence[Row]) -> float:
        """The end of the scale: 100 % for shares, else a round figure above the largest."""
        if self.unit == "ratio":
            return 1.0
        return nice_ceiling(max((number(row.get(self.name)) or 0.0 for row in rows), default=0.0))


METRICS: Final = (
    Metric("core_active", "core active", "ratio"),
    Metric("tensor_active", "tensor active", "ratio"),
    Metric("busy", "busy", "ratio"),
    Metric("hbm_bw_active", "memory bandwidth in use", "ratio"),
    Metric("hbm_used_ratio", "memory in use", "ratio"),
    Metric("power_w", "power per device", "W"),
    Metric("chip_temp_c", "temperature", "C"),
)


def _vendor(row: Row, drawing: Drawing) -> Line:
    return ((vendor_name(row.get("vendor")), "quiet"),)


def _origin(row: Row, drawing: Drawing) -> Line:
    origin = str(row.get("origin") or "unknown")
    return ((origin, "quiet" if origin == "measured" else "title"),)


def _total(row: Row, drawing: Drawing) -> Line:
    total = number(row.get("power_total_w"))
    return (figure(None if total is None else total / 1000, "count", drawing.glyphs),)


COLUMNS: Final = (
    Column("chip", ("chip", "vendor", "origin"), 16, chip_cell, 0, "left"),
    Column("vendor", ("vendor",), 7, _vendor, 5, "left"),
    Column("figures", ("origin",), 9, _origin, 1, "left"),
    figure_column("nodes", "nodes", "count", 6, 6),
    Column("devices", ("devices", "reporting"), 9, reporting_cell, 0),
    figure_column("jobs", "jobs", "count", 5, 4),
    figure_column("busy%", "busy", "ratio", 6, 0),
    figure_column("core%", "core_active", "ratio", 6, 0),
    figure_column("tensor%", "tensor_active", "ratio", 8, 0),
    figure_column("hbm bw%", "hbm_bw_active", "ratio", 8, 2),
    figure_column("mem%", "hbm_used_ratio", "ratio", 5, 3),
    figure_column("W/dev", "power_w", "W", 6, 0),
    figure_column("temp C", "chip_temp_c", "C", 7, 7),
    Column("kW", ("power_total_w",), 6, _total, 8),
)


@dataclass(frozen=True, slots=True)
class Look:
    """How the fleet is drawn; `is_young` while it has been watched for moments only."""

    width: int
    height: int
    metric: Metric
    cursor: int
    glyphs: Glyphs
    order: str = ""
    descending: bool = False
    is_young: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether bars stand beside the figures, not under them."""
        return self.width >= WIDE

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The columns that fit."""
        return place_columns(COLUMNS, self.width - (_BAR + 12 if self.is_wide else 0))


Key = tuple[str, str, str, str]


def key_of(row: Row) -> Key:
    """What tells one row of the fleet from another."""
    return str(row.get("vendor")), str(row.get("chip") or ""), str(row.get("part")), str(row.get("origin"))


def in_order(rows: list[dict[str, object]], order: str, *, descending: bool) -> list[dict[str, object]]:
    """The rows by one of their columns, those without a figure last; as they come where nothing sorts."""
    if not order:
        return rows
    known = [row for row in rows if row.get(order) not in (None, "")]
    # Values of one column are of one kind.
    known.sort(key=lambda row: cast("float", row[order]), reverse=descending)
    return [*known, *(row for row in rows if row.get(order) in (None, ""))]


def filter_of(row: Row) -> str:
    """The filter that gives the devices of one row."""
    vendor, chip, _, origin = key_of(row)
    first = f"chip={chip}" if chip and " " not in chip else f"vendor={vendor}"
    return f"{first} origin={origin}"


def scope_line(rows: Sequence[Row], metric: Metric, width: int, glyphs: Glyphs, *, is_young: bool = False) -> Line:
    """What is compared, and how much reports."""
    left: list[Span] = [
        (" compare ", "quiet"),
        (metric.title, "strong"),
        ("   mean of live devices", "quiet"),
    ]
    if not rows:
        return tuple(left)
    devices = sum(number(row.get("devices")) or 0 for row in rows)
    reporting = sum(number(row.get("reporting")) or 0 for row in rows)
    tone = "quiet" if reporting == devices or is_young else "warn"
    text = f"{count(reporting)} of {count(devices)} devices live "
    return spread(left, ((text, tone),), width, glyphs.ellipsis)


def gap_of(rows: Sequence[Row], look: Look) -> int:
    """Whether blank lines stand between chips: where that leaves lanes their room below, or nothing fits below."""
    count, below = len(rows), 2 * len(rows) + 3
    if look.height - (3 * count + 2) >= below:
        return 1
    return int(look.height - (2 * count + 2) < below and look.height >= 3 * count + 2)


def draw(rows: Sequence[Row], look: Look) -> Drawn:
    """The head and every chip; scrolled so that the cursor is in sight."""
    placed = look.placed
    blocks = [_block(row, placed, rows, look, selected=at == look.cursor) for at, row in enumerate(rows)]
    gap = gap_of(rows, look)
    size = 2 + gap
    room = max(1, (look.height - 2) // size)
    first = max(0, min(look.cursor - room // 2, len(rows) - room))
    shown = blocks[first : first + room]
    drawn = Drawn([Painted(_head(placed, rows, look), "bar")], [None])
    for at, block in enumerate(shown, first):
        drawn.add([*block, *([Painted(BLANK)] * gap)], at)
    drawn.add([_foot(rows, look, hidden=len(rows) - len(shown))])
    return drawn


def _head(placed: Sequence[Placed], rows: Sequence[Row], look: Look) -> Line:
    # The compared figure's head stands out too.
    head = head_line(placed, look.order, look.descending, look.glyphs, marked=look.metric.name)
    if not look.is_wide:
        return head
    space = look.width - _BAR - 8 - line_width(head)
    return (*head, (" " * space, "head"), *_axis(rows, look, _BAR))


def _axis(rows: Sequence[Row], look: Look, cells: int) -> Line:
    is_share = look.metric.unit == "ratio"
    suffix = "%" if is_share else {"W": " W", "C": " C"}[look.metric.unit]
    return axis(look.metric.scale(rows), cells, 100 if is_share else 1, suffix)


def _block(row: Row, placed: Sequence[Placed], rows: Sequence[Row], look: Look, *, selected: bool) -> list[Painted]:
    ground = "selected" if selected else "plain"
    numbers = row_line(placed, row, Drawing(look.glyphs), selected=selected)
    value = number(row.get(look.metric.name))
    shown = figure(value, look.metric.unit, look.glyphs, with_unit=True, tone="strong")
    mark: Span = (look.glyphs.cursor + "  " if selected else "   ", "cursor")
    cells = _BAR if look.is_wide else max(10, look.width - 32)
    shape = bar(value, look.metric.scale(rows), cells, vendor_tone(row.get("vendor")), look.glyphs)
    note = _note(row, look)
    if look.is_wide:
        space = look.width - _BAR - 8 - line_width(numbers)
        first = (*numbers, (" " * space, "ink"), *shape, ("  ", "ink"), shown)
        return [Painted(first, ground), Painted((mark, *note), ground)]
    return [Painted(numbers, ground), Painted((mark, *shape, (" ", "ink"), shown, ("  ", "ink"), *note), ground)]


def _note(row: Row, look: Look) -> Line:
    parts: list[Span] = []
    devices, reporting = number(row.get("devices")) or 0, number(row.get("reporting")) or 0
    if look.is_young and not reporting:
        parts.append(("no live samples yet", "quiet"))
    elif devices > reporting:
        parts.append((f"{look.glyphs.warn}{count(devices - reporting)} not live", "warn"))
    if row.get("part") not in (None, "", "package"):
        parts.append((f"per {row.get('part')}", "quiet"))
    peak = number(row.get("bf16_tflops"))
    if look.is_wide and peak is not None:
        parts.append((f"peak {count(peak)} TFLOPS bf16 dense: {text_of(row.get('peak_basis'))}", "quiet"))
    elif look.is_wide and row.get("vendor") != "cpu":
        parts.append(("peak unknown", "quiet"))
    spaced: list[Span] = []
    for part in parts:
        spaced += [part, ("  ", "quiet")]
    return tuple(spaced)


def _foot(rows: Sequence[Row], look: Look, *, hidden: int) -> Painted:
    more: Line = ((f"{hidden} more with {look.glyphs.updown}  ", "warn"),) if hidden > 0 else ()
    left: Line = (
        (("   ", "ink"), *_axis(rows, look, max(10, look.width - 32))) if not look.is_wide else (("   ", "ink"),)
    )
    marks = (*more, *(legend(look.glyphs) if look.is_wide else legend(look.glyphs)[:4]), (" ", "ink"))
    return Painted(spread(left, marks, look.width, look.glyphs.ellipsis))
