"""The SQL console: an editor, and the rows that came back."""

import textwrap
from pathlib import Path
from typing import Final

import pyarrow as pa
from textual import on, work
from textual.binding import Binding
from textual.widget import Widget
from textual.worker import get_current_worker

from steelyard_proto.errors import SteelyardError
from steelyard_tui.client import Cancelled, SqlCall, SqlResult, WatchQuery
from steelyard_tui.commands.formats import FORMATS, write_table
from steelyard_tui.copies import short_path
from steelyard_tui.present.figures import count, origin_mark
from steelyard_tui.present.frame import more_columns
from steelyard_tui.present.line import Line, Span, clean, line_width
from steelyard_tui.present.result import ResultRows, result_columns
from steelyard_tui.queries import read_examples
from steelyard_tui.screens.ask import AskScreen
from steelyard_tui.screens.live import LiveScreen, bindings_of
from steelyard_tui.screens.pick import Choice, PickScreen
from steelyard_tui.session import Session
from steelyard_tui.sql_history import add_query, read_history
from steelyard_tui.state import Page
from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.editor import make_editor
from steelyard_tui.widgets.table import MOVES, LiveTable

_ALL_VIEWS: Final = "F3: all"
_KINDS: Final = 64
VIEWS: Final = (
    "devices", "nodes", "jobs", "fleet_live", "efficiency_live", "efficiency", "goodput", "stragglers", "steps",
    "trainings", "straggler_history", "straggler_signals", "shares", "claims", "chips", "device_history", "agents",
    "gaps", "events", "job_devices", "processes", "host_history",
)  # fmt: skip
_ENDINGS: Final = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".arrow": "arrow", ".txt": "table"}
_RESULT_KEYS: Final = {
    "up": "up,k", "down": "down,j", "page_up": "pageup,ctrl+b", "page_down": "pagedown,ctrl+f",
    "first": "home,g", "last": "end,G", "left": "left,h", "right": "right,l",
}  # fmt: skip


