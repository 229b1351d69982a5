"""Cells that several tables share."""

from collections.abc import Callable
from typing import Final

from steelyard_tui.present.bars import thin_bar
from steelyard_tui.present.columns import Column, Drawing, Row
from steelyard_tui.present.figures import (
    chip_name,
    figure,
    number,
    origin_mark,
    state_span,
    text_of,
    vendor_glyph,
)
from steelyard_tui.present.line import Line
from steelyard_tui.present.tones import vendor_tone

Cell = Callable[[Row, Drawing], Line]

_WHOLE: Final = frozenset({"W", "C"})
_SMALL: Final = 10.0
STALE_STATES: Final = frozenset({"stale", "silent", "finished", "lost"})


def ink(row: Row) -> str:
    """The tone of a row's figures: old ones step back."""
    return "quiet" if row.get("state") in STALE_STATES else "ink"


def text_cell(name: str, tone: str = "") -> Cell:
    """A text as it stands."""

    def cell(row: Row, drawing: Drawing) -> Line:
        text = text_of(row.get(name))
        return ((text, tone or ink(row)),) if text else ((drawing.glyphs.absent, "faint"),)

    return cell


def figure_cell(name: str, unit: str) -> Cell:
    """A figure without its unit, which the head names; watts and degrees whole, to stand under one another."""
    is_whole = unit in _WHOLE

    def cell(row: Row, drawing: Drawing) -> Line:
        value = row.get(name)
        if is_whole and isinstance(value, float) and value >= _SMALL:
            value = float(round(value))
        return (figure(value, unit, drawing.glyphs, tone=ink(row)),)

    return cell


def figure_column(title: str, name: str, unit: str, width: int, priority: int = 0) -> Column:
    """A column of figures."""
    return Column(title, (name,), width, figure_cell(name, unit), priority)


def chip_cell(row: Row, drawing: Drawing) -> Line:
    """Shape, chip, and the mark of what isn't measured."""
    vendor = row.get("vendor")
    return (
        (vendor_glyph(vendor, drawing.glyphs) + " ", vendor_tone(vendor)),
        (chip_name(row.get("chip"), vendor), "strong" if ink(row) == "ink" else "quiet"),
        (" " + origin_mark(row.get("origin"), drawing.glyphs), "title"),
    )


def chips_cell(row: Row, drawing: Drawing) -> Line:
    """Shapes of the vendors, then the chips' names."""
    vendors = row.get("vendors")
    names = vendors if isinstance(vendors, list) else [vendors]
    shapes: Line = tuple((vendor_glyph(v, drawing.glyphs), vendor_tone(v)) for v in names)
    chips = text_of(row.get("chips")) or ("CPU" if names == ["cpu"] else "unknown chip")
    mark = origin_mark(row.get("origin"), drawing.glyphs)
    return (*shapes, (f" {chips}", "strong" if ink(row) == "ink" else "quiet"), (f" {mark}", "title"))


def state_cell(row: Row, drawing: Drawing) -> Line:
    """Live, stale or silent, with the age of what isn't live."""
    return (state_span(row.get("state"), row.get("age_s"), drawing.glyphs),)


def reporting_cell(row: Row, drawing: Drawing) -> Line:
    """How many devices report, of how many; yellow where some don't."""
    devices, reporting = number(row.get("devices")), number(row.get("reporting"))
    if devices is None:
        return ((drawing.glyphs.absent, "faint"),)
    if reporting is None or reporting == devices:
        return ((f"{devices:,.0f}".replace(",", " "), ink(row)),)
    return ((f"{reporting:.0f}/{devices:.0f}", "warn"),)


def bar_column(title: str, name: str, width: int, priority: int, grow: int) -> Column:
    """A bar from 0 to 1 in the vendor's colour."""

    def cell(row: Row, drawing: Drawing) -> Line:
        value = number(row.get(name))
        if value is None:
            return ((drawing.glyphs.absent, "faint"),)
        return thin_bar(value, 1.0, width + grow, vendor_tone(row.get("vendor")), drawing.glyphs)

    return Column(title, (name,), width + grow, cell, priority, "left")
