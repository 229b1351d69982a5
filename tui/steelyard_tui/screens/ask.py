"""A dialog that asks for one line of text."""

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.paint import Painter


class AskScreen(ModalScreen[str | None]):
    """Returns the text, or None where the user left."""

    BINDINGS = [Binding("escape", "leave", show=False)]  # noqa: RUF012

    def __init__(self, title: str, text: str, painter: Painter) -> None:
        super().__init__()
        self._title = title
        self._input = Input(text, compact=True, select_on_focus=False)
        self._painter = painter

    def compose(self) -> ComposeResult:
        """A title and the line."""
        with Vertical(id="box"):
            title = Canvas(self._painter, ground="bar", id="title")
            title.styles.height = 1
            title.show([((self._title, "strong"), ("   enter takes, esc leaves", "quiet"))])
            yield title
            yield self._input

    def on_mount(self) -> None:
        """The line is ready to type in."""
        self._input.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def action_leave(self) -> None:
        """Nothing is given."""
        self.dismiss(None)
