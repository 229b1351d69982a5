"""From lines with tones to strips with styles; every style is made once."""

from collections.abc import Iterable

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from steelyard_tui.present.line import Line, Span, fit_line
from steelyard_tui.present.tones import COARSE, GROUNDS, look_of

# How far old figures fade into the ground.
_FADE = 0.55


class Painter:
    """Paints lines; one is shared by all widgets of an app."""

    def __init__(self, *, coarse: bool = False, ellipsis: str = "…") -> None:
        self._coarse = coarse
        self._ellipsis = ellipsis
        self._styles: dict[tuple[str, str, bool], Style] = {}

    def style(self, tone: str, ground: str = "plain", *, dimmed: bool = False) -> Style:
        """The style of a tone on a ground; `dimmed` for figures that are old."""
        key = (tone, ground, dimmed)
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = self._make(tone, ground, dimmed)
        return style

    def _make(self, tone: str, ground: str, dimmed: bool) -> Style:
        look = look_of(tone)
        color, behind = look.color, look.ground or GROUNDS[ground]
        if self._coarse:
            # In 16 colours the greys of the grounds all become black; only the selection needs to differ.
            own = look.ground if "@" not in tone else ""
            behind = own or ("#000080" if ground == "selected" else "#000000")
            color = COARSE.get(tone.partition("@")[0], color)
        if dimmed and tone != "band":
            color = _mixed(color, behind, _FADE)
        return Style(color=color, bgcolor=behind, bold=look.bold and not dimmed)

    def strip(self, line: Line, width: int, ground: str = "plain", *, dimmed: bool = False) -> Strip:
        """One line of exactly `width` cells."""
        return Strip(self.segments(line, width, ground, dimmed=dimmed), width)

    def segments(self, line: Line, width: int, ground: str = "plain", *, dimmed: bool = False) -> list[Segment]:
        """The same as the pieces of a strip."""
        fitted = merged(fit_line(line, width, "left", self._ellipsis))
        return [Segment(text, self.style(tone, ground, dimmed=dimmed)) for text, tone in fitted]

    def strips(self, lines: Iterable[Line], width: int, ground: str = "plain") -> list[Strip]:
        """Many lines on one ground."""
        return [self.strip(line, width, ground) for line in lines]


def merged(line: Line) -> list[Span]:
    """The same line with fewer pieces: neighbours of one tone are one, and blanks belong to what is before them.

    Each piece costs a style and its escape sequences; a row of a table has some thirty.
    """
    pieces: list[Span] = []
    text, tone = "", ""
    for more, its_tone in line:
        if its_tone == tone or (text and more.isspace() and look_of(tone).ground == look_of(its_tone).ground):
            text += more
        elif more:
            if text:
                pieces.append((text, tone))
            text, tone = more, its_tone
    if text:
        pieces.append((text, tone))
    return pieces


def _mixed(color: str, other: str, share: float) -> str:
    mine, theirs = Color.parse(color).get_truecolor(), Color.parse(other).get_truecolor()
    red, green, blue = (round(b + (a - b) * share) for a, b in zip(mine, theirs, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"
