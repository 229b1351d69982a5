"""Every sign that the screens draw beyond letters, in one table for each kind of terminal."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Signs one cell wide.

    Attributes:
        vendors: the shape of each vendor, so that colour is never needed to tell them apart.
        eighths: bar ends from one to seven eighths of a cell; a single entry where there are no such glyphs.
        braille: whether plots may use braille dots.
        split: what a step's bar is made of: compute, exposed communication, memory copy, data wait, idle, host.
        smooth: whether a pale tone can be told from the full one, so that no sign of its own is needed for it.
    """

    vendors: Mapping[str, str] = field(
        default_factory=lambda: {"nvidia": "▲", "huawei": "●", "amd": "◆", "cpu": "■", "": "○"}
    )
    bar: str = "█"
    eighths: str = "▏▎▍▌▋▊▉"
    thin: str = "━"
    thin_half: str = "╸"
    hair: str = "─"
    pale: str = "▒"
    rule: str = "▏"
    cursor: str = "▌"
    live: str = "●"
    absent: str = "–"
    dash: str = "–"
    down: str = "↓"
    up: str = "↑"
    enter: str = "⏎"
    updown: str = "↑↓"
    leftright: str = "←→"
    ellipsis: str = "…"
    track: str = "│"
    thumb: str = "┃"
    simulated: str = "~"
    replayed: str = "»"
    warn: str = "!"
    degree: str = "°C"
    times: str = "×"
    plus_minus: str = "±"
    split: str = "█▓▒░·▚"
    braille: bool = True
    smooth: bool = False


UNICODE: Final = Glyphs()
# There colours alone tell the pieces of a bar apart, and safely for the colour-blind.
SMOOTH: Final = replace(UNICODE, smooth=True, split="████·█")

# In 16 colours the pale tones fall together with the full ones: signs tell them apart.
COARSE: Final = replace(UNICODE, eighths="", rule="│")

ASCII: Final = Glyphs(
    vendors={"nvidia": "^", "huawei": "o", "amd": "*", "cpu": "#", "": "?"},
    bar="=",
    eighths="",
    thin="=",
    thin_half="-",
    hair="-",
    pale="-",
    rule="|",
    cursor=">",
    live="*",
    absent="-",
    dash="-",
    down="v",
    up="^",
    enter="enter",
    updown="arrows",
    leftright="arrows",
    ellipsis=".",
    track="|",
    thumb="#",
    simulated="~",
    replayed="r",
    warn="!",
    degree="C",
    times="x",
    plus_minus="+-",
    split="#x=w.h",
    braille=False,
)


def choose_glyphs(*, ascii_only: bool, color_system: str | None, no_color: bool = False) -> Glyphs:
    """The table for a terminal; `color_system` is rich's name, None without colours; `no_color` for greys alone."""
    if ascii_only:
        return ASCII
    if color_system == "standard":
        return COARSE
    return UNICODE if no_color or color_system is None else SMOOTH
