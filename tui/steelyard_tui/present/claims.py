"""Claims about the chips and what this fleet's jobs say to them, in words."""

from collections.abc import Mapping, Sequence
from typing import Final

from steelyard_tui.present.figures import origin_mark, text_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, fit_line, width_of
from steelyard_tui.present.shares import Row, ratio_text

_TONES: Final = {"consistent": "good", "not consistent": "warn", "undecided": "ink", "not testable": "quiet"}
_WIDE: Final = 100
_VERDICT: Final = 84


def claim_text(row: Row) -> str:
    """What is claimed."""
    quantity = "" if row["quantity"] == "training" else f", {row['quantity']}"
    return f"{row['subject']} = {row['value']:.2f} of {row['claimed_of']} per {row['unit']}{quantity}"


def verdict_text(row: Row) -> str:
    """What is to be thought of it, with the interval, the probability and the jobs behind it."""
    if row["verdict"] == "not testable":
        return f"not testable here: {row['reason']}"
    text = f"{row['verdict']}: {ratio_text(row)} over {row['kind']}"
    if row["probability"] is not None:
        text += f"; {row['probability']:.0%} to be within {100 * row['near']:.0f} points"
    text += f"; {row['n_a']} against {row['n_r']} jobs of {row['workloads']} workload"
    text += "" if row["workloads"] == 1 else "s"
    return text if row["origin"] in (None, "measured") else f"{row['origin'].upper()} DATA: {text}"


def claim_lines(rows: Sequence[Row], parts: Mapping[str, str], width: int, glyphs: Glyphs) -> list[Line]:
    """A line for each claim and pair of chips of this fleet, judged ones first; one line for a claim of others' chips.

    Args:
        rows: of the view claims.
        parts: what a device of each chip that this fleet has is: package, die or gcd.
        width: of a line.
        glyphs: of the terminal.
    """
    chosen = _chosen(rows, parts)
    is_wide = width >= _WIDE
    claims = [_short_claim(row, parts, is_wide=is_wide) for row in chosen]
    most = width - _VERDICT if is_wide else width // 2 - 1
    room = min(max(map(len, claims), default=0), most)
    return [
        (
            *fit_line(((claim, "ink"),), room, "left", glyphs.ellipsis),
            ("  ", "ink"),
            (_short_verdict(row, glyphs, width - room - 2, is_wide=is_wide), _TONES.get(row["verdict"], "ink")),
        )
        for row, claim in zip(chosen, claims, strict=True)
    ]


def _short_claim(row: Row, parts: Mapping[str, str], *, is_wide: bool) -> str:
    """What is claimed, with the unit only where a device is another one."""
    unit = f" {row['unit']}" if parts.get(row["chip"], "package") != "package" else ""
    quantity = "" if row["quantity"] == "training" else f", {row['quantity']}"
    said = f" ({row['said_by'].split(',')[0]}, {row['said_on']})" if is_wide else f", {row['said_on'][:4]}"
    chip = "" if is_wide or row["chip"] == row["subject"] or row["chip"] not in parts else f" ({row['chip']})"
    return f"{row['subject']}{chip}{unit} = {row['value']:.2f} of {row['claimed_of']}{quantity}{said}"


def _short_verdict(row: Row, glyphs: Glyphs, width: int, *, is_wide: bool) -> str:
    """The verdict with its interval, and as much of what is behind it as fits; the chip if the claim names another."""
    chip = f"{row['chip']}: " if is_wide and row["chip"] != row["subject"] else ""
    if row["verdict"] == "not testable":
        return text_of(f"{chip}not testable: {row['reason']}")
    mark = glyphs.warn if row["verdict"] == "not consistent" else ""
    origin = origin_mark(row["origin"], glyphs).strip()
    text = f"{chip}{mark}{row['verdict']} {origin}{ratio_text(row)}"
    behind = [f" over {row['kind']}", f", {row['n_a']} against {row['n_r']} jobs"] if is_wide else []
    if is_wide and row["probability"] is not None:
        behind.append(f"; {row['probability']:.0%} to be within {100 * row['near']:.0f} points")
    for part in behind:
        if width_of(text + part) > width:
            break
        text += part
    return text_of(text)


def _chosen(rows: Sequence[Row], parts: Mapping[str, str]) -> list[Row]:
    """Those worth a line: of a claim that may mean several chips, the ones that this fleet has."""
    found: list[Row] = []
    for claim in dict.fromkeys(row["claim"] for row in rows):
        pairs = [row for row in rows if row["claim"] == claim]
        found += [row for row in pairs if row["chip"] in parts] or pairs[:1]
    return sorted(found, key=lambda row: row["verdict"] == "not testable")
