"""Units and how they are printed. One formatter, so that no two places round differently."""

import math
from collections.abc import Mapping
from typing import Final

ABSENT: Final = "–"

_SI: Final = ("", "k", "M", "G", "T", "P", "E")
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")

# unit in the catalogue -> what follows the number on screen
UNITS: Final[Mapping[str, str]] = {
    "ratio": "%",
    "MHz": "MHz",
    "W": "W",
    "mJ": "J",
    "C": "°C",
    "V": "V",
    "bytes": "B",
    "bytes/s": "B/s",
    "GT/s": "GT/s",
    "count": "",
    "level": "",
    "bits": "",
    "ns": "s",
    "us": "s",
    "ms": "ms",
    "s": "s",
}

# unit in the catalogue -> factor to what is shown; a ratio has its own way
_FACTOR: Final[Mapping[str, float]] = {"mJ": 1e-3, "ns": 1e-9, "us": 1e-6}


def format_value(value: float | None, unit: str, *, with_unit: bool = True) -> str:
    """A value as people read it, at most four digits before the unit.

    Args:
        value: in the catalogue's unit; None and NaN mean absent.
        unit: a key of `UNITS`.
        with_unit: leave the unit out, for a column whose head names it.
    """
    if value is None or math.isnan(value):
        return ABSENT
    if unit == "ratio":
        return f"{100.0 * value:.0f}{'%' if with_unit else ''}"
    if unit == "bits":
        return f"{int(value):#x}"
    if unit in ("bytes", "bytes/s"):
        number, prefix = _scaled(value, 1024.0, _BINARY)
        return f"{number}{' ' if with_unit else ''}{prefix}{UNITS[unit] if with_unit else ''}"
    shown = value * _FACTOR.get(unit, 1.0)
    if unit == "mJ":
        number, prefix = _scaled(shown, 1000.0, _SI)
        return f"{number} {prefix}J" if with_unit else f"{number}{prefix}"
    text = _digits(shown)
    suffix = UNITS[unit]
    return f"{text} {suffix}" if with_unit and suffix else text


def _digits(value: float) -> str:
    size = abs(value)
    if size >= 999.5:
        return f"{value:,.0f}".replace(",", " ")
    # A sum, as -0.0 is 0 too.
    return f"{value + 0.0:.0f}" if size >= 100 or value == int(value) else f"{value:.3g}"


def _scaled(value: float, base: float, prefixes: tuple[str, ...]) -> tuple[str, str]:
    step = 0
    while abs(value) >= base and step < len(prefixes) - 1:
        value /= base
        step += 1
    text = f"{value:.0f}" if step == 0 or abs(value) >= 100 else f"{value:.3g}"
    return text, prefixes[step]
