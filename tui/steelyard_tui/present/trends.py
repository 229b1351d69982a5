"""What stands below the chips: the compared figure over time, power side by side, and what happened last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from steelyard_tui.history import History, Window
from steelyard_tui.present.bars import axis, nice_ceiling, thin_bar
from steelyard_tui.present.columns import Row
from steelyard_tui.present.figures import chip_name, figure, number, origin_mark, since, text_of, vendor_glyph
from steelyard_tui.present.fleet import Key, Look, key_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import BLANK, Line, Span, fit_line, on_ground, side_by_side
from steelyard_tui.present.plot import Box, lane_rows, time_axis
from steelyard_tui.present.tones import vendor_tone

LABEL: Final = 20
_LANE_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Past:
    """What has been read of the past; `window` is what was asked for."""

    window: Window
    histories: Mapping[Key, History] = field(default_factory=dict)
    events: Sequence[Row] = ()


def lower_lines(rows: Sequence[Row], past: Past, look: Look, height: int, now_ms: int) -> list[Line]:
    """As much of it as fits in `height` lines."""
    if not look.is_wide:
        lanes = _lanes(rows, past, look, look.width, height - 1)
        return [BLANK, *lanes] if lanes else _events(past, look.glyphs, look.width, height, now_ms)
    left = look.width * 3 // 5
    width = look.width - left - 3
    lanes = _lanes(rows, past, look, left, height - 1)
    power = _power(rows, look.glyphs, width)
    if len(power) > height - 1:
        power = []
    events = _events(past, look.glyphs, width, height - 1 - len(power), now_ms)
    return [BLANK, *side_by_side(lanes, [*power, *events], left, 3)]


def _lanes(rows: Sequence[Row], past: Past, look: Look, width: int, height: int) -> list[Line]:
    count = len(rows)
    each = min(_LANE_MAX, (height - 2) // max(1, count))
    if each < 2 or not past.histories:
        return []
    scale = look.metric.scale(rows)
    end = figure(scale, look.metric.unit, look.glyphs, with_unit=True)[0]
    lines: list[Line] = [
        (
            (f" {look.metric.title}, last {past.window.title}", "title"),
            (f"   every lane from 0 to {end}", "quiet"),
        )
    ]
    for at, row in enumerate(rows):
        lane = _lane(row, past, look, Box(width - LABEL, each, 0.0, scale))
        # Every second lane is shaded, so that each dot is seen to belong to its own.
        lines += [on_ground(fit_line(line, width), "lane") for line in lane] if at % 2 == 0 else lane
    return [*lines, ((" " * LABEL, "ink"), *time_axis(width - LABEL, past.window))]


def _name(row: Row, glyphs: Glyphs) -> Line:
    vendor = row.get("vendor")
    return (
        (f" {vendor_glyph(vendor, glyphs)} ", vendor_tone(vendor)),
        (chip_name(row.get("chip"), vendor), "strong"),
        (f" {origin_mark(row.get('origin'), glyphs)}", "title"),
    )


def _lane(row: Row, past: Past, look: Look, box: Box) -> list[Line]:
    history = past.histories.get(key_of(row))
    series = None if history is None else history.series.get(look.metric.name)
    if history is None or series is None or series.is_absent:
        plot: list[Line] = [((look.glyphs.absent + " not given", "faint"),), *[BLANK] * (box.height - 1)]
        under: Line = BLANK
    else:
        tone = vendor_tone(row.get("vendor"))
        # The mean over all devices of a chip; the least and largest of single devices would fill the lane.
        rows = lane_rows(history, series.only_mean(), box, look.glyphs)
        plot = [((text, tone),) for text in rows]
        least = figure(float(np.nanmin(series.mean)), look.metric.unit, look.glyphs)[0]
        most = figure(float(np.nanmax(series.mean)), look.metric.unit, look.glyphs, with_unit=True)[0]
        under = ((f"   {least} to {most}", "quiet"),)
    labels = [_name(row, look.glyphs), under]
    return [(*fit_line(labels[y] if y < 2 else BLANK, LABEL), *line) for y, line in enumerate(plot)]


def _power(rows: Sequence[Row], glyphs: Glyphs, width: int) -> list[Line]:
    known = [value for row in rows if (value := number(row.get("power_w"))) is not None]
    if not known:
        return []
    scale = nice_ceiling(max(known))
    cells = max(10, width - 18 - 8)
    lines: list[Line] = [(("power per device", "title"), ("   as its vendor counts it", "quiet"))]
    for row in rows:
        value = number(row.get("power_w"))
        shape = thin_bar(value, scale, cells, vendor_tone(row.get("vendor")), glyphs)
        shown = figure(value, "W", glyphs, with_unit=True, tone="strong")
        lines.append((*fit_line(_name(row, glyphs), 18), *shape, ("  ", "ink"), shown))
    return [*lines, ((" " * 18, "ink"), *axis(scale, cells, 1, " W")), BLANK]


def _events(past: Past, glyphs: Glyphs, width: int, height: int, now_ms: int) -> list[Line]:
    if height < 3:
        return []
    lines: list[Line] = [((" latest events" if width > 70 else "latest events", "title"),)]
    if not past.events:
        return [*lines, (("   nothing has happened", "quiet"),)]
    for event in past.events[: height - 1]:
        severity = str(event.get("severity"))
        tone = "bad" if severity == "error" else "warn" if severity == "warning" else "ink"
        ago = since(event.get("ts"), now_ms)
        line: list[Span] = [
            (f"{ago:>8} ago ", "quiet"),
            (f"{glyphs.warn if severity != 'info' else ' '}{text_of(event.get('text'))}", tone),
            (f"  {text_of(event.get('node'))}", "quiet"),
        ]
        lines.append(fit_line(line, width, "left", glyphs.ellipsis))
    return lines
