"""All that is known of one chip's share, in sentences: what it covers, what it is matched on, and what to doubt."""

import textwrap
from collections.abc import Iterator, Sequence

from steelyard_tui.comparison import Chip, Row, Weighed
from steelyard_tui.present.comparison import Look, age_text, silence, unit_of
from steelyard_tui.present.figures import chip_name, number, origin_mark, text_of
from steelyard_tui.present.line import Line, Span
from steelyard_tui.present.reasons import explain_none, why_no_share
from steelyard_tui.present.shares import jobs_text, ratio_text, share_text

_INDENT = 3
_MOST_WORKLOADS = 3
# Below it some of the energy is missing.
_WHOLE = 0.995


def detail_lines(chip: Chip, weighed: Weighed, look: Look, height: int) -> list[Line]:
    """As much of it as fits in so many lines; what matters most comes first."""
    name = f"{chip_name(chip.row.get('chip'), chip.row.get('vendor'))} {origin_mark(chip.origin, look.glyphs)}".rstrip()
    return _fitted(name, [*_sentences(chip, weighed, look)], look, height)


def explaining_lines(chips: Sequence[Chip], weighed: Weighed, look: Look, height: int) -> list[Line]:
    """What a share needs and when the first one comes, where there is none at all."""
    news, rule = explain_none(chips, weighed, look.now_ms)
    return _fitted("", [(news, "strong"), (rule, "ink")], look, height)


def _fitted(title: str, sentences: Sequence[Span], look: Look, height: int) -> list[Line]:
    lines: list[Line] = []
    for text, tone in sentences:
        head = f"{title}: " if title and not lines else ""
        # The title is drawn in its own tone, but takes its place in the wrapping.
        rows = textwrap.wrap(head + text, look.width - _INDENT - 1) or [head]
        for at, row in enumerate(rows):
            spans: Line = ((" " * _INDENT, "ink"), (row, tone))
            if at == 0 and head:
                spans = ((" " * _INDENT, "ink"), (head, "title"), (row[len(head) :], tone))
            lines.append(spans)
    if len(lines) > height > 0:
        *kept, last = lines[:height]
        return [*kept, (*last, (f" {look.glyphs.ellipsis}", "quiet"))]
    return lines[: max(0, height)]


def _sentences(chip: Chip, weighed: Weighed, look: Look) -> Iterator[Span]:
    share = chip.share
    if chip.is_reference:
        yield "the reference, so its share is 1; r takes another", "ink"
    elif share is None or share["ratio"] is None:
        yield why_no_share(chip, weighed, look.now_ms), "ink"
    else:
        yield share_text(share, unit_of(chip)), "ink"
        warnings = [*share["warnings"], *([age] if (age := age_text(share, look.now_ms)) else [])]
        for warning in warnings:
            yield f"{look.glyphs.warn}{text_of(warning)}", "warn"
        yield f"{jobs_text(share)}; matched on {', '.join(share['matched_on'])}", "quiet"
        yield from _units(chip, weighed, look)
    for text, tone in silence(chip.row, look.glyphs):
        yield f"{text} of {number(chip.row.get('devices')) or 0:.0f} devices: their figures are left out", tone
    yield from _figures(chip)
    if share is not None and share["excluded"]:
        more = len(share["excluded"]) - 1
        others = f" and {more} more" if more else ""
        yield f"left out: {text_of(share['excluded'][0])}{others}", "quiet"


def _units(chip: Chip, weighed: Weighed, look: Look) -> Iterator[Span]:
    """The share of the package where a device is a part of one, and each workload's where there are several."""
    package = weighed.share(chip, look.metric, "package")
    if package is not None and package["ratio"] is not None and chip.row.get("part") not in (None, "", "package"):
        yield f"a whole package: {share_text(package, 'packages')}", "ink"
    workloads = weighed.workloads(chip, look.metric)
    if len(workloads) > 1:
        told = [f"{ratio_text(row)} {text_of(row['workload'])}" for row in workloads[:_MOST_WORKLOADS]]
        more = len(workloads) - len(told)
        yield f"by workload: {'; '.join(told)}{f'; and {more} more' if more > 0 else ''}", "ink"


def _figures(chip: Chip) -> Iterator[Span]:
    """What the live figures are of, and why some are absent."""
    if chip.trains:
        parts = [*_bases(chip.row), *_absences(chip.row)]
        if parts:
            yield "; ".join(parts), "quiet"


def _bases(row: Row) -> Iterator[str]:
    if row.get("mfu") is not None:
        yield f"MFU of the dense peak: {text_of(row.get('mfu_basis'))}"
    elif (achieved := number(row.get("tflops_per_device"))) is not None:
        yield f"{achieved:.1f} TFLOP/s a device"
    ceiling = number(row.get("share_of_ceiling"))
    if ceiling is not None:
        yield f"{ceiling:.0%} of what a large matrix product was measured to reach"
    if row.get("ofu") is not None and not row.get("ofu_validated"):
        yield "OFU isn't validated on this chip"
    if row.get("unlike"):
        yield f"rates and steps of another workload than the others': {text_of(row.get('unlike'))}"
    elif row.get("workload"):
        yield f"rates and steps of {text_of(row.get('workload'))}"
    if row.get("tokens_origin") and not row.get("tokens_absent"):
        yield f"tokens {text_of(row.get('tokens_origin'))}"
    coverage = number(row.get("energy_coverage"))
    if coverage is not None and coverage < _WHOLE:
        yield f"energy is known of {coverage:.0%} of the time"
    goodput = number(row.get("goodput"))
    if goodput is not None:
        yield f"goodput {goodput:.0%}"


def _absences(row: Row) -> Iterator[str]:
    for figure, name, reason in (("mfu", "MFU", "mfu_absent"), ("ofu", "OFU", "ofu_absent")):
        if row.get(figure) is None and row.get(reason):
            yield f"no {name}: {text_of(row.get(reason))}"
    if row.get("tokens_absent"):
        yield f"no tokens/s: {text_of(row.get('tokens_absent'))}"
