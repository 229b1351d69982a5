"""One device: what it is, and its figures as lanes over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from steelyard_proto.metrics import catalogue
from steelyard_tui.history import History, Series, Window
from steelyard_tui.present.bars import nice_ceiling
from steelyard_tui.present.columns import Row
from steelyard_tui.present.figures import (
    chip_name,
    figure,
    number,
    origin_mark,
    since,
    state_span,
    text_of,
    vendor_glyph,
    vendor_name,
)
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import BLANK, Line, Painted, Span, fit_line
from steelyard_tui.present.plot import Box, lane_rows, time_axis
from steelyard_tui.present.tones import vendor_tone

LABEL: Final = 22


@dataclass(frozen=True, slots=True)
class Plotted:
    """A figure that is plotted."""

    name: str
    title: str
    unit: str


_TITLES: Final = {
    "core_active": "core active",
    "tensor_active": "tensor active",
    "busy": "busy",
    "hbm_bw_active": "memory bandwidth",
    "power_w": "power",
    "core_clock_mhz": "core clock",
    "hbm_used_bytes": "memory in use",
    "chip_temp_c": "temperature",
    "vector_active": "vector active",
    "memctl_busy": "memory busy",
    "hbm_temp_c": "memory temperature",
}
PLOTTED: Final = tuple(Plotted(name, title, catalogue().by_name[name].unit) for name, title in _TITLES.items())


@dataclass(frozen=True, slots=True)
class Look:
    """How the device is drawn; `first` is the lane at the top."""

    width: int
    height: int
    first: int
    glyphs: Glyphs
    now_ms: int


def title_line(row: Row, window_title: str, level: str, glyphs: Glyphs) -> Line:
    """The line under the tabs."""
    node = f"{text_of(row.get('node'))}/{text_of(row.get('device_index'))}"
    return (
        (" device ", "quiet"),
        (node, "strong"),
        ("   last ", "quiet"),
        (window_title, "strong"),
        (f"   {'samples as they came' if level == 'raw' else f'means of {level}, with least and largest'}", "quiet"),
    )


def fact_lines(row: Row, look: Look) -> list[Line]:
    """What the device is and how it stands."""
    vendor, glyphs = row.get("vendor"), look.glyphs
    memory = figure(row.get("memory_bytes"), "bytes", glyphs, with_unit=True)
    origin = text_of(row.get("origin")) or "unknown origin"
    first: list[Span] = [
        (f" {vendor_glyph(vendor, glyphs)} ", vendor_tone(vendor)),
        (chip_name(row.get("chip"), vendor), "strong"),
        (f"  {vendor_name(vendor)}  ", "ink"),
        (f"{origin_mark(origin, glyphs)}{origin}" if origin != "measured" else origin, "title"),
        ("  ", "ink"),
        state_span(row.get("state"), row.get("age_s"), glyphs),
        ("   job ", "quiet"),
        (text_of(row.get("job")) or "none", "ink"),
    ]
    second: list[Span] = [(f"   {text_of(row.get('name'))}", "ink"), ("   memory ", "quiet"), memory]
    for label, name in (("per", "part"), ("power of", "power_scope"), ("driver", "driver_version")):
        if row.get(name):
            second += [(f"   {label} ", "quiet"), (text_of(row.get(name)), "ink")]
    third: list[Span] = [("   ", "ink")]
    for label, name in (("uid", "uid"), ("at", "pci_address"), ("package", "package_uid")):
        if row.get(name):
            third += [(f"{label} ", "quiet"), (f"{text_of(row.get(name))}   ", "ink")]
    seen = since(row.get("first_seen"), look.now_ms)
    if seen:
        third += [("first seen ", "quiet"), (f"{seen} ago", "ink")]
    return [tuple(first), tuple(second), tuple(third)]


def lanes(row: Row, history: History, window: Window, look: Look) -> list[Painted]:
    """Every figure that the device gives, one under the other on its own scale, then the time."""
    given = [plotted for plotted in PLOTTED if not history.series[plotted.name].is_absent]
    absent = [plotted.title for plotted in PLOTTED if history.series[plotted.name].is_absent]
    if not given:
        return [Painted(BLANK), Painted(((f"   No samples in the last {window.title}.", "strong"),))]
    room = look.height - 2
    height = max(2, min(6, room // max(1, min(len(given), max(1, room // 3)))))
    fits = max(1, room // height)
    first = max(0, min(look.first, len(given) - fits))
    drawn: list[Painted] = []
    for position, plotted in enumerate(given[first : first + fits]):
        ground = "lane" if position % 2 == 0 else "plain"
        drawn += [Painted(line, ground) for line in _lane(row, plotted, history, height, look)]
    width = look.width - LABEL - 1
    drawn.append(Painted(((" " * LABEL, "ink"), *time_axis(width, window))))
    drawn.append(Painted(_foot(absent, len(given) - fits, look)))
    return drawn


def _foot(absent: Sequence[str], hidden: int, look: Look) -> Line:
    line: list[Span] = [(" ", "ink")]
    if hidden > 0:
        line.append((f"{hidden} more with {look.glyphs.updown}   ", "warn"))
    if absent:
        line += [("not given: ", "quiet"), (", ".join(absent), "quiet")]
    return fit_line(line, look.width, "left", look.glyphs.ellipsis)


def _lane(row: Row, plotted: Plotted, history: History, height: int, look: Look) -> list[Line]:
    series = history.series[plotted.name]
    top = _top(row, plotted, series)
    box = Box(look.width - LABEL - 1, height, 0.0, top)
    low, high = float(np.nanmin(series.low)), float(np.nanmax(series.high))
    now = figure(number(row.get(plotted.name)), plotted.unit, look.glyphs, with_unit=True, tone="strong")
    largest = figure(high, plotted.unit, look.glyphs, with_unit=True)[0]
    # Bytes change their prefix with their size, so both ends need theirs.
    least = figure(low, plotted.unit, look.glyphs, with_unit=plotted.unit == "bytes")[0]
    span = largest if largest.startswith(least) else f"{least} to {largest}"
    labels: list[Line] = [
        ((f" {plotted.title}", "ink"),),
        ((" ", "ink"), now),
        ((f" {span}", "quiet"),),
    ]
    if height == 2:
        labels = [(*labels[0], ("  ", "ink"), now), labels[2]]
    tone = vendor_tone(row.get("vendor"))
    rows = lane_rows(history, series, box, look.glyphs)
    label_at: Mapping[int, Line] = dict(enumerate(labels))
    return [(*fit_line(label_at.get(y, BLANK), LABEL), (text, tone)) for y, text in enumerate(rows)]


def _top(row: Row, plotted: Plotted, series: Series) -> float:
    """The end of a lane's scale; each starts at 0."""
    if plotted.unit == "ratio":
        return 1.0
    total = number(row.get("memory_bytes"))
    if plotted.name == "hbm_used_bytes" and total:
        return total
    return nice_ceiling(float(np.nanmax(series.high)))
