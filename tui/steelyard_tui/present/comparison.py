"""Chips side by side with their share of a reference: numbers, then a bar with its interval."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_tui.comparison import Chip, Metric, Row, Weighed
from steelyard_tui.present.bars import bar
from steelyard_tui.present.cells import Cell, chip_cell, figure_column, reporting_cell
from steelyard_tui.present.columns import Column, Drawing, Placed, head_line, place_columns, row_line
from steelyard_tui.present.figures import count, duration, figure, number, text_of, vendor_name
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import BLANK, Drawn, Line, Painted, Span, fit, fit_line, line_width, spread
from steelyard_tui.present.reasons import why_no_share
from steelyard_tui.present.shares import devices_text, ratio_text, scale_of, share_axis, share_bar, sides_text
from steelyard_tui.present.tones import vendor_tone

WIDE: Final = 120
# Cells of a wide screen: the bar, the ratio after it, and what stands under both.
_BAR: Final = 40
_RATIO: Final = 7
_UNDER: Final = _BAR + _RATIO
# Of a narrow one: what stands right of the bar.
_BESIDE: Final = 38
_LEAST_BAR: Final = 12
_LEFT: Final = 3
_LARGE: Final = 100


@dataclass(frozen=True, slots=True)
class Look:
    """How the comparison is drawn.

    Attributes:
        now_ms: the collector's clock.
    """

    width: int
    height: int
    metric: Metric
    cursor: int
    glyphs: Glyphs
    now_ms: int

    @property
    def is_wide(self) -> bool:
        """Whether bars stand beside the figures, not under them."""
        return self.width >= WIDE

    @property
    def bar_cells(self) -> int:
        """The width of a bar."""
        return _BAR if self.is_wide else max(_LEAST_BAR, self.width - _LEFT - _BESIDE - 1)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all chips of one picture share; `usual` is the kind of interval that needs no mark."""

    placed: Sequence[Placed]
    scale: float
    usual: str


def _decimals(name: str, places: int, factor: float = 1.0) -> Cell:
    """A figure with so many decimals."""

    def cell(row: Row, drawing: Drawing) -> Line:
        value = number(row.get(name))
        if value is None:
            return ((drawing.glyphs.absent, "faint"),)
        shown = value * factor
        # Small ones get one decimal more, large ones one less: about as many digits, and points under one another.
        shift = int(shown < 1) - int(shown >= _LARGE)
        return ((f"{shown:.{places + shift}f}", tone_of(row, name)),)

    return cell


def tone_of(row: Row, name: str) -> str:
    """Rates of another workload than the others' step back: they don't compare."""
    return "quiet" if row.get("unlike") and name not in ("mfu", "ofu", "goodput") else "ink"


def _rate(row: Row, drawing: Drawing) -> Line:
    tone = "quiet" if row.get("unlike") else "strong"
    return (figure(row.get("tokens_per_s_device"), "count", drawing.glyphs, tone=tone),)


def _ofu(row: Row, drawing: Drawing) -> Line:
    value = number(row.get("ofu"))
    if value is None:
        return ((drawing.glyphs.absent, "faint"),)
    text = f"{100 * value:.1f}"
    return ((text, "ink"), (" ", "ink")) if row.get("ofu_validated") else ((text, "quiet"), ("?", "warn"))


