"""Figures, ages and origins as people read them."""

import math
from datetime import datetime
from typing import Final

from steelyard_proto.units import format_value
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Span, clean

_DAY_S: Final = 86400
VENDOR_NAMES: Final = {"nvidia": "NVIDIA", "huawei": "Huawei", "amd": "AMD", "cpu": "CPU"}


def number(value: object) -> float | None:
    """A figure as a float; None for what is absent or not a figure."""
    if value is None or isinstance(value, bool):
        return None
    if type(value) is float:
        return None if math.isnan(value) else value
    return None if not isinstance(value, int | float) or math.isnan(value) else float(value)


def figure(value: object, unit: str, glyphs: Glyphs, *, with_unit: bool = False, tone: str = "ink") -> Span:
    """A figure in the one format of all screens; what is absent is a faint dash, never 0."""
    known = number(value)
    if known is None:
        return glyphs.absent, "faint"
    text = format_value(known, unit, with_unit=with_unit)
    return ascii_safe(text, glyphs) if with_unit else text, tone


def scaled(value: float | None, factor: int, digits: int) -> float | None:
    """A figure in another unit: a ratio in percent, seconds in milliseconds."""
    return None if value is None else round(factor * value, digits)


def ascii_safe(text: str, glyphs: Glyphs) -> str:
    """The shared formatter's signs in the terminal's own."""
    return text.replace("°C", glyphs.degree) if "°" in text else text


def count(value: object) -> str:
    """A count with thin groups: 5 000."""
    known = number(value)
    return "?" if known is None else f"{known:,.0f}".replace(",", " ")


def text_of(value: object) -> str:
    """Text as it may be drawn; lists are joined."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        # A map's entries are pairs.
        texts = (
            ": ".join(map(str, item)) if isinstance(item, tuple) else str(item)
            for item in value
            if item not in (None, "")
        )
        return ", ".join(map(clean, texts))
    return clean(str(value))


def duration(seconds: float) -> str:
    """A span of time by its one or two largest units: 41 s, 12 min, 3 h 05, 2 d 4 h."""
    whole = int(max(0.0, seconds))
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min"
    if whole < _DAY_S * 2:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // _DAY_S} d {whole % _DAY_S // 3600} h"


def since(moment: object, now_ms: int) -> str:
    """How long ago a moment of the collector's clock was."""
    if not isinstance(moment, datetime):
        return ""
    return duration(now_ms / 1000 - moment.timestamp())


def origin_mark(origin: object, glyphs: Glyphs) -> str:
    """One cell that tells simulated and replayed figures from measured ones."""
    return {"simulated": glyphs.simulated, "replayed": glyphs.replayed}.get(str(origin), " ")


def state_span(state: object, age_s: object, glyphs: Glyphs) -> Span:
    """Whether figures are live, and how old they are where they are not."""
    name = str(state or "")
    age = number(age_s)
    old = "" if age is None else f" {duration(age)}"
    if name == "live":
        return "live", "quiet"
    if name in ("stale", "silent"):
        return f"{glyphs.warn}{name}{old}", "warn"
    return (clean(name), "quiet") if name else (glyphs.absent, "faint")


def chip_name(chip: object, vendor: object) -> str:
    """The chip, or what can be said of one that the chip table doesn't know."""
    if chip:
        return clean(str(chip))
    return "CPU" if vendor == "cpu" else "unknown chip"


def vendor_name(vendor: object) -> str:
    """The vendor as it writes itself."""
    return VENDOR_NAMES.get(str(vendor), clean(str(vendor or "")))


def vendor_glyph(vendor: object, glyphs: Glyphs) -> str:
    """The vendor's shape."""
    return glyphs.vendors.get(str(vendor), glyphs.vendors[""])
