"""All keys and signs of a screen."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen

from steelyard_tui.actions import actions_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.help import help_lines
from steelyard_tui.present.line import Line, Painted
from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.paint import Painter


class HelpScreen(ModalScreen[None]):
    """Scrolls; any of the usual keys leaves it."""

    BINDINGS = [  # noqa: RUF012
        Binding("escape,q,question_mark,f1,enter", "leave", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("pageup", "scroll_by(-15)", show=False),
        Binding("pagedown,space", "scroll_by(15)", show=False),
    ]

    def __init__(self, painter: Painter, glyphs: Glyphs, scope: str) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._scope = scope
        self._canvas = Canvas(painter, id="help")
        self._top = 0

    def compose(self) -> ComposeResult:
        """One canvas over the whole screen."""
        yield self._canvas

    def on_resize(self) -> None:
        """Laid out anew."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width, height = self.size.width, self.size.height
        is_compare = self._scope == "compare"
        lines = help_lines(actions_of(self._scope), width - 4, self._glyphs, has_bars=is_compare)
        self._top = max(0, min(self._top, len(lines) - (height - 3)))
        shown: list[Line | Painted] = [((("  ", "ink"), *line)) for line in lines[self._top : self._top + height - 3]]
        head = (("  Steelyard: keys and signs of this screen", "strong"), ("   esc leaves", "quiet"))
        below = len(lines) - self._top - len(shown)
        foot: Line = ((f"  {below} lines more: down", "warn"),) if below > 0 else ()
        blank: list[Line | Painted] = [()] * (height - 3 - len(shown))
        self._canvas.show([Painted(head, "bar"), (), *shown, *blank, Painted(foot, "bar")])

    def action_scroll_by(self, lines: int) -> None:
        """Other lines."""
        self._top += lines
        self._draw()

    def on_mouse_scroll_down(self) -> None:
        """The wheel."""
        self.action_scroll_by(3)

    def on_mouse_scroll_up(self) -> None:
        """The wheel."""
        self.action_scroll_by(-3)

    def action_leave(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