class SqlScreen(LiveScreen):
    """Asks the store."""

    SCOPE = "sql"
    BINDINGS = [  # noqa: RUF012
        *bindings_of("sql"),
        *(Binding(keys, f"move('{way}')", show=False) for way, keys in _RESULT_KEYS.items()),
        Binding("ctrl+j,ctrl+enter,f5", "run", show=False, priority=True),
        # Before the editor, which has another use for these keys.
        Binding("tab,shift+tab", "other_pane", show=False, priority=True),
        Binding("ctrl+e", "export", show=False, priority=True),
        Binding("y", "copy_row", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session, name="sql")
        self._editor = make_editor(read_examples()[0].sql)
        self._answer = Canvas(session.painter, ground="bar", id="answer")
        self._table = LiveTable((), session.painter, session.glyphs, id="table")
        self._message = Canvas(session.painter, id="body")
        self._rows: ResultRows | None = None
        self._truncated = False
        self._call: SqlCall | None = None
        self._began_s = 0.0
        self._took_s = 0.0
        self._error = ""
        self._order: tuple[str, bool] = ("", False)

    def body(self) -> list[Widget]:
        """Editor, answer line, rows or an error."""
        self._table.add_class("hidden")
        return [self._editor, self._answer, self._table, self._message]

    def watched(self) -> WatchQuery:
        """Next to nothing, so that the link is known and found again; and what of the fleet isn't measured."""
        return WatchQuery("fleet_live", columns=("origin",), limit=_KINDS, period_ms=self.session.period_ms)

    def receive(self, page: Page) -> None:
        """The link lives; the rows are the answer's own."""
        self.page = page
        self._answer.show([self._answer_line()])
        self.draw_frame()

    def on_mount(self) -> None:
        """Ready to type."""
        self._editor.focus()

    def on_screen_resume(self) -> None:
        """The editor is as tall as the screen allows."""
        self.set_class(self.size.height >= 40, "-tall")
        super().on_screen_resume()

    def scope_line(self) -> Line:
        """Where it is asked."""
        line: Line = ((" SQL ", "quiet"), ("ClickHouse, read-only", "strong"), (" at ", "quiet"))
        line = (*line, (self.session.client.address, "strong"), ("   views: ", "quiet"))
        room, named = self.size.width - line_width(line) - len(_ALL_VIEWS), ""
        for view in VIEWS:
            if len(named) + len(view) + 2 <= room:
                named += f"{view}, "
        return (*line, (named, "ink"), (_ALL_VIEWS, "quiet"))

    def draw_body(self) -> None:
        """The answer's line, and rows, error or a hint."""
        has_rows = self._rows is not None and not self._error and self._call is None
        self._table.set_class(not has_rows, "hidden")
        self._message.set_class(has_rows, "hidden")
        self._answer.show([self._answer_line()])
        if has_rows:
            order, descending = self._order
            self._table.show(self._rows, 0, order=order, descending=descending)
        else:
            self._message.show(self._message_lines())

    def _answer_line(self) -> Line:
        if self._call is not None:
            waited = self.session.clock() - self._began_s
            return ((f" running {waited:.0f} s  ", "warn"), ("esc stops it, here and in the store", "quiet"))
        if self._error:
            return ((f" failed after {self._took_s:.3g} s", "warn"),)
        if self._rows is None:
            return ((" no answer yet", "quiet"),)
        more = (
            f"the first {count(self._rows.count)} rows of more"
            if self._truncated
            else f"{count(self._rows.count)} rows"
        )
        hidden = more_columns(self._table.hidden_columns, self.session.glyphs)
        took: Span = (f"  in {self._took_s:.3g} s", "quiet")
        return ((f" {more}", "strong"), took, *hidden, *self._origins(), ("   ctrl+e exports", "quiet"))

    def _origins(self) -> Line:
        """That some of what the store holds isn't measured, where the rows don't say of themselves."""
        if self._rows is None or self.page is None or "origin" in self._rows.table.column_names:
            return ()
        found = {str(origin) for origin in self.page.columns.get("origin", ())} - {"measured", ""}
        marked = (f"{origin_mark(origin, self.session.glyphs)} {origin}" for origin in sorted(found, reverse=True))
        return ((f"   the store holds {', '.join(marked)} data: see the column origin", "title"),) if found else ()

    def _message_lines(self) -> list[Line]:
        if self._error:
            width = max(20, self.size.width - 4)
            wrapped = (line for part in self._error.splitlines() for line in textwrap.wrap(clean(part), width))
            return [(), *(((f"  {line}", "ink"),) for line in wrapped)]
        if self._call is not None:
            return []
        return [
            (),
            (
                ("   ctrl+j", "strong"),
                (" runs what stands above   ", "ink"),
                ("F2", "strong"),
                (" queries to start from", "ink"),
            ),
            (
                ("   F3", "strong"),
                (" views and columns         ", "ink"),
                ("F8", "strong"),
                (" what you asked before", "ink"),
            ),
            (("   tab", "strong"), (" goes to the rows and back; there single keys like 1-6 and q work again", "ink")),
        ]

    def tick(self) -> None:
        """The clock; and how long a query has run."""
        self.draw_frame()
        if self._call is not None:
            self._answer.show([self._answer_line()])

    def action_run(self) -> None:
        """Runs what stands in the editor, or what is selected in it."""
        query = (self._editor.selected_text or self._editor.text).strip().rstrip(";")
        if not query or self._call is not None:
            return
        self._began_s = self.session.clock()
        self._error = ""
        self._call = self.session.client.start_sql(query)
        self._fetch(query, self._call)
        self.draw()

    @work(thread=True, group="sql")
    def _fetch(self, query: str, call: SqlCall) -> None:
        try:
            result = call.result()
        except Cancelled:
            self.app.call_from_thread(self._failed, call, "stopped")
            return
        except (SteelyardError, pa.ArrowException) as error:
            self.app.call_from_thread(self._failed, call, str(error))
            return
        rows = ResultRows(result.table)
        try:
            add_query(self.session.locations.sql_history, query)
        except OSError as error:
            self.app.call_from_thread(self.notify, f"history not written: {error.strerror}", markup=False)
        self.app.call_from_thread(self._arrived, call, rows, result)

    def _failed(self, call: SqlCall, reason: str) -> None:
        if call is not self._call:
            return
        self._call, self._error = None, reason
        self._took_s = self.session.clock() - self._began_s
        self.draw()

    def _arrived(self, call: SqlCall, rows: ResultRows, result: SqlResult) -> None:
        if call is not self._call:
            return
        self._call, self._rows, self._truncated = None, rows, result.truncated
        self._took_s = self.session.clock() - self._began_s
        self._order = ("", False)
        self._table.set_columns(result_columns(result.table))
        self._table.move_to(0)
        self.draw()

    def action_cancel(self) -> None:
        """Stops a running query; without one, leaves the editor for the rows."""
        if self._call is not None:
            self._call.cancel()
        elif self._editor.has_focus:
            self.action_other_pane()

    def action_other_pane(self) -> None:
        """Between the editor and the rows."""
        if self._editor.has_focus:
            self.set_focus(None)
        else:
            self._editor.focus()

    def action_move(self, way: str) -> None:
        """Moves in the rows."""
        MOVES[way](self._table)
        self._answer.show([self._answer_line()])

    @on(LiveTable.HeadClicked)
    def _head_clicked(self, message: LiveTable.HeadClicked) -> None:
        if self._rows is not None:
            key = message.column.order
            falling = not self._order[1] if self._order[0] == key else message.column.align == "right"
            self._sort(self._rows, key, falling)

    @work(thread=True, group="sort", exclusive=True)
    def _sort(self, rows: ResultRows, key: str, descending: bool) -> None:
        try:
            ordered = rows.sorted_by(int(key), descending=descending)
        except pa.ArrowException as error:
            self.app.call_from_thread(self.notify, clean(f"can't be sorted: {error}"), markup=False)
            return
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._sorted, rows, ordered, (key, descending))

    def _sorted(self, before: ResultRows, rows: ResultRows, order: tuple[str, bool]) -> None:
        if before is self._rows:
            self._rows, self._order = rows, order
            self.draw()

    def action_copy_row(self) -> None:
        """The row at the cursor, tab-separated."""
        row = self._rows.row(self._table.cursor) if self._rows is not None else None
        if row is not None:
            self.app.copy_to_clipboard("\t".join("" if v is None else str(v) for v in row.values()))
            self.notify("row copied to the clipboard")

    def action_history(self) -> None:
        """Earlier queries."""
        queries = read_history(self.session.locations.sql_history)
        self._choose("Earlier queries", [Choice(text, " ".join(text.split())) for text in queries])

    def action_examples(self) -> None:
        """Queries that answer common questions."""
        self._choose("Queries to start from", [Choice(example.sql, example.title) for example in read_examples()])

    def _choose(self, title: str, choices: list[Choice]) -> None:
        def chosen(text: str | None) -> None:
            if text is not None:
                self._editor.text = text
            self._editor.focus()

        self.app.push_screen(PickScreen(title, choices, self.session.painter), chosen)

    @work(thread=True, group="columns", exclusive=True)
    def action_columns(self) -> None:
        """The views and their columns; the chosen one is put into the editor."""
        choices: list[Choice] = []
        try:
            for view in VIEWS:
                for row in self.session.client.sql(f"DESCRIBE TABLE {view}").table.to_pylist():
                    choices.append(Choice(row["name"], f"{view}.{row['name']}  {row['type']}"))
        except SteelyardError as error:
            self.app.call_from_thread(self.notify, clean(str(error)), markup=False, severity="warning")
            return
        self.app.call_from_thread(self._choose_column, choices)

    def _choose_column(self, choices: list[Choice]) -> None:
        def chosen(name: str | None) -> None:
            if name is not None:
                self._editor.insert(name)
            self._editor.focus()

        self.app.push_screen(PickScreen("Views and columns", choices, self.session.painter), chosen)

    def action_export(self) -> None:
        """Writes the rows to a file."""
        if self._rows is None:
            self.notify("nothing to export: run a query first")
            return
        default = self.session.locations.copies_dir / "result.csv"

        def given(name: str | None) -> None:
            if name is not None and self._rows is not None:
                self._write(Path(name).expanduser(), self._rows)

        title = "Export to: .csv, .json, .parquet, .arrow or .txt"
        self.app.push_screen(AskScreen(title, str(default), self.session.painter), given)

    @work(thread=True, group="export")
    def _write(self, path: Path, rows: ResultRows) -> None:
        kind = _ENDINGS.get(path.suffix)
        if kind not in FORMATS:
            text = f"not exported: {path.name} must end in {', '.join(_ENDINGS)}"
        else:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    write_table(rows.table, kind, file)
                text = f"{count(rows.count)} rows in {short_path(path)}"
            except (OSError, pa.ArrowException) as error:
                text = f"not exported: {error}"
        self.app.call_from_thread(self.notify, clean(text), markup=False)