def step_text(seconds: float) -> str:
    """A step's time as people read it."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"


def _step(name: str, title: str, width: int, priority: int) -> Column:
    def cell(row: Row, drawing: Drawing) -> Line:
        value = number(row.get(name))
        return ((drawing.glyphs.absent, "faint"),) if value is None else ((step_text(value), tone_of(row, name)),)

    return Column(title, (name,), width, cell, priority)


def _vendor(row: Row, drawing: Drawing) -> Line:
    return ((vendor_name(row.get("vendor")), "quiet"),)


_COLUMNS: Final = (
    Column("chip", ("chip", "vendor", "origin"), 12, chip_cell, 0, "left"),
    Column("vendor", ("vendor",), 7, _vendor, 10, "left"),
    figure_column("nodes", "nodes", "count", 5, 11),
    Column("devices", ("devices", "reporting"), 8, reporting_cell, 1),
    figure_column("W/dev", "power_w", "W", 5, 9),
    Column("tok/s/dev", ("tokens_per_s_device",), 9, _rate, 0),
    Column("MFU%", ("mfu",), 5, _decimals("mfu", 1, 100.0), 2),
    Column("OFU% ", ("ofu",), 6, _ofu, 4),
    Column("tok/J", ("tokens_per_j",), 5, _decimals("tokens_per_j", 2), 3),
    _step("step_p50_s", "step p50", 8, 5),
    _step("step_p99_s", "p99", 7, 6),
    figure_column("good%", "goodput", "ratio", 5, 8),
)


def _columns(chips: Sequence[Chip]) -> tuple[Column, ...]:
    """Without cost where no price is known."""
    currencies = sorted({str(c.row["currency"]) for c in chips if c.row.get("cost_per_mtoken") is not None})
    if not currencies:
        return _COLUMNS
    title = f"{'/'.join(currencies)}/Mtok"
    cost = Column(title, ("cost_per_mtoken",), max(8, len(title)), _decimals("cost_per_mtoken", 2), 7)
    return (*_COLUMNS[:-3], cost, *_COLUMNS[-3:])


def scale_on(chips: Sequence[Chip], cells: int) -> float:
    """The end of the scale of all bars: the reference stands at the edge of a cell, so that its rule meets its bar."""
    scale = scale_of([chip.share for chip in chips if chip.share is not None and chip.ratio is not None])
    return cells / max(1, int(cells / scale))


def bar_of(chip: Chip, scale: float, cells: int, glyphs: Glyphs) -> Line:
    """The reference's bar is 1; another chip's has its interval; without a ratio there is only the rule."""
    vendor = chip.row.get("vendor")
    if chip.is_reference:
        return bar(1.0, scale, cells, vendor_tone(vendor), glyphs)
    share = chip.share or {"ratio": None, "lo": None, "hi": None}
    return share_bar({**share, "vendor": vendor}, scale, cells, glyphs)


def scope_line(chips: Sequence[Chip], weighed: Weighed, metric: Metric, width: int, glyphs: Glyphs) -> Line:
    """The question that the screen answers, and how much of the fleet reports."""
    if not chips:
        return ((" comparing chips", "quiet"),)
    one = f"1 {weighed.reference}" if weighed.reference else "another"
    left: list[Span] = [(" How much of ", "quiet"), (one, "strong"), (" is each?  ", "quiet")]
    left += [(metric.title, "strong"), (", last ", "quiet"), (weighed.window.title, "strong")]
    devices = sum(number(chip.row.get("devices")) or 0 for chip in chips)
    reporting = sum(number(chip.row.get("reporting")) or 0 for chip in chips)
    words = (
        f"{count(reporting)} of {count(devices)} devices live "
        if width >= WIDE
        else f"{count(reporting)}/{count(devices)} live "
    )
    right: Line = ((words, "quiet" if reporting == devices else "warn"),)
    if line_width(left) + line_width(right) >= width:
        right = ()
    return spread(left, right, width, glyphs.ellipsis)


def draw(chips: Sequence[Chip], weighed: Weighed, look: Look) -> Drawn:
    """The head and every chip, scrolled so that the cursor is in sight; chips without a share below a rule."""
    placed = place_columns(_columns(chips), look.width - (_BAR + _RATIO + 3 if look.is_wide else 0))
    scale = scale_on(chips, look.bar_cells)
    usual = next(iter(_kinds(chips)), "")
    frame = _Frame(placed, scale, usual)
    blocks = [_block(chip, frame, weighed, look, selected=at == look.cursor) for at, chip in enumerate(chips)]
    gap = gap_of(chips, look)
    first, last = _in_sight([len(block) + gap for block in blocks], look)
    drawn = Drawn([Painted(_head(placed, scale, look), "bar")], [None])
    for at in range(first, last):
        if at > first and chips[at].ratio is None and chips[at - 1].ratio is not None:
            drawn.add([Painted(_rule(look))])
        drawn.add(blocks[at], at)
        drawn.add([Painted(BLANK)] * gap, at)
    drawn.add([_foot(chips, weighed, scale, look, hidden=len(chips) - (last - first))])
    return drawn


def gap_of(chips: Sequence[Chip], look: Look) -> int:
    """Whether a blank line stands after each chip: where that leaves what is below its room."""
    whole = 2 + sum(_lines_of(chip) for chip in chips) + (len({chip.ratio is None for chip in chips}) - 1)
    below = 2 * len(chips) + 14 if look.is_wide else 7
    return int(look.height - whole - len(chips) >= below)


def _in_sight(sizes: Sequence[int], look: Look) -> tuple[int, int]:
    """From which chip to which: as many as fit, the cursor's among them. Head, rule and foot take three lines."""
    room, first = look.height - 3, 0
    while first < look.cursor and sum(sizes[first : look.cursor + 1]) > room:
        first += 1
    last = first
    while last < len(sizes) and sum(sizes[first : last + 1]) <= room:
        last += 1
    return first, max(last, min(first + 1, len(sizes)))


