"""What stands below the chips: the selected one in words, rates over time, step spread, another share, and claims."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from steelyard_tui.comparison import METRICS, Chip, Metric, Weighed
from steelyard_tui.history import RATE, RATE_WINDOW, History, Series
from steelyard_tui.present.claims import claim_lines
from steelyard_tui.present.comparison import Look, bar_of, marks_line, scale_on
from steelyard_tui.present.comparison_detail import detail_lines, explaining_lines
from steelyard_tui.present.figures import chip_name, figure, number, origin_mark, text_of, vendor_glyph
from steelyard_tui.present.fleet import key_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import BLANK, Line, fit_line, on_ground, side_by_side
from steelyard_tui.present.plot import Box, lane_rows, time_axis
from steelyard_tui.present.tones import vendor_tone

_LABEL: Final = 22
_NAME: Final = 14
_CLAIM: Final = 10
_VALUE: Final = 8
_LANE_MAX: Final = 3
_DETAIL: Final = 4
_CLAIMS: Final = 6
# Below so many lines there are no claims on a narrow screen.
_BOTH: Final = 5
_LEAST: Final = 2
# How far lanes reach from their own median: the least of these that holds nearly all of them.
_REACHES: Final = (0.1, 0.25, 0.5, 1.0)
_DIP: Final = 0.05
_EVEN: Final = 0.005
# Ends of the axis of step times, as multiples of the median.
_STEP_ENDS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


# What stands between the chips and the words of a wide screen, in so many lines.
PanelMaker = Callable[[Sequence[Chip], Weighed, Look, int], list[Line]]


def lower_lines(
    chips: Sequence[Chip], weighed: Weighed, look: Look, height: int, panels: PanelMaker | None = None
) -> list[Line]:
    """As much as fits in `height` lines.

    Args:
        chips: as they stand above.
        weighed: the shares.
        look: how to draw.
        height: lines that are left.
        panels: `panel_lines`, or what remembers its answer: it doesn't depend on the cursor, and costs most.
    """
    if height < _LEAST or not chips:
        return []
    any_share = any(chip.ratio is not None and not chip.is_reference for chip in chips)
    claims = _claims(chips, weighed, look) if any_share else []
    if not look.is_wide:
        return _narrow(chips, weighed, look, height, claims, any_share=any_share)
    words = _words(chips, weighed, look, _DETAIL, any_share=any_share)
    # Always as many lines: the panels must not jump where the cursor moves.
    words += [BLANK] * (_DETAIL - len(words))
    foot = [BLANK, *words, *([BLANK, *claims[:_CLAIMS]] if claims else [])]
    middle = (panels or panel_lines)(chips, weighed, look, height - len(foot) - 1)
    return [*([BLANK] if middle else []), *middle, *foot][:height]


def panel_lines(chips: Sequence[Chip], weighed: Weighed, look: Look, height: int) -> list[Line]:
    """Rates over time on the left; step times and the other share on the right."""
    left = look.width * 3 // 5
    lanes = _lanes(chips, weighed, look, left, height)
    right = _panels(chips, weighed, look, look.width - left - 4, height)
    return side_by_side(lanes, right, left, 3) if lanes or right else []


def _narrow(
    chips: Sequence[Chip], weighed: Weighed, look: Look, height: int, claims: Sequence[Line], *, any_share: bool
) -> list[Line]:
    """The marks, the selected chip in words, and the claims, which get a third at least."""
    marks = marks_line(chips, weighed, look) if any_share else BLANK
    for_claims = min(len(claims), max(height // 3, 2)) if height >= _BOTH else 0
    words = _words(chips, weighed, look, height - for_claims - 1, any_share=any_share)
    left = height - len(words) - 1
    blank = [BLANK] if claims and left > for_claims + 1 else []
    return [marks, *words, *blank, *claims[: max(0, left - len(blank))]]


def _words(chips: Sequence[Chip], weighed: Weighed, look: Look, height: int, *, any_share: bool) -> list[Line]:
    if not any_share:
        return explaining_lines(chips, weighed, look, height)
    return detail_lines(chips[min(look.cursor, len(chips) - 1)], weighed, look, height)


def _claims(chips: Sequence[Chip], weighed: Weighed, look: Look) -> list[Line]:
    parts = {chip.name: str(chip.row.get("part")) for chip in chips}
    lines = claim_lines(weighed.claims, parts, look.width - _CLAIM, look.glyphs)
    heads = ["   claims"] + [""] * max(0, len(lines) - 1)
    return [(*fit_line(((head, "title"),), _CLAIM), *line) for head, line in zip(heads, lines, strict=False)]


def _name(chip: Chip, glyphs: Glyphs) -> Line:
    vendor = chip.row.get("vendor")
    return (
        (f" {vendor_glyph(vendor, glyphs)} ", vendor_tone(vendor)),
        (chip_name(chip.row.get("chip"), vendor), "strong"),
        (f" {origin_mark(chip.origin, glyphs)}", "title"),
    )


def _lanes(chips: Sequence[Chip], weighed: Weighed, look: Look, width: int, height: int) -> list[Line]:
    known = [(chip, found) for chip in chips if (found := _rate_of(chip, weighed)) is not None]
    each = min(_LANE_MAX, (height - 2) // max(1, len(known)))
    if not known or each < 2:
        return []
    medians = [float(np.nanmedian(series.mean)) for _, (_, series) in known]
    reach = _reach([series for _, (_, series) in known], medians)
    lines: list[Line] = [
        (
            (f" tokens/s per device, last {RATE_WINDOW.title}", "title"),
            (f"   every lane {look.glyphs.plus_minus}{reach:.0%} of its own median", "quiet"),
        )
    ]
    for at, ((chip, (history, series)), median) in enumerate(zip(known, medians, strict=True)):
        box = Box(width - _LABEL, each, median * (1 - reach), median * (1 + reach))
        lane = _lane(chip, history, series, median, box, look.glyphs)
        # Every second lane is shaded, so that each dot is seen to belong to its own.
        lines += [on_ground(fit_line(line, width), "lane") for line in lane] if at % 2 == 0 else lane
    return [*lines, ((" " * _LABEL, "ink"), *time_axis(width - _LABEL, RATE_WINDOW))]


def _rate_of(chip: Chip, weighed: Weighed) -> tuple[History, Series] | None:
    history = weighed.rates.get(key_of(chip.row))
    series = None if history is None else history.series[RATE]
    return None if history is None or series is None or series.is_absent else (history, series)


def _reach(series: Sequence[Series], medians: Sequence[float]) -> float:
    off = np.concatenate(
        [np.abs(one.mean[~np.isnan(one.mean)] / median - 1) for one, median in zip(series, medians, strict=True)]
    )
    most = float(np.quantile(off, 0.98))
    return next((reach for reach in _REACHES if most <= reach), _REACHES[-1])


def _lane(chip: Chip, history: History, series: Series, median: float, box: Box, glyphs: Glyphs) -> list[Line]:
    tone = vendor_tone(chip.row.get("vendor"))
    plot = [((text, tone),) for text in lane_rows(history, series, box, glyphs)]
    rate = figure(median, "count", glyphs, tone="ink")
    dip = float(np.nanmin(series.mean)) / median - 1
    labels: list[Line] = [
        (*fit_line(_name(chip, glyphs), _LABEL - _VALUE - 1), *fit_line((rate,), _VALUE, "right"), (" ", "ink")),
        (("   even" if dip > -_EVEN else f"   least {dip:.0%}", "warn" if dip < -_DIP else "quiet"),),
    ]
    return [(*fit_line(labels[y] if y < 2 else BLANK, _LABEL), *line) for y, line in enumerate(plot)]


def _panels(chips: Sequence[Chip], weighed: Weighed, look: Look, width: int, height: int) -> list[Line]:
    """Step times, and the other share; the latter goes first where there is no room for both."""
    steps = _steps(chips, look.glyphs, width)
    shares = _other_share(chips, weighed, look, width)
    if len(steps) + 1 + len(shares) <= height:
        return [*steps, *([BLANK] if steps and shares else []), *shares]
    return steps if len(steps) <= height else []


def _steps(chips: Sequence[Chip], glyphs: Glyphs, width: int) -> list[Line]:
    spans = [
        (chip, tuple(number(chip.row.get(name)) for name in ("step_p50_s", "step_p95_s", "step_p99_s")))
        for chip in chips
    ]
    known = [(chip, p95 / p50, p99 / p50) for chip, (p50, p95, p99) in spans if p50 and p95 and p99]
    if not known:
        return []
    most = max(p99 for _, _, p99 in known)
    end = next((end for end in _STEP_ENDS if most <= end), _STEP_ENDS[-1])
    cells = width - _NAME - _VALUE
    lines: list[Line] = [
        (("step times, own median = 1", "title"), (f"   {glyphs.thin * 2} to p95  {glyphs.hair * 2} to p99", "quiet")),
        ((" " * _NAME, "ink"), (_log_axis(end, cells), "quiet")),
    ]
    for chip, p95, p99 in known:
        tone = vendor_tone(chip.row.get("vendor"))
        solid, all_ = (round(min(1.0, np.log(p) / np.log(end)) * (cells - 1)) for p in (p95, p99))
        shape = (
            (glyphs.thumb, "strong"),
            (glyphs.thin * solid, tone),
            (glyphs.hair * (all_ - solid), tone),
            (" " * (cells - 1 - all_), "ink"),
        )
        value = (f"{glyphs.times}{p99:.2f}", "warn" if p99 > 1.25 else "quiet")
        lines.append((*fit_line(_name(chip, glyphs), _NAME), *shape, *fit_line((value,), _VALUE, "right")))
    return lines


def _log_axis(end: float, cells: int) -> str:
    text = ""
    marks = [mark for mark in (1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0) if mark <= end]
    for mark in marks:
        at = round(float(np.log(mark) / np.log(end)) * (cells - 1))
        if at >= len(text) + (2 if text else 0) and at + 3 <= cells + _VALUE:
            text = text.ljust(at) + f"{mark:g}"
    return text


def _other_share(chips: Sequence[Chip], weighed: Weighed, look: Look, width: int) -> list[Line]:
    """The shares in a second quantity: joules beside rates, else rates."""
    metric = _other(look.metric)
    rows = [
        Chip(chip.row, None if chip.is_reference else weighed.share(chip, metric), chip.is_reference) for chip in chips
    ]
    known = [chip for chip in rows if chip.ratio is not None]
    if len(known) < 2:
        return _no_other_share(rows, weighed, metric, width)
    cells = width - _NAME - _VALUE
    scale = scale_on(known, cells)
    lines: list[Line] = [((f"{metric.title}, share of {weighed.reference}", "title"),)]
    for chip in known:
        shape = bar_of(chip, scale, cells, look.glyphs)
        value = (f"{chip.ratio:.2f}", "strong")
        lines.append((*fit_line(_name(chip, look.glyphs), _NAME), *shape, *fit_line((value,), _VALUE, "right")))
    return lines


def _no_other_share(rows: Sequence[Chip], weighed: Weighed, metric: Metric, width: int) -> list[Line]:
    """Why no chip has one; nothing where nothing is known."""
    reason = next((text_of(chip.share["reason"]) for chip in rows if chip.share and chip.share["reason"]), "")
    if not reason:
        return []
    lines = textwrap.wrap(f"none: {reason}", width)
    return [((f"{metric.title}, share of {weighed.reference}", "title"),), *(((line, "quiet"),) for line in lines)]


def _other(metric: Metric) -> Metric:
    return next(
        one
        for one in METRICS
        if one.quantity == ("tokens_per_j" if metric.quantity != "tokens_per_j" else "tokens_per_s_device")
    )
