"""A job's profiles as lines: where its steps go by rank, window by window, and by class of operators."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelyard_proto.units import format_value
from steelyard_tui.flame.names import family_of, short
from steelyard_tui.job.page import JobPage, Row
from steelyard_tui.present.figures import count, text_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, Span, clean, fit, fit_line, line_width

_LABEL: Final = 18
_TAIL: Final = 24  # cells to the right of a bar
_LEAST_BAR: Final = 10
_MOST_RANKS: Final = 8
_MOST_WINDOWS: Final = 8
_MOST_CLASSES: Final = 8
_CLASS_BAR: Final = 12

# What a step is cut into, in the order that it is drawn, with its place in `Glyphs.split` and its tone.
_KINDS: Final = (
    ("compute", "bar-vector"),
    ("exposed communication", "bar-collective"),
    ("memory copy", "bar-memory"),
    ("data wait", "bar-wait"),
    ("idle", "faint"),
    ("host", "bar-python"),
)
Split = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RankSplit:
    """Where the steps of one rank went, over all windows of it that were read."""

    rank: int | None
    windows: int
    split: Split

    @property
    def compute_share(self) -> float:
        """Of the time that was recorded."""
        return self.split[0] / max(sum(self.split), 1)


def profile_lines(page: JobPage, width: int, glyphs: Glyphs) -> list[Line]:
    """The section of the page; empty where nobody profiled the job."""
    if not page.profiles:
        return []
    splits = splits_of(page.profile_parts)
    lines: list[Line] = [(("where its steps go", "head"), ("   by profiles", "quiet"))]
    if splits:
        kinds = {at for split in splits.values() for at, ns in enumerate(split) if ns}
        lines += _legend(kinds, width, glyphs)
    ranks = by_rank(page.profiles, splits)
    if len(ranks) > 1:
        shown = sorted(ranks, key=lambda one: one.compute_share)[:_MOST_RANKS] if len(ranks) > _MOST_RANKS else ranks
        if len(shown) < len(ranks):
            lines.append(((f"{len(shown)} of {len(ranks)} ranks, those that compute least", "quiet"),))
        lines += [_rank_line(one, width, glyphs) for one in shown]
        lines.append(())
    lines += [_window_line(row, splits, width, glyphs) for row in page.profiles[:_MOST_WINDOWS]]
    if len(page.profiles) > _MOST_WINDOWS:
        lines.append(((fit("", _LABEL), "quiet"), (f"and {len(page.profiles) - _MOST_WINDOWS} before them", "quiet")))
    if splits:
        lines += [(), *_class_lines(page, width, glyphs)]
    return [*lines, ()]


def splits_of(parts: Sequence[Row]) -> dict[str, Split]:
    """The times of each kind, by profile."""
    sums: dict[str, list[int]] = {}
    for row in parts:
        sums.setdefault(str(row["profile"]), [0] * len(_KINDS))[_kind_of(row)] += int(row["ns"])
    return {profile: tuple(split) for profile, split in sums.items()}


def _kind_of(row: Row) -> int:
    if row["class"] == "data wait":
        return 3
    return {"compute": 0, "communication": 1, "memory copy": 2, "idle": 4}.get(str(row["layer"]), 5)


def by_rank(profiles: Sequence[Row], splits: Mapping[str, Split]) -> list[RankSplit]:
    """The windows of each rank as one, by rank; those without a split stay out."""
    found: dict[int | None, list[Split]] = {}
    for row in profiles:
        split = splits.get(str(row["profile"]))
        if split is not None and any(split):
            found.setdefault(row["rank"], []).append(split)
    ranks = (RankSplit(rank, len(of), tuple(map(sum, zip(*of, strict=True)))) for rank, of in found.items())
    return sorted(ranks, key=lambda one: (one.rank is None, one.rank or 0))


def _legend(kinds: set[int], width: int, glyphs: Glyphs) -> Iterator[Line]:
    line: list[Span] = []
    for at, (name, tone) in enumerate(_KINDS):
        piece: list[Span] = [(f"{glyphs.split[at]} ", tone), (f"{name}  ", "quiet")]
        if at not in kinds:
            continue
        if line_width(line) + line_width(piece) > width + 2:
            yield tuple(line)
            line = []
        line += piece
    yield tuple(line)


def split_bar(split: Split, cells: int, glyphs: Glyphs) -> Line:
    """One bar of all kinds; edges are rounded, so that the bar is always as wide as it must be."""
    total, before, line = sum(split), 0, []
    for at, ns in enumerate(split):
        left, right = round(before * cells / total), round((before + ns) * cells / total)
        if right > left:
            line.append((glyphs.split[at] * (right - left), _KINDS[at][1]))
        before += ns
    return tuple(line)


def _bar_cells(width: int) -> int:
    return max(_LEAST_BAR, width - _LABEL - _TAIL)


def _rank_line(one: RankSplit, width: int, glyphs: Glyphs) -> Line:
    label = f"rank {glyphs.absent if one.rank is None else one.rank}"
    tail = f"{one.compute_share:>6.0%} compute, {one.windows} x" if one.split[0] else f"{one.windows:>9} x"
    return ((fit(label, _LABEL), "ink"), *split_bar(one.split, _bar_cells(width), glyphs), (tail, "quiet"))


def _window_line(row: Row, splits: Mapping[str, Split], width: int, glyphs: Glyphs) -> Line:
    """A window: when and of which rank, then its bar, or why it failed; at the end what it cost."""
    rank = "" if row["rank"] is None else f" rank {row['rank']}"
    label: Span = (fit(f"{row['ts']:%H:%M:%S}{rank}", _LABEL, "left", glyphs.ellipsis), "ink")
    room = width - _LABEL
    if row["state"] == "failed":
        reason = f"{glyphs.warn}failed: {text_of(row['reason']) or 'no reason told'}"
        return label, (fit(reason, room, "left", glyphs.ellipsis), "warn")
    split = splits.get(str(row["profile"]))
    if split is None or not any(split):
        told = f"{count(row['samples'])} samples of its host's stacks" if row["samples"] else "no time in it"
        if row["profiler"] == "msprof":
            told = "rates of its devices' memory and links"
        return label, (fit(told, room, "left", glyphs.ellipsis), "quiet")
    step = "" if row["step_s"] is None else _time(row["step_s"], glyphs)
    tail: list[Span] = [(f" {step:>8}", "ink"), (f"  {_cost(row, glyphs)}", "quiet")]
    return (label, *split_bar(split, _bar_cells(width), glyphs), *fit_line(tail, _TAIL, "left", glyphs.ellipsis))


def _cost(row: Row, glyphs: Glyphs) -> str:
    """What it cost the training, as far as its steps have told."""
    if row["loss_s"] is None:
        return text_of(row["cause"])
    if row["loss_low_s"] is not None and row["loss_low_s"] <= 0:
        return f"cost < {_time(row['loss_high_s'], glyphs)}"
    return f"cost {_time(max(row['loss_s'], 0.0), glyphs)}"


def _time(seconds: float, glyphs: Glyphs) -> str:
    text = format_value(1000 * seconds, "ms") if seconds < 1 else format_value(seconds, "s")
    return text.replace("–", glyphs.absent)


def _class_lines(page: JobPage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """The classes with the most time, each with the operators that it is of."""
    sums: dict[tuple[str, str], int] = {}
    for row in page.profile_parts:
        key = (str(row["layer"]), text_of(row["class"]))
        sums[key] = sums.get(key, 0) + int(row["ns"])
    total = max(sum(sums.values()), 1)
    named = _named(page.profile_operators)
    yield (
        ("top operators by class", "head"),
        (f"   of {len({row['profile'] for row in page.profile_parts})} windows", "quiet"),
    )
    ordered = sorted(sums.items(), key=lambda item: -item[1])
    for (layer, name), ns in ordered[:_MOST_CLASSES]:
        title = f"exposed {name}" if layer == "communication" else name or layer
        cells = max(1, round(ns / max(ordered[0][1], 1) * _CLASS_BAR))
        bar: Span = ((glyphs.thin * cells).ljust(_CLASS_BAR), _tone(layer, name))
        share: Span = (f"{ns / total:>6.1%}  ", "ink")
        operators = "" if layer == "idle" else ", ".join(clean(short(one)) for one in named.get(name, ()))
        room = max(0, width - _LABEL - _CLASS_BAR - 10)
        yield ((f"{fit(title, _LABEL, 'left', glyphs.ellipsis)} ", "quiet"), share, bar,
               (fit(f"  {operators}", room, "left", glyphs.ellipsis), "ink"))  # fmt: skip


def _tone(layer: str, name: str) -> str:
    return "faint" if layer == "idle" and name != "data wait" else f"bar-{family_of(name)}"


def _named(operators: Sequence[Row]) -> dict[str, list[str]]:
    """Operators by class, of the devices where those worked, else of the host's calls."""
    by = "operator" if any(row["by"] == "operator" for row in operators) else "call"
    named: dict[str, list[str]] = {}
    for row in operators:
        if row["by"] == by:
            named.setdefault(text_of(row["class"]), []).append(text_of(row["name"]))
    return named


def window_title(row: Mapping[str, Any]) -> str:
    """A window in one line, for lists."""
    rank = "" if row["rank"] is None else f" rank {row['rank']}"
    node = f" on {text_of(row['node'])}" if row["node"] else ""
    step = "" if row["step_s"] is None else f", {1000 * row['step_s']:.0f} ms a step"
    # First, so that no narrow screen cuts it off.
    origin = "" if row["origin"] == "measured" else f"{text_of(row['origin']) or 'of unknown origin'} "
    sampled = ", host stacks" if row["profiler"] == "py_spy" else ""
    return f"{origin}{row['ts']:%Y-%m-%d %H:%M:%S}{rank}{node}{step}{sampled}"