def _lines_of(chip: Chip) -> int:
    return 2 if chip.ratio is not None or chip.trains else 1


def _block(chip: Chip, frame: _Frame, weighed: Weighed, look: Look, *, selected: bool) -> list[Painted]:
    ground = "selected" if selected else "plain"
    numbers = row_line(frame.placed, chip.row, Drawing(look.glyphs), selected=selected)
    mark: Span = ((look.glyphs.cursor if selected else " ").ljust(_LEFT), "cursor")
    if chip.ratio is None:
        why: Span = (why_no_share(chip, weighed, look.now_ms), "quiet")
        if not chip.trains:
            return [Painted(_beside(chip, frame.placed, why, look, selected=selected), ground)]
        return [Painted(numbers, ground), Painted((mark, why), ground)]
    shape = bar_of(chip, frame.scale, look.bar_cells, look.glyphs)
    ratio: Span = (f"{chip.ratio:.2f}", "strong")
    if not look.is_wide:
        return [
            Painted(numbers, ground),
            Painted((mark, *shape, (" ", "ink"), ratio, *_right(chip, frame.usual)), ground),
        ]
    space = look.width - _BAR - _RATIO - line_width(numbers)
    first = (*numbers, (" " * space, "ink"), *shape, ("  ", "ink"), ratio)
    note = fit_line((mark, *_note(chip, look)), look.width - _UNDER - 1, "left", look.glyphs.ellipsis)
    return [Painted(first, ground), Painted((*note, (" ", "ink"), *_under(chip)), ground)]


def _beside(chip: Chip, placed: Sequence[Placed], why: Span, look: Look, *, selected: bool) -> Line:
    """A chip without any figure of a training: the reason stands where its figures would."""
    end = next((place.start for place in placed if place.column.title == "tok/s/dev"), look.width)
    known = row_line(
        [place for place in placed if place.start < end], chip.row, Drawing(look.glyphs), selected=selected
    )
    return (*fit_line(known, end), (fit(why[0], look.width - end, "left", look.glyphs.ellipsis), why[1]))


def _right(chip: Chip, usual: str) -> Line:
    """What stands right of a narrow bar, after the ratio."""
    if chip.is_reference or chip.share is None:
        return ((" = the reference", "quiet"),)
    interval = ratio_text(chip.share)[4:]
    other = "*" if interval and chip.share["kind"] != usual else ""
    return ((interval or " no interval yet", "quiet"), (f"{other} {devices_text(chip.share, 'dev')}", "ink"))


def _under(chip: Chip) -> Line:
    """What stands under a wide bar."""
    if chip.is_reference or chip.share is None:
        return (("the reference: all bars are measured in it", "quiet"),)
    if chip.share["lo"] is None:
        return (("no interval yet", "quiet"),)
    return ((ratio_text(chip.share)[5:], "ink"), (f"  {devices_text(chip.share, unit_of(chip))}", "ink"))


def unit_of(chip: Chip) -> str:
    """What its devices are."""
    return "dies" if chip.row.get("part") == "die" else "devices"


def _note(chip: Chip, look: Look) -> Line:
    """What a wide screen says under the figures: what isn't live first, then jobs and the basis of the MFU."""
    parts: list[Span] = [*silence(chip.row, look.glyphs)]
    share = chip.share
    if share is not None and share["lo"] is not None:
        parts.append((f"{sides_text(share)}; 95 % over {share['kind']}", "quiet"))
    elif share is not None:
        parts.append((f"{sides_text(share)}; no interval: {text_of(share['reason'])}", "quiet"))
    if chip.row.get("part") not in (None, "", "package"):
        parts.append((f"per {chip.row.get('part')}", "quiet"))
    if share is not None and share["warnings"]:
        parts.append((f"{look.glyphs.warn}{share['warnings'][0]}", "warn"))
    if chip.row.get("unlike"):
        parts.append((f"rates of another workload: {text_of(chip.row.get('unlike'))}", "quiet"))
    ceiling = number(chip.row.get("share_of_ceiling"))
    if ceiling is not None:
        parts.append((f"{ceiling:.0%} of its measured ceiling", "quiet"))
    if chip.row.get("tokens_absent"):
        parts.append((text_of(chip.row.get("tokens_absent")), "quiet"))
    elif chip.row.get("mfu_basis"):
        parts.append((f"MFU's peak: {text_of(chip.row.get('mfu_basis'))}", "quiet"))
    elif chip.row.get("mfu_absent"):
        parts.append((f"no MFU: {text_of(chip.row.get('mfu_absent'))}", "quiet"))
    return tuple(span for part in parts for span in (part, ("  ", "quiet")))


