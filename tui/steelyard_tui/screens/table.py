"""The tables of jobs, nodes and devices: only the rows around those in sight are asked for."""

from dataclasses import replace
from typing import Final

from textual import on
from textual.widget import Widget
from textual.widgets import Input

from steelyard_tui.client import WatchQuery
from steelyard_tui.copies import row_text
from steelyard_tui.messages import Back, Goto
from steelyard_tui.present import frame
from steelyard_tui.present.columns import Column, Row, falls, needed_columns
from steelyard_tui.present.figures import count, text_of
from steelyard_tui.present.line import Line, Span, clean, line_width, spread
from steelyard_tui.present.tables import TABLES, TableSpec
from steelyard_tui.screens.live import LiveScreen, bindings_of
from steelyard_tui.screens.pick import Choice, PickScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Asking, Link, Page, hold_order
from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.table import MOVES, LiveTable

# Rows don't change places for this long after the cursor moved.
_HOLD_S: Final = 2.0
_FILTER_DELAY_S: Final = 0.15
# What devices and jobs are before their first samples and rollups.
_EARLY: Final = frozenset({"silent", "starting"})

__all__ = ["TABLES", "TableScreen"]


class _PageRows:
    """A page as the table's model."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.count = page.total

    def row(self, index: int) -> Row | None:
        return self._page.row(index)


class TableScreen(LiveScreen):
    """One table over one view."""

    SCOPE = "devices"
    BINDINGS = bindings_of("devices")

    def __init__(self, session: Session, spec: TableSpec) -> None:
        super().__init__(session, name=spec.name)
        self._spec = spec
        self._asking = Asking()
        self._table = LiveTable(spec.columns, session.painter, session.glyphs, id="table")
        self._empty = Canvas(session.painter, id="body")
        self._input = Input(id="filter", placeholder="words, and tests: chip:910b busy<0.2 node!=n1", compact=True)
        self._moved_s = -_HOLD_S
        self._key: object = None

    def body(self) -> list[Widget]:
        """The filter's line, the table, and what stands there without rows."""
        self._input.add_class("hidden")
        self._empty.add_class("hidden")
        return [self._input, self._table, self._empty]

    def watched(self) -> WatchQuery:
        """The rows around those in sight."""
        table, loaded = self._table, self.session.asked
        # Without rows the table isn't laid out yet: as many as the terminal may hold.
        height = table.body_height or self.app.size.height
        offset, limit = max(0, table.top - height), 3 * height
        loaded = loaded if loaded is not None and loaded.view == self._spec.name else None
        if loaded and loaded.offset <= table.top and table.top + height <= loaded.offset + loaded.limit:
            # What has been asked for still covers what is in sight: no other page.
            offset, limit = loaded.offset, loaded.limit
        return WatchQuery(
            view=self._spec.name,
            columns=needed_columns(self._spec.columns, self._spec.always),
            filter=self._asking.filter,
            order=self._asking.order,
            descending=self._asking.descending,
            limit=limit,
            offset=offset,
            period_ms=self.session.period_ms,
        )

    def receive(self, page: Page) -> None:
        """Takes a page; the cursor stays with its row, and rows don't jump under a finger."""
        before, table = self.page, self._table
        is_held = self._asking.frozen or self.session.clock() - self._moved_s < _HOLD_S
        if before is not None and is_held and before.query == page.query:
            page = hold_order(before, page, self._spec.key)
        elif self._key is not None and table.cursor > 0:
            index = page.find(self._spec.key, self._key)
            if index is not None and index != table.cursor:
                self._show_page(page)
                table.move_to(index, keep_line=True)
        super().receive(page)

    def _show_page(self, page: Page) -> None:
        self.page = page
        asking, session = self._asking, self.session
        self._table.show(
            _PageRows(page),
            page.time_ms,
            order=asking.order,
            descending=asking.descending,
            dimmed=session.is_old(page),
        )

    def scope_line(self) -> Line:
        """How many rows, which filter, which order."""
        noun, glyphs, asking = self._spec.name, self.session.glyphs, self._asking
        link = self.session.link
        if link.link is Link.REFUSED:
            return spread(((f" {clean(link.reason)}", "warn"),), (), self.size.width, glyphs.ellipsis)
        line: list[Span] = [(" ", "ink")]
        if self.page is not None:
            total, whole = count(self.page.total), count(self.page.all_rows)
            line.append((f"{total} " if not asking.filter else f"{total} of {whole} ", "strong"))
        line.append((noun, "quiet"))
        if self._is_awaiting():
            line.append(("   waiting for the first samples", "title"))
        if asking.filter:
            line += [("   filter ", "quiet"), (clean(asking.filter), "strong")]
        if asking.order:
            way = "falling" if asking.descending else "rising"
            line += [("   by ", "quiet"), (asking.order, "strong"), (f" {way}", "quiet")]
        if asking.frozen:
            line.append((f"   {glyphs.warn}order frozen", "warn"))
        line += frame.more_columns(self._table.hidden_columns, glyphs)
        marks: Line = (*frame.legend(glyphs), (" ", "ink"))
        if line_width(line) + line_width(marks) > self.size.width:
            marks = ()
        return spread(line, marks, self.size.width, glyphs.ellipsis)

    def _is_awaiting(self) -> bool:
        """Whether rows of a fleet that has just come are without what arrives in its first seconds."""
        states = self.page.columns.get("state", ()) if self.page is not None else ()
        return self.session.is_young and any(state in _EARLY for state in states)

    def draw_body(self) -> None:
        """Rows, or why there are none."""
        is_empty = self.page is None or self.page.total == 0
        self._table.set_class(is_empty, "hidden")
        self._empty.set_class(not is_empty, "hidden")
        if is_empty:
            self._empty.show(self._why_empty())
        elif self.page is not None:
            self._show_page(self.page)

    def _why_empty(self) -> list[Line]:
        session, noun = self.session, self._spec.name
        address = session.client.address
        if session.link.link is Link.REFUSED:
            return frame.refused(session.link.reason)
        if self.page is not None and self._asking.filter and self.page.all_rows:
            return frame.no_match(noun, self._asking.filter, self.page.all_rows)
        if self.page is not None and noun == "jobs":
            return frame.no_jobs()
        if self.page is not None:
            return frame.no_data(address, noun)
        if session.link.link is Link.LOST:
            return frame.no_collector(address, session.link.reason, session.link.attempts)
        return frame.waiting(noun, session.glyphs)

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        self._moved_s = self.session.clock()
        row = self.cursor_row
        self._key = None if row is None else row[self._spec.key]
        self.rewatch()

    @property
    def cursor_row(self) -> dict[str, object] | None:
        """The row at the cursor, if it has been loaded."""
        return None if self.page is None else self.page.row(self._table.cursor)

    @on(LiveTable.HeadClicked)
    def _head_clicked(self, message: LiveTable.HeadClicked) -> None:
        self._sort_by(message.column)

    @on(LiveTable.Opened)
    def action_open(self) -> None:
        """The device, or the job's page, or the node's devices."""
        row = self.cursor_row
        if row is None:
            return
        if self._spec.name == "devices":
            self.post_message(Goto("device", device=row))
        elif self._spec.name == "jobs":
            self.post_message(Goto("job", job=str(row["job"])))
        else:
            self.post_message(Goto("devices", filter_text=f"{self._spec.name[:-1]}={text_of(row[self._spec.key])}"))

    def action_move(self, way: str) -> None:
        """Moves the cursor, or the columns."""
        MOVES[way](self._table)
        if way in ("left", "right"):
            # How many columns are out of sight stands above them.
            self.draw_frame()

    def action_filter(self) -> None:
        """Types a filter."""
        self._input.remove_class("hidden")
        self._input.value = self._asking.filter
        self._input.focus()

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        value = event.value
        self.set_timer(_FILTER_DELAY_S, lambda: self._apply_if_still(value))

    def _apply_if_still(self, value: str) -> None:
        if self._input.value == value and not self._input.has_class("hidden"):
            self.set_filter(value)

    @on(Input.Submitted, "#filter")
    def _submitted(self, event: Input.Submitted) -> None:
        self.set_filter(event.value)
        self._close_input()

    def _close_input(self) -> None:
        self._input.add_class("hidden")
        self.set_focus(None)

    def set_filter(self, text: str) -> None:
        """Shows only rows that pass."""
        if text.strip() == self._asking.filter:
            return
        self._asking = replace(self._asking, filter=text.strip())
        self._to_top()

    def _to_top(self) -> None:
        self._key, self._table.cursor, self._table.top = None, 0, 0
        self.rewatch()
        self.draw()

    def action_back(self) -> None:
        """Leaves the filter's line, drops the filter, or goes back."""
        if not self._input.has_class("hidden"):
            self._close_input()
        elif self._asking.filter:
            self.set_filter("")
        else:
            self.post_message(Back())

    def action_sort(self) -> None:
        """Chooses a column."""
        choices = [Choice(c.order, c.title) for c in self._spec.columns]

        def chosen(order: str | None) -> None:
            column = next((c for c in self._spec.columns if c.order == order), None)
            if column is not None:
                self._sort_by(column)

        picker = PickScreen("Sort by", choices, self.session.painter, at=self._asking.order)
        self.app.push_screen(picker, chosen)

    def action_sort_next(self, by: int) -> None:
        """The next column in sight."""
        orders = [place.column.order for place in self._table.placed]
        at = orders.index(self._asking.order) if self._asking.order in orders else (-1 if by > 0 else 0)
        self._asking = replace(self._asking, order=orders[(at + by) % len(orders)], descending=False)
        self._to_top()

    def action_invert(self) -> None:
        """The other way round."""
        if self._asking.order:
            self._asking = replace(self._asking, descending=not self._asking.descending)
            self._to_top()

    def _sort_by(self, column: Column) -> None:
        falling = falls(column, self._asking.order, descending=self._asking.descending)
        self._asking = replace(self._asking, order=column.order, descending=falling)
        self._to_top()

    def action_freeze(self) -> None:
        """Rows keep their places; figures go on."""
        self._asking = replace(self._asking, frozen=not self._asking.frozen)
        self.draw()

    def action_copy_row(self) -> None:
        """The row, to clipboard and file."""
        row = self.cursor_row
        if row is None:
            return
        self.copy_text(self._spec.name[:-1], row_text(row))
