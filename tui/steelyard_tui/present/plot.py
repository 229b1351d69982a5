"""A lane: one figure over time in braille dots, with spikes kept and gaps left open."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from steelyard_tui.history import History, Series, Window
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line

# The dots of a braille cell, by column and by row from the top.
_DOTS: Final = np.array([[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]])
# A hole longer than this many buckets stays open.
_GAP_BUCKETS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Box:
    """The room of a lane, in cells, and its scale."""

    width: int
    height: int
    low: float
    high: float


def lane_rows(history: History, series: Series, box: Box, glyphs: Glyphs) -> list[str]:
    """The lane's rows from the top, each `box.width` characters."""
    across, down = (2, 4) if glyphs.braille else (1, 2)
    columns, dots = box.width * across, box.height * down
    low, high = _by_column(history, series, columns)
    grid = _raster(_dot(low, box, dots), _dot(high, box, dots), dots)
    if not glyphs.braille:
        return _ascii_rows(grid, box)
    cells = grid.reshape(box.height, 4, box.width, 2).transpose(0, 2, 3, 1)
    codes = (cells * _DOTS).sum(axis=(2, 3))
    return ["".join(chr(0x2800 + code) if code else " " for code in row) for row in codes.tolist()]


def _ascii_rows(grid: NDArray[np.bool_], box: Box) -> list[str]:
    halves = grid.reshape(box.height, 2, box.width)
    signs = np.array([" ", "'", ".", ":"])
    codes = halves[:, 0].astype(int) + 2 * halves[:, 1].astype(int)
    return ["".join(row) for row in signs[codes].tolist()]


def _by_column(history: History, series: Series, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the largest value of each column of dots; NaN in gaps."""
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    span = max(1, history.to_ms - history.from_ms)
    known = ~np.isnan(series.mean)
    if not known.any():
        return np.full(columns, np.nan), np.full(columns, np.nan)
    at = history.at_ms[known]
    place = np.clip(((at - history.from_ms) / span * columns).astype(int), 0, columns - 1)
    np.minimum.at(low, place, np.fmin(series.low[known], series.mean[known]))
    np.maximum.at(high, place, np.fmax(series.high[known], series.mean[known]))
    filled = np.isfinite(low)
    # A bucket lasts until the next one, unless that is missing.
    last = np.where(filled, np.arange(columns), -1)
    last = np.maximum.accumulate(last)
    reach = max(1.0, _GAP_BUCKETS * history.step_ms / span * columns)
    held = (last >= 0) & (np.arange(columns) - last <= reach)
    # Nothing is drawn after the newest figure.
    held &= np.arange(columns) <= place.max()
    source = np.where(held, last, 0)
    return np.where(held, low[source], np.nan), np.where(held, high[source], np.nan)


def _dot(values: NDArray[np.float64], box: Box, dots: int) -> NDArray[np.float64]:
    share = (values - box.low) / max(1e-12, box.high - box.low)
    return np.round(np.clip(share, 0, 1) * (dots - 1))


def _raster(low: NDArray[np.float64], high: NDArray[np.float64], dots: int) -> NDArray[np.bool_]:
    """Dots from the top, by row and column; neighbouring columns touch."""
    before_low, before_high = np.roll(low, 1), np.roll(high, 1)
    before_low[:1] = before_high[:1] = np.nan
    # From the edge of the column before, so that a step is a line and not two loose dots.
    low = np.where(before_high < low, before_high + 1, low)
    high = np.where(before_low > high, before_low - 1, high)
    level = np.arange(dots)[::-1, None]
    with np.errstate(invalid="ignore"):
        return (level >= low[None]) & (level <= high[None])


def time_axis(width: int, window: Window) -> Line:
    """How far back each place of a lane is."""
    text = ""
    steps = window.marks
    for step in range(steps + 1):
        label = "now" if step == steps else f"-{_ago(window.seconds * (steps - step) // steps)}"
        at = width - 3 if step == steps else width * step // steps
        text = text[:at].ljust(at) + label
    return ((text[:width], "quiet"),)


def _ago(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