def silence(row: Row, glyphs: Glyphs) -> list[Span]:
    """Devices whose figures are old, and those that say nothing any more; empty where all report."""
    devices, reporting, stale = (number(row.get(name)) or 0.0 for name in ("devices", "reporting", "stale"))
    silent = devices - reporting - stale
    found: list[Span] = []
    if stale > 0:
        found.append((f"{glyphs.warn}{count(stale)} stale", "warn"))
    if silent > 0:
        found.append((f"{glyphs.warn}{count(silent)} silent", "warn"))
    return found


def _head(placed: Sequence[Placed], scale: float, look: Look) -> Line:
    head = head_line(placed, "", False, look.glyphs)
    if not look.is_wide:
        return head
    space = look.width - _BAR - _RATIO - line_width(head)
    return (*head, (" " * space, "head"), (share_axis(scale, _BAR), "quiet"), (" share", "head"))


def _rule(look: Look) -> Line:
    return (("   not weighed ", "quiet"), (look.glyphs.dash * max(0, look.width - 16), "faint"))


def _foot(chips: Sequence[Chip], weighed: Weighed, scale: float, look: Look, *, hidden: int) -> Painted:
    """The axis of narrow bars and which interval they show; of wide ones, the marks."""
    more: Line = ((f"{hidden} more with {look.glyphs.updown}  ", "warn"),) if hidden > 0 else ()
    if look.is_wide:
        return Painted(spread(marks_line(chips, weighed, look), more, look.width, look.glyphs.ellipsis))
    if not any(chip.ratio is not None for chip in chips):
        return Painted((*more, *marks_line(chips, weighed, look)))
    usual, *others = _kinds(chips) or [""]
    interval = f"95 %: {usual}" if usual else "no interval yet"
    interval += f", * {others[0]}" if len(others) == 1 else ", * another" if others else ""
    left: Line = ((" " * _LEFT, "ink"), (share_axis(scale, look.bar_cells), "quiet"), (" ", "ink"))
    return Painted((*left, *(more or ((interval, "quiet"),))))


def _kinds(chips: Sequence[Chip]) -> list[str]:
    """What the intervals cover, the most frequent first."""
    return [
        kind
        for kind, _ in Counter(
            str(chip.share["kind"]) for chip in chips if chip.share is not None and chip.share["lo"] is not None
        ).most_common()
    ]


def marks_line(chips: Sequence[Chip], weighed: Weighed, look: Look) -> Line:
    """The marks of figures that aren't measured here, and over which time the figures are."""
    marks: list[Span] = [("   figures: newest 5 minutes  ", "quiet")]
    if weighed.workload and look.is_wide:
        marks[0] = ("   figures: newest 5 minutes; rates and steps of ", "quiet")
        marks.append((f"{text_of(weighed.workload)}  ", "ink"))
    origins = {chip.origin for chip in chips}
    for origin, sign in (("simulated", look.glyphs.simulated), ("replayed", look.glyphs.replayed)):
        if origin in origins:
            marks += [(sign, "title"), (f" {origin}  ", "quiet")]
    if any(chip.row.get("ofu") is not None and not chip.row.get("ofu_validated") for chip in chips):
        marks += [("?", "warn"), (" OFU isn't validated there", "quiet")]
    return tuple(marks)


def age_text(share: Row | None, now_ms: int) -> str:
    """How long ago shares were computed, where that is too long; empty where they are fresh."""
    if share is None:
        return ""
    age_s = now_ms / 1000 - share["computed_at"].timestamp()
    return f"computed {duration(age_s)} ago" if age_s > 600 else ""
