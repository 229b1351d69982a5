"""A share of a reference as people read it: a bar with its interval, what it covers, and why there is none."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from steelyard_tui.present.figures import duration, text_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line
from steelyard_tui.present.tones import vendor_tone

Row = Mapping[str, Any]

UNITS: Final[Mapping[str, str]] = {
    "tokens_per_s_device": "tokens/s per device",
    "tokens_per_j": "tokens per joule",
    "cost_per_mtoken": "cost per million tokens",
}
# A bar ends here at the least, so that the reference always stands at the same place when all are smaller.
_LEAST_SCALE: Final = 1.1


def scale_of(rows: Sequence[Row]) -> float:
    """The end of the scale on which all bars of a comparison stand."""
    ends = [row["hi"] or row["ratio"] or 0.0 for row in rows]
    # A wide interval may run out of the picture; the estimate never does.
    most = max([row["ratio"] or 0.0 for row in rows], default=0.0)
    return max(_LEAST_SCALE, min(max(ends, default=0.0), 2 * most) * 1.02)


def share_bar(row: Row, scale: float, cells: int, glyphs: Glyphs) -> Line:
    """Solid up to the lower end, pale over the interval, a tick at the estimate, a thin rule at the reference.

    Args:
        row: of the view shares; without a ratio there is only the rule.
        scale: what fills all cells.
        cells: how wide.
        glyphs: of the terminal.
    """
    vendor = vendor_tone(row["vendor"])
    signs = [(" ", "ink")] * cells
    ratio = row["ratio"]
    low, high = (row["lo"], row["hi"]) if row["lo"] is not None else (ratio, ratio)
    if ratio is not None:
        for cell in range(cells):
            middle = (cell + 0.5) / cells * scale
            if middle <= low:
                signs[cell] = (glyphs.bar, vendor)
            elif middle <= high:
                signs[cell] = (glyphs.pale, f"{vendor}-pale")
    rule = _cell(1.0, scale, cells)
    if signs[rule][0] == " ":
        signs[rule] = (glyphs.rule, "quiet")
    if ratio is not None:
        signs[_cell(ratio, scale, cells)] = (glyphs.thumb, "strong")
    return _joined(signs)


def share_text(row: Row, unit: str = "") -> str:
    """The ratio with its interval, and what that covers; or why there is none."""
    if row["ratio"] is None:
        return text_of(row["reason"])
    text = f"{row['ratio']:.2f}"
    if row["lo"] is None:
        return f"{text}, no interval: {text_of(row['reason'])}"
    text += f" [{row['lo']:.2f}, {row['hi']:.2f}] over {row['kind']}"
    if row["quantity"] == "tokens_per_s_device" and row["ratio"] > 0:
        text += f"; {1 / row['ratio']:.1f} {unit or 'devices'} = 1 {row['reference']}"
    return text


def jobs_text(row: Row) -> str:
    """How many jobs a side, of how many workloads, and whose variance was taken."""
    jobs = f"{row['n_a']} against {row['n_r']} jobs" if row["n_a"] + row["n_r"] != 2 else "1 against 1 job"
    text = f"{jobs} of {row['workloads']} workload{'' if row['workloads'] == 1 else 's'}"
    if row["prior_cv"]:
        text += f", with the fleet's CV between jobs of {row['prior_cv']:.1%} (from {row['prior_groups']} groups)"
    if row["token_kind"]:
        text += f"; {row['token_kind']} tokens over {row['marked']} time"
    return text


def window_text(row: Row) -> str:
    """What a window is and when it ended."""
    seconds = (row["to_ts"] - row["from_ts"]).total_seconds()
    return f"{duration(seconds)} to {row['to_ts']:%Y-%m-%d %H:%M} UTC"


def _cell(value: float, scale: float, cells: int) -> int:
    return max(0, min(cells - 1, int(value / scale * cells)))


def _joined(signs: Sequence[tuple[str, str]]) -> Line:
    """Neighbours of one tone as one piece."""
    pieces: list[tuple[str, str]] = []
    for text, tone in signs:
        if pieces and pieces[-1][1] == tone:
            pieces[-1] = (pieces[-1][0] + text, tone)
        else:
            pieces.append((text, tone))
    return tuple(pieces)
