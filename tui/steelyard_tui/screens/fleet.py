"""Vendors and chips side by side."""

from typing import Final

from textual import work

from steelyard_proto.errors import SteelyardError
from steelyard_tui.history import FLEET_WINDOWS, Window, next_window, read_fleet, zoomed
from steelyard_tui.messages import Goto
from steelyard_tui.present import fleet, trends
from steelyard_tui.present.columns import Column, Row, column_at, falls
from steelyard_tui.present.figures import number
from steelyard_tui.present.line import Line, Painted
from steelyard_tui.queries import read_query
from steelyard_tui.screens.chips import ChipsScreen
from steelyard_tui.screens.live import bindings_of
from steelyard_tui.screens.pick import Choice, PickScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Page
from steelyard_tui.widgets.canvas import Canvas

_PAST_EVERY_S: Final = 10.0


class FleetScreen(ChipsScreen):
    """Each chip's figures now, and one of them as bars on one scale."""

    SCOPE = "fleet"
    BINDINGS = bindings_of("fleet")

    def __init__(self, session: Session) -> None:
        super().__init__(session, name="fleet", deeper=_devices_of)
        self._metric = fleet.METRICS[0]
        self._window = FLEET_WINDOWS[0]
        self._past = trends.Past(self._window)
        self._asked_s = float("-inf")
        self._order, self._descending = "", False

    def rows(self) -> list[dict[str, object]]:
        """The chips in the order that was chosen, else the view's."""
        return fleet.in_order(super().rows(), self._order, descending=self._descending)

    def scope_line(self) -> Line:
        """What is compared."""
        session = self.session
        return fleet.scope_line(self.rows(), self._metric, self.size.width, session.glyphs, is_young=session.is_young)

    def draw_body(self) -> None:
        """Chips, or why there are none."""
        rows, session = self.rows(), self.session
        if not rows:
            self._canvas.show(self.why_empty("the fleet"))
            return
        keys = [fleet.key_of(row) for row in rows]
        # The cursor stays with its chip where figures change the order.
        self._cursor = keys.index(self._key) if self._key in keys else max(0, min(self._cursor, len(rows) - 1))
        look = self._look()
        upper = fleet.draw(rows, look)
        self._owners = upper.owners
        lines: list[Line | Painted] = [*upper.lines]
        now_ms = self.page.time_ms if self.page is not None else 0
        lines += trends.lower_lines(rows, self._past, look, look.height - len(lines), now_ms)
        self._canvas.show(lines, dimmed=session.is_old(self.page))

    def _look(self) -> fleet.Look:
        width, height = self._canvas.size
        return fleet.Look(
            width,
            height,
            self._metric,
            self._cursor,
            self.session.glyphs,
            self._order,
            self._descending,
            is_young=self.session.is_young,
        )

    def receive(self, page: Page) -> None:
        """Takes the newest rows, and asks for the past where it is due."""
        super().receive(page)
        self._ask_if_due(page.time_ms)

    def _ask_if_due(self, time_ms: int) -> None:
        every_s = max(_PAST_EVERY_S, self._window.seconds / 200)
        if self.session.clock() - self._asked_s >= every_s:
            self._asked_s = self.session.clock()
            devices = sum(number(row.get("devices")) or 0 for row in self.rows())
            self._read(self._metric.name, self._window, time_ms, int(devices))

    @work(thread=True, group="past", exclusive=True)
    def _read(self, metric: str, window: Window, time_ms: int, devices: int) -> None:
        client = self.session.client
        try:
            histories = read_fleet(client, metric, window, time_ms, 2 * self.size.width, devices)
            events = client.sql(read_query("latest_events")).table.to_pylist()
        except SteelyardError as error:
            # The rows above say how the link is; the past is asked for again when it is due.
            self.app.call_from_thread(self.log.warning, str(error))
            return
        self.app.call_from_thread(self._arrived, metric, trends.Past(window, histories, events))

    def _arrived(self, metric: str, past: trends.Past) -> None:
        if metric == self._metric.name and past.window == self._window:
            self._past = past
            self.draw()

    def _ask_anew(self) -> None:
        """Another metric or window: what has been read doesn't fit it."""
        self._past = trends.Past(self._window, {}, self._past.events)
        self._asked_s = float("-inf")
        if self.page is not None:
            self._ask_if_due(self.page.time_ms)
        self.draw()

    def action_window(self) -> None:
        """Another length of history."""
        self._window = next_window(FLEET_WINDOWS, self._window)
        self._ask_anew()

    def action_zoom(self, by: int) -> None:
        """Shorter or longer history."""
        self._window = zoomed(FLEET_WINDOWS, self._window, by)
        self._ask_anew()

    def on_canvas_clicked(self, message: Canvas.Clicked) -> None:
        """A head sorts; what is on the lines below it is the base's."""
        if message.canvas is self._canvas and message.line == 0 and self.rows():
            column = column_at(self._look().placed, message.cell)
            if column is not None:
                self._sort_by(column)

    def action_sort(self) -> None:
        """Chooses a column."""
        choices = [Choice(column.order, column.title) for column in fleet.COLUMNS]

        def chosen(order: str | None) -> None:
            column = next((one for one in fleet.COLUMNS if one.order == order), None)
            if column is not None:
                self._sort_by(column)

        self.app.push_screen(PickScreen("Sort by", choices, self.session.painter, at=self._order), chosen)

    def action_invert(self) -> None:
        """The other way round."""
        if self._order:
            self._descending = not self._descending
            self.draw()

    def _sort_by(self, column: Column) -> None:
        self._descending = falls(column, self._order, descending=self._descending)
        self._order = column.order
        self.draw()

    def action_metric(self) -> None:
        """Chooses what is compared."""
        choices = [Choice(metric.name, metric.title) for metric in fleet.METRICS]

        def chosen(name: str | None) -> None:
            self._metric = next((metric for metric in fleet.METRICS if metric.name == name), self._metric)
            self._ask_anew()

        self.app.push_screen(PickScreen("Compare", choices, self.session.painter, at=self._metric.name), chosen)


def _devices_of(chip: Row) -> Goto:
    return Goto("devices", filter_text=fleet.filter_of(chip))
