"""Bars on one scale, with eighths of a cell where the terminal has them."""

import math

from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, Span


def bar(value: float | None, scale: float, cells: int, tone: str, glyphs: Glyphs) -> Line:
    """A bar from 0 to `value` where `scale` fills `cells`, always that wide; an absent value has no bar."""
    if value is None or scale <= 0:
        return ((glyphs.absent, "faint"), (" " * (cells - 1), "ink"))
    filled = max(0.0, min(1.0, value / scale)) * cells
    whole = int(filled)
    part = int((filled - whole) * 8) if glyphs.eighths else 0
    text = glyphs.bar * whole + (glyphs.eighths[part - 1] if part else "")
    rest: list[Span] = [(text, tone)]
    space = cells - len(text)
    if space:
        rest.append((" " * space, "ink"))
    return tuple(rest)


def thin_bar(value: float | None, scale: float, cells: int, tone: str, glyphs: Glyphs) -> Line:
    """The same, a line high, for rows that follow one another closely: full blocks would run into one wall."""
    if value is None or scale <= 0:
        return bar(None, scale, cells, tone, glyphs)
    halves = round(max(0.0, min(1.0, value / scale)) * cells * 2)
    text = glyphs.thin * (halves // 2) + glyphs.thin_half * (halves % 2)
    return ((text.ljust(cells), tone),)


def axis(scale: float, cells: int, unit_factor: float, suffix: str) -> Line:
    """0, quarters and the end of a scale, under or over bars of `cells`."""
    text = ""
    steps = 4 if cells >= 28 else 2
    for step in range(steps + 1):
        label = f"{scale * step / steps * unit_factor:.0f}" + (suffix if step == steps else "")
        at = round(cells * step / steps)
        at = min(at, cells - len(label)) if step == steps else at
        text = text[:at].ljust(at) + label
    return ((text, "quiet"),)


def nice_ceiling(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 or 10 times a power of ten: the end of a scale that doesn't flicker."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0) if value <= step * power * 1.000001)
