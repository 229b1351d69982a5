"""The table of every screen: it asks its model only for the rows that it draws."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from steelyard_tui.present.columns import Column, Drawing, Placed, Row, column_at, head_line, place_columns, row_line
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Span
from steelyard_tui.widgets.lines import Lines
from steelyard_tui.widgets.paint import Painter

_MARGIN = 2  # cells for the scroll track at the right
_NO_TRACK: Span = (" ", "ink")


class Rows(Protocol):
    """What a table shows: `row` is asked for visible rows only."""

    @property
    def count(self) -> int:
        """Rows in the whole, loaded or not."""

    def row(self, index: int) -> Row | None:
        """One row; None while it is being loaded."""


class LiveTable(Lines, can_focus=True):
    """Rows of a model with a cursor, heads that sort, and a scroll track."""

    class Moved(Message):
        """The cursor moved, or other rows came into sight."""

    class Opened(Message):
        """Enter or a second click on the row at the cursor."""

    class HeadClicked(Message):
        """A click on a head."""

        def __init__(self, column: Column) -> None:
            super().__init__()
            self.column = column

    def __init__(
        self,
        columns: Sequence[Column],
        painter: Painter,
        glyphs: Glyphs,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._columns: Sequence[Column] = columns
        self._painter = painter
        self._glyphs = glyphs
        self._rows: Rows | None = None
        self._drawing = Drawing(glyphs)
        self._strips: dict[tuple[int, bool, Span], Strip] = {}
        self._dimmed = False
        self._order = ""
        self._descending = False
        self.placed: tuple[Placed, ...] = ()
        self.top = 0
        self.cursor = 0
        self.first_column = 0

    def show(
        self, rows: Rows | None, now_ms: int, *, order: str = "", descending: bool = False, dimmed: bool = False
    ) -> None:
        """Shows the model as it is now: one repaint."""
        self._rows = rows
        self._drawing = Drawing(self._glyphs, now_ms)
        self._order, self._descending, self._dimmed = order, descending, dimmed
        self._strips.clear()
        self._keep_inside()
        self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Shows other columns, from the first on."""
        self._columns = columns
        self.first_column = 0
        self._lay_out()

    @property
    def body_height(self) -> int:
        """Rows in sight."""
        return max(0, self.size.height - 1)

    @property
    def count(self) -> int:
        """Rows in the whole."""
        return self._rows.count if self._rows is not None else 0

    @property
    def hidden_columns(self) -> int:
        """Columns that have no room, from the first one in sight on."""
        return len(self._columns) - self.first_column - len(self.placed) if self.placed else 0

    def move_to(self, index: int, *, keep_line: bool = False) -> None:
        """Puts the cursor on a row; `keep_line` leaves it on its line of the screen."""
        before_top, before = self.top, self.cursor
        line = self.cursor - self.top
        self.cursor = max(0, min(index, self.count - 1))
        if keep_line:
            self.top = max(0, min(self.cursor - line, self.count - self.body_height))
        self._scroll_to_cursor()
        if self.top != before_top:
            self.refresh()
        elif self.cursor != before:
            self._refresh_rows(before, self.cursor)
        self.post_message(self.Moved())

    def scroll_rows(self, rows: int) -> None:
        """Scrolls without changing the cursor's line by more than it must."""
        self.top = max(0, min(self.top + rows, self.count - self.body_height))
        self.cursor = max(self.top, min(self.cursor, self.top + self.body_height - 1, max(0, self.count - 1)))
        self.refresh()
        self.post_message(self.Moved())

    def shift_columns(self, columns: int) -> None:
        """Brings columns further to the right into sight."""
        first = max(0, min(self.first_column + columns, len(self._columns) - 1))
        if first != self.first_column:
            self.first_column = first
            self._lay_out()

    def paint_line(self, y: int, size: Size) -> Strip:
        """The heads, then rows."""
        width, height = size.width, size.height - 1
        if y == 0:
            head = head_line(self.placed, self._order, self._descending, self._glyphs)
            return self._painter.strip(head, width, "bar", dimmed=self._dimmed)
        index = self.top + y - 1
        key = (index, index == self.cursor and index < self.count, self._track_sign(y - 1, height))
        strip = self._strips.get(key)
        if strip is None:
            _, selected, sign = key
            if sign == _NO_TRACK:
                segments = self._row_segments(index, selected, width)
            else:
                segments = self._row_segments(index, selected, width - _MARGIN)
                segments += self._painter.segments(((" ", "ink"), sign), _MARGIN)
            strip = self._strips[key] = Strip(segments, width)
        return strip

    def _row_segments(self, index: int, selected: bool, width: int) -> list[Segment]:
        ground = "selected" if selected else "plain"
        if self._rows is None or not 0 <= index < self._rows.count:
            return self._painter.segments((), width)
        row = self._rows.row(index)
        if row is None:
            mark = self._glyphs.cursor if selected else " "
            waiting = ((mark, "cursor"), (f"  {self._glyphs.ellipsis}", "faint"))
            return self._painter.segments(waiting, width, ground)
        line = row_line(self.placed, row, self._drawing, selected=selected)
        return self._painter.segments(line, width, ground, dimmed=self._dimmed)

    def _track_sign(self, line: int, height: int) -> Span:
        """What the scroll track shows on a line."""
        count = self.count
        if count <= height or height <= 0:
            return _NO_TRACK
        size = max(1, height * height // count)
        start = round(self.top / (count - height) * (height - size))
        return (self._glyphs.thumb, "quiet") if start <= line < start + size else (self._glyphs.track, "faint")

    def _lay_out(self) -> None:
        self.placed = place_columns(self._columns[self.first_column :], self.size.width - _MARGIN)
        self._strips.clear()
        self.refresh()

    def _keep_inside(self) -> None:
        self.cursor = max(0, min(self.cursor, self.count - 1))
        self.top = max(0, min(self.top, self.count - self.body_height))

    def _scroll_to_cursor(self) -> None:
        if self.cursor < self.top:
            self.top = self.cursor
        elif self.body_height and self.cursor >= self.top + self.body_height:
            self.top = self.cursor - self.body_height + 1

    def _refresh_rows(self, *indices: int) -> None:
        lines = {index - self.top + 1 for index in indices}
        self.refresh(*(Region(0, y, self.size.width, 1) for y in lines if 0 < y < self.size.height))

    def on_resize(self) -> None:
        """Other columns fit."""
        self._lay_out()
        self._keep_inside()
        self._scroll_to_cursor()
        self.post_message(self.Moved())

    def on_mouse_scroll_down(self, event: Any) -> None:
        """The wheel."""
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: Any) -> None:
        """The wheel."""
        event.stop()
        self.scroll_rows(-3)

    def on_click(self, event: Any) -> None:
        """A head sorts; a row is selected, and opened by a second click."""
        if event.y == 0:
            column = column_at(self.placed, event.x)
            if column is not None:
                self.post_message(self.HeadClicked(column))
            return
        index = self.top + event.y - 1
        if index >= self.count:
            return
        self.move_to(index)
        if event.chain > 1:
            self.post_message(self.Opened())


Mover = Callable[[LiveTable], None]

MOVES: dict[str, Mover] = {
    "up": lambda table: table.move_to(table.cursor - 1),
    "down": lambda table: table.move_to(table.cursor + 1),
    "page_up": lambda table: table.move_to(table.cursor - table.body_height, keep_line=True),
    "page_down": lambda table: table.move_to(table.cursor + table.body_height, keep_line=True),
    "first": lambda table: table.move_to(0),
    "last": lambda table: table.move_to(table.count - 1),
    "left": lambda table: table.shift_columns(-1),
    "right": lambda table: table.shift_columns(1),
}
