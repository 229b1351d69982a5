"""Cells as people read them, the same in the page and in Markdown."""

from datetime import datetime
from typing import Any

from steelyard_proto.units import ABSENT, format_value
from steelyard_tui.present.figures import chip_name, count, number, text_of, vendor_glyph
from steelyard_tui.present.glyphs import UNICODE
from steelyard_tui.report.document import Column, Row

_DIGITS = {"percent": "{:.1f}", "share": "{:.2f}"}


def cell_text(row: Row, column: Column) -> str:
    """What stands in a cell; what is absent is a dash, never 0."""
    value = row.get(column.key)
    if column.unit == "chip":
        return chip_text(row)
    if column.unit == "interval":
        return ABSENT if value is None else f"{value[0]:.2f} – {value[1]:.2f}"
    if column.unit == "time":
        return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else ABSENT
    if column.unit in ("text", "word"):
        return text_of(value) or ABSENT
    return _number_text(value, column.unit)


def chip_text(row: Row) -> str:
    """A chip with its vendor's shape, and the word for what isn't measured."""
    name = chip_name(row.get("chip"), row.get("vendor"))
    shape = f"{vendor_glyph(row['vendor'], UNICODE)} " if row.get("vendor") else ""
    part = row.get("part")
    return f"{shape}{name}{f' {part}' if part and part != 'package' else ''}{origin_text(row)}"


def origin_text(row: Row) -> str:
    """` simulated` or ` replayed`; nothing for what is measured."""
    origin = str(row.get("origin") or "")
    return f" {origin}" if origin in ("simulated", "replayed") else ""


def _number_text(value: Any, unit: str) -> str:
    known = number(value)
    if known is None:
        return ABSENT
    if unit == "count":
        return count(known)
    digits = _DIGITS.get(unit)
    return digits.format(known) if digits else format_value(known, "count")
