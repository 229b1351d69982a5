"""The help screen's lines: every key out of the one table of actions, and every sign."""

from collections.abc import Iterable
from typing import Final

from steelyard_tui.actions import Action
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, Span, fit_line, side_by_side

_KEY: Final = 14
_ASCII_NAMES: Final = {
    "↑↓": "up/down",
    "↓ j": "down j",
    "← h": "left h",
    "→ l": "right l",
    "⏎": "enter",
    "↑↓←→": "arrows",
}


def key_lines(actions: Iterable[Action], glyphs: Glyphs) -> list[Line]:
    """Keys by section."""
    lines: list[Line] = []
    section = ""
    for action in actions:
        if action.section != section:
            section = action.section
            lines += [(), ((section, "title"),)] if lines else [((section, "title"),)]
        key = action.key_text if glyphs.braille else _ASCII_NAMES.get(action.key_text, action.key_text)
        text = action.help if glyphs.braille else action.help.replace("→", ">")
        lines.append(((key.ljust(_KEY), "strong"), (text, "ink")))
    return lines


def bar_lines(glyphs: Glyphs) -> list[Line]:
    """How a bar of the comparison is read, and what its columns are."""
    pale = (glyphs.bar, "nvidia-pale") if glyphs.smooth else (glyphs.pale, "nvidia-pale")
    signs: tuple[tuple[tuple[Span, ...], str], ...] = (
        (((glyphs.bar * 4, "nvidia"),), "the share, as far as the 95 % interval leaves no doubt"),
        (((pale[0] * 4, pale[1]),), "the interval; the tick in it is the estimate"),
        (((glyphs.thumb, "strong"), ("  ", "ink"), (glyphs.rule, "quiet")), "the estimate; the reference, which is 1"),
        ((("[0.38, 0.42]", "ink"),), "the 95 % interval in figures"),
        ((("these jobs", "quiet"),), "it covers these very jobs, had they run on"),
        ((("like these", "quiet"),), "it covers other jobs (workloads) like these"),
        ((("tok/s/dev", "head"),), "tokens a second and device, newest 5 minutes"),
        ((("MFU%", "head"),), "model FLOPs over the chip's dense peak"),
        ((("OFU%", "head"),), "the same from counters alone; ? never validated there"),
        ((("tok/J", "head"),), "tokens per joule of the devices"),
        ((("good%", "head"),), "goodput: time in productive steps"),
    )
    return [
        (("The comparison", "title"),),
        *((*fit_line(sign, _KEY), (text, "ink")) for sign, text in signs),
        (),
    ]


def sign_lines(glyphs: Glyphs) -> list[Line]:
    """What the signs mean."""

    def entry(sign: str, tone: str, text: str) -> Line:
        return ((sign.ljust(_KEY), tone), (text, "ink"))

    vendors: list[Span] = []
    for name, label in (("nvidia", "NVIDIA"), ("huawei", "Huawei"), ("amd", "AMD"), ("cpu", "CPU")):
        vendors += [(glyphs.vendors[name], name), (f" {label}  ", "ink")]
    return [
        (("Signs", "title"),),
        tuple(vendors),
        entry(glyphs.simulated, "title", "simulated: no such device exists"),
        entry(glyphs.replayed, "title", "replayed from a recording"),
        entry(glyphs.absent, "faint", "not given by this device; never 0"),
        entry(f"{glyphs.warn}stale 14 s", "warn", "nothing new for longer than expected"),
        entry(f"{glyphs.warn}silent 75 s", "warn", "gone quiet; its last figures are grey or left out"),
        entry("dimmed", "faint", "the link is lost; figures are the last known"),
        (),
        (("Filters", "title"),),
        entry("llama ada", "code", "rows with both words in any text"),
        entry("chip:910b", "code", "text of one column; != for not"),
        entry("busy<0.2", "code", "figures; shares are 0 to 1"),
        (),
        (("Mouse", "title"),),
        entry("click", "strong", "selects; twice opens; on a head it sorts"),
        entry("wheel", "strong", "scrolls"),
        entry("shift+drag", "strong", "the terminal's own selection"),
    ]


def help_lines(actions: Iterable[Action], width: int, glyphs: Glyphs, *, has_bars: bool = False) -> list[Line]:
    """Keys and signs, side by side where there is room; `has_bars` on the screen of the comparison."""
    keys, signs = key_lines(actions, glyphs), sign_lines(glyphs)
    bars = bar_lines(glyphs) if has_bars else []
    if width >= 120:
        return side_by_side(keys, [*bars, *signs], width // 2, 2)
    # What must be known to read the screen comes before the keys.
    return [*bars, *keys, (), *signs]
