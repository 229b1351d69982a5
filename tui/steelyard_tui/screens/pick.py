"""A dialog that chooses one of many, by moving or by typing a part of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from steelyard_tui.present.line import clean
from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.paint import Painter


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: what is returned, and how it reads."""

    value: str
    label: str


class PickScreen(ModalScreen[str | None]):
    """Returns the chosen value, or None."""

    BINDINGS = [  # noqa: RUF012
        Binding("escape", "leave", show=False),
        Binding("up", "step(-1)", show=False, priority=True),
        Binding("down", "step(1)", show=False, priority=True),
        Binding("pageup", "step(-10)", show=False, priority=True),
        Binding("pagedown", "step(10)", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], painter: Painter, *, at: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = tuple(choices)
        self._painter = painter
        self._at = at
        self._input = Input(id="find", compact=True)
        self._options = OptionList(markup=False)
        self._options.can_focus = False

    def compose(self) -> ComposeResult:
        """A title, what is typed, and what is left to choose from."""
        with Vertical(id="box"):
            title = Canvas(self._painter, ground="bar", id="title")
            title.styles.height = 1
            title.show([((self._title, "strong"), ("   type to find, enter takes, esc leaves", "quiet"))])
            yield title
            yield self._input
            yield self._options

    def on_mount(self) -> None:
        """Everything stands there until something is typed."""
        self._list("")
        at = next((index for index, choice in enumerate(self._choices) if choice.value == self._at), 0)
        self._options.highlighted = at if self._choices else None
        self._input.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._list(event.value)

    def _list(self, text: str) -> None:
        words = text.lower().split()
        left = [choice for choice in self._choices if all(word in choice.label.lower() for word in words)]
        self._options.clear_options()
        self._options.add_options([Option(clean(choice.label), id=str(self._choices.index(choice))) for choice in left])
        self._options.highlighted = 0 if left else None

    @on(Input.Submitted)
    def _submitted(self) -> None:
        at = self._options.highlighted
        if at is None:
            return
        self._take(self._options.get_option_at_index(at))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self._take(event.option)

    def _take(self, option: Option) -> None:
        self.dismiss(self._choices[int(option.id or 0)].value)

    def action_step(self, by: int) -> None:
        """Moves the mark."""
        if self._options.option_count:
            at = (self._options.highlighted or 0) + by
            self._options.highlighted = max(0, min(at, self._options.option_count - 1))

    def action_leave(self) -> None:
        """Nothing is chosen."""
        self.dismiss(None)
