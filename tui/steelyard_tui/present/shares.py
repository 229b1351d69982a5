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
# Room for one label of an axis.
_LABEL: Final = 8
_KEPT_S: Final[Mapping[str, int]] = {"1h": 3600, "24h": 86_400, "7d": 604_800}
# A long window is told by whole hours, a short one by whole minutes: so much of it may be missing at its ends.
_ENDS_SHARE, _ENDS_S = 0.02, 180.0


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
    if ratio is not None:
        low, high = (row["lo"], row["hi"]) if row["lo"] is not None else (ratio, ratio)
        fill = _smooth if glyphs.smooth else _coarse
        signs = [fill(low / scale * cells - cell, high / scale * cells - cell, vendor, glyphs) for cell in range(cells)]
    rule = _cell(1.0, scale, cells)
    if signs[rule][0] == " ":
        signs[rule] = (glyphs.rule, "quiet")
    if ratio is not None:
        at = _cell(ratio, scale, cells)
        pale = glyphs.smooth and row["lo"] is not None
        signs[at] = (glyphs.thumb, f"strong@{vendor}-pale" if pale else "strong")
    return _joined(signs)


def _coarse(low: float, high: float, vendor: str, glyphs: Glyphs) -> tuple[str, str]:
    """One cell by its middle; `low` and `high` count in cells from its left edge."""
    if low >= 0.5:
        return glyphs.bar, vendor
    return (glyphs.pale, f"{vendor}-pale") if high >= 0.5 else (" ", "ink")


def _smooth(low: float, high: float, vendor: str, glyphs: Glyphs) -> tuple[str, str]:
    """One cell to an eighth of its width, where a pale tone is seen as such."""
    solid, pale = (max(0, min(8, round(end * 8))) for end in (low, high))
    if solid == 8:
        return glyphs.bar, vendor
    if solid:
        return glyphs.eighths[solid - 1], f"{vendor}@{vendor}-pale" if pale > solid else vendor
    if pale:
        return (glyphs.bar if pale == 8 else glyphs.eighths[pale - 1]), f"{vendor}-pale"
    return " ", "ink"


def share_axis(scale: float, cells: int) -> str:
    """The labels of a scale of shares: 0, 0.25 ... 1 and on, as many as there is room for."""
    step = next(step for step in (0.25, 0.5, 1.0, 2.0, 5.0, scale) if step / scale * cells >= _LABEL or step == scale)
    text = ""
    for number in range(int(scale / step) + 1):
        label, at = f"{number * step:g}", _cell(number * step, scale, cells)
        if at + len(label) <= cells:
            text = text.ljust(at) + label
    return text.ljust(cells)


def ratio_text(row: Row) -> str:
    """The ratio with its interval; empty where there is none."""
    if row["ratio"] is None:
        return ""
    interval = "" if row["lo"] is None else f" [{row['lo']:.2f}, {row['hi']:.2f}]"
    return f"{row['ratio']:.2f}{interval}"


def devices_text(row: Row, unit: str = "") -> str:
    """How many of the chip's devices make one of the reference; empty for other quantities than a rate."""
    if row["quantity"] != "tokens_per_s_device" or not row["ratio"]:
        return ""
    return f"{1 / row['ratio']:.1f} {unit or 'devices'} = 1 {row['reference']}"


def share_text(row: Row, unit: str = "") -> str:
    """The ratio with its interval, and what that covers; or why there is none."""
    if row["ratio"] is None:
        return text_of(row["reason"])
    if row["lo"] is None:
        return f"{ratio_text(row)}, no interval: {text_of(row['reason'])}"
    devices = devices_text(row, unit)
    return f"{ratio_text(row)} over {row['kind']}" + (f"; {devices}" if devices else "")


def jobs_text(row: Row) -> str:
    """How many jobs a side, of how many workloads, and whose variance was taken."""
    text = f"{sides_text(row)} of {row['workloads']} workload{'' if row['workloads'] == 1 else 's'}"
    if row["prior_cv"]:
        text += f", with the fleet's CV between jobs of {row['prior_cv']:.1%} (from {row['prior_groups']} groups)"
    if row["token_kind"]:
        text += f"; {row['token_kind']} tokens over {row['marked']} time"
    return text


def sides_text(row: Row) -> str:
    """How many jobs a side."""
    return f"{row['n_a']} against {row['n_r']} jobs" if row["n_a"] + row["n_r"] != 2 else "1 against 1 job"


def window_text(row: Row) -> str:
    """What a window is and when it ended; of a longer one that was asked for, that this is all there is."""
    seconds = (row["to_ts"] - row["from_ts"]).total_seconds()
    text = f"{duration(seconds)} to {row['to_ts']:%Y-%m-%d %H:%M} UTC"
    name = row["window"]
    asked_s = _KEPT_S.get(name) or int(name.removesuffix("s"))
    is_whole = asked_s - seconds < max(_ENDS_S, _ENDS_SHARE * asked_s)
    return text if is_whole else f"{text}, all that there is of {duration(asked_s)}"


def _cell(value: float, scale: float, cells: int) -> int:
    return max(0, min(cells - 1, int(value / scale * cells + 1e-9)))


def _joined(signs: Sequence[tuple[str, str]]) -> Line:
    """Neighbours of one tone as one piece."""
    pieces: list[tuple[str, str]] = []
    for text, tone in signs:
        if pieces and pieces[-1][1] == tone:
            pieces[-1] = (pieces[-1][0] + text, tone)
        else:
            pieces.append((text, tone))
    return tuple(pieces)
