"""A widget that shows lines which somebody else has laid out, and repaints only those that changed."""

from collections.abc import Sequence
from typing import Any

from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from steelyard_tui.present.line import Line, Painted
from steelyard_tui.widgets.lines import Lines
from steelyard_tui.widgets.paint import Painter


class Canvas(Lines):
    """Lines of text; a click tells which line and cell."""

    class Clicked(Message):
        """A click at a line and cell of the canvas; `chain` counts clicks that follow one another."""

        def __init__(self, canvas: "Canvas", line: int, cell: int, chain: int) -> None:
            super().__init__()
            self.canvas = canvas
            self.line = line
            self.cell = cell
            self.chain = chain

    def __init__(self, painter: Painter, *, ground: str = "plain", id: str | None = None) -> None:
        super().__init__(id=id)
        self._painter = painter
        self._ground = ground
        self._lines: tuple[Painted, ...] = ()
        self._dimmed = False

    def show(self, lines: Sequence[Line | Painted], *, dimmed: bool = False) -> None:
        """Shows these lines; the rest of the widget is blank."""
        painted = tuple(line if isinstance(line, Painted) else Painted(line, self._ground) for line in lines)
        before, self._lines = self._lines, painted
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.refresh()
            return
        height = max(len(before), len(painted))
        changed = [
            Region(0, y, self.size.width, 1)
            for y in range(height)
            if (before[y] if y < len(before) else None) != (painted[y] if y < len(painted) else None)
        ]
        if changed:
            self.refresh(*changed)

    def paint_line(self, y: int, size: Size) -> Strip:
        """One line."""
        if y >= len(self._lines):
            return self._painter.strip((), size.width, self._ground)
        painted = self._lines[y]
        return self._painter.strip(painted.line, size.width, painted.ground, dimmed=self._dimmed)

    def on_click(self, event: Any) -> None:
        """Tells where."""
        self.post_message(self.Clicked(self, event.y, event.x, event.chain))
