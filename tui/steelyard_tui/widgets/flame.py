"""An icicle that is walked through by keys and mouse: each row of the screen is a level of calls."""

from typing import Any

from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from steelyard_tui.flame.layout import Cell, Row, View, cell_at, lay_out
from steelyard_tui.present.flame import Ink, row_line
from steelyard_tui.widgets.lines import Lines
from steelyard_tui.widgets.paint import Painter

_MOST_ROWS = 512
_WHEEL = 3


class FlameView(Lines, can_focus=True):
    """Draws the part of a tree that it is zoomed to, with one cell selected."""

    class Pointed(Message):
        """Another cell is selected, or under the mouse."""

    class Zoomed(Message):
        """Another part fills the width."""

    def __init__(self, painter: Painter, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painter = painter
        self._ink: Ink | None = None
        self._rows: list[Row] = []
        self._laid_for = (0, View())
        self._views = [View()]
        self._at = (0, 0)
        self._hovered: Cell | None = None
        self._top = 0

    def show(self, ink: Ink) -> None:
        """Shows a tree; of the same one it keeps the place, of another it begins with the whole."""
        if self._ink is None or self._ink.tree is not ink.tree:
            self._views, self._at, self._top, self._hovered = [View()], (0, 0), 0, None
            self._rows, self._laid_for = [], (0, View())
        self._ink = ink
        self.refresh()

    @property
    def view(self) -> View:
        """What fills the width."""
        return self._views[-1]

    @property
    def rows(self) -> list[Row]:
        """All levels of the view, as wide as the widget."""
        width = self.size.width
        if self._ink is not None and self._laid_for != (width, self.view):
            self._rows, self._laid_for = lay_out(self._ink.tree, self.view, width, _MOST_ROWS), (width, self.view)
        return self._rows

    @property
    def selected(self) -> Cell | None:
        """The cell that keys act on."""
        row, at = self._at
        rows = self.rows
        return rows[min(row, len(rows) - 1)][min(at, len(rows[min(row, len(rows) - 1)]) - 1)] if rows else None

    @property
    def pointed(self) -> Cell | None:
        """The cell under the mouse, else the selected one."""
        return self._hovered or self.selected

    def move(self, way: str) -> None:
        """Selects the caller, the heaviest callee, or the neighbour in the row; pages go through levels."""
        selected, rows = self.selected, self.rows
        if selected is None:
            return
        row = min(self._at[0], len(rows) - 1)
        at = rows[row].index(selected)
        if way in ("left", "right"):
            self._select(row, max(0, min(at + (1 if way == "right" else -1), len(rows[row]) - 1)))
        elif way == "first":
            self._select(0, 0)
        else:
            step = {"up": -1, "down": 1, "page_up": -self.size.height, "page_down": self.size.height}[way]
            self._step(row, selected, step)

    def _step(self, row: int, selected: Cell, step: int) -> None:
        """So many levels up or down, as far as there are any under (over) this cell."""
        rows = self.rows
        while step and 0 <= row + (1 if step > 0 else -1) < len(rows):
            row_after = row + (1 if step > 0 else -1)
            if step > 0:
                inside = [c for c in rows[row_after] if selected.left <= c.left and c.right <= selected.right]
                found = max(inside, key=lambda cell: cell.right - cell.left, default=None)
            else:
                found = cell_at(rows[row_after], selected.left)
            if found is None:
                break
            row, selected = row_after, found
            step -= 1 if step > 0 else -1
        self._select(row, rows[row].index(selected))

    def _select(self, row: int, at: int) -> None:
        self._at, self._hovered = (row, at), None
        height = max(1, self.size.height)
        self._top = max(0, min(self._top, row, max(0, len(self.rows) - height)), row - height + 1)
        self.refresh()
        self.post_message(self.Pointed())

    def zoom(self, cell: Cell | None = None) -> None:
        """Lets a cell, by default the selected one, fill the width; the view's own goes one back."""
        cell = cell or self.selected
        if cell is None or self._ink is None:
            return
        view = cell.view(self._ink.tree)
        if view == self.view:
            self.back()
        else:
            self._views.append(view)
            self._zoomed()

    def back(self) -> bool:
        """The view before; False where there is none."""
        if len(self._views) == 1:
            return False
        self._views.pop()
        self._zoomed()
        return True

    def whole(self) -> None:
        """Everything."""
        self._views = [View()]
        self._zoomed()

    def go(self, node: int) -> None:
        """Selects a node, and zooms out or in as far as it must be to be seen."""
        if self._ink is None:
            return
        tree = self._ink.tree
        if not self._select_node(node):
            path = tree.path(node)
            # Out to its nearest caller that is wide enough for it, which its parent always is but for small ones.
            for caller in (path[-2] if len(path) > 1 else node, node):
                self._views.append(View(caller))
                if self._select_node(node):
                    break
            self.post_message(self.Zoomed())

    def _select_node(self, node: int) -> bool:
        for row, cells in enumerate(self.rows):
            for at, cell in enumerate(cells):
                if cell.node == node and not cell.merged:
                    self._select(row, at)
                    return True
        return False

    def _zoomed(self) -> None:
        self._top = 0
        self._select(0, 0)
        self.post_message(self.Zoomed())

    def paint_line(self, y: int, size: Size) -> Strip:
        """One level."""
        rows, at = self.rows, self._top + y
        if self._ink is None or at >= len(rows):
            return self._painter.strip((), size.width)
        picked = self._hovered if self._hovered in rows[at] else self.selected if at == self._at[0] else None
        return self._painter.strip(row_line(rows[at], self._ink, picked), size.width)

    def cell_under(self, x: int, y: int) -> Cell | None:
        """The cell at a place of the widget."""
        at = self._top + y
        return cell_at(self.rows[at], x) if 0 <= at < len(self.rows) else None

    def on_mouse_move(self, event: Any) -> None:
        """What is under the mouse is told below."""
        self._hover(self.cell_under(event.x, event.y))

    def on_leave(self) -> None:
        """Nothing is."""
        self._hover(None)

    def _hover(self, cell: Cell | None) -> None:
        if cell == self._hovered:
            return
        changed = [y for y in range(self.size.height) if self._is_on(y, self._hovered) or self._is_on(y, cell)]
        self._hovered = cell
        self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        self.post_message(self.Pointed())

    def _is_on(self, y: int, cell: Cell | None) -> bool:
        at = self._top + y
        return cell is not None and at < len(self.rows) and cell in self.rows[at]

    def on_click(self, event: Any) -> None:
        """Zooms to what is clicked; on the view's own row, back."""
        cell = self.cell_under(event.x, event.y)
        if cell is not None:
            self._hovered = None
            self.zoom(cell)

    def _scroll(self, lines: int) -> None:
        self._top = max(0, min(self._top + lines, len(self.rows) - self.size.height))
        self._hovered = None
        self.refresh()

    def on_mouse_scroll_down(self) -> None:
        """The wheel."""
        self._scroll(_WHEEL)

    def on_mouse_scroll_up(self) -> None:
        """The wheel."""
        self._scroll(-_WHEEL)
