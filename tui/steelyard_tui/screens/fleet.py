"""Vendors and chips side by side."""

from textual.widget import Widget

from steelyard_tui.client import WatchQuery
from steelyard_tui.messages import Goto
from steelyard_tui.present import fleet, frame
from steelyard_tui.present.line import Line
from steelyard_tui.screens.live import LiveScreen, bindings_of
from steelyard_tui.screens.pick import Choice, PickScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Link
from steelyard_tui.widgets.canvas import Canvas


class FleetScreen(LiveScreen):
    """The first screen: each chip's figures, and one of them as bars on one scale."""

    SCOPE = "fleet"
    BINDINGS = bindings_of("fleet")

    def __init__(self, session: Session) -> None:
        super().__init__(session, name="fleet")
        self._canvas = Canvas(session.painter, id="body")
        self._cursor = 0
        self._metric = fleet.METRICS[0]

    def body(self) -> list[Widget]:
        """One canvas."""
        return [self._canvas]

    def watched(self) -> WatchQuery:
        """The live fleet: a handful of rows."""
        return WatchQuery("fleet_live", limit=200, period_ms=self.session.period_ms)

    def rows(self) -> list[dict[str, object]]:
        """The chips, in the view's order."""
        if self.page is None:
            return []
        return [row for at in range(len(self.page.order)) if (row := self.page.row(at)) is not None]

    def scope_line(self) -> Line:
        """What is compared."""
        return fleet.scope_line(self.rows(), self._metric, self.size.width, self.session.glyphs)

    def draw_body(self) -> None:
        """Chips, or why there are none."""
        rows, session = self.rows(), self.session
        if not rows:
            self._canvas.show(self._empty())
            return
        self._cursor = max(0, min(self._cursor, len(rows) - 1))
        look = fleet.Look(self._canvas.size.width, self._canvas.size.height, self._metric, self._cursor, session.glyphs)
        self._canvas.show(fleet.lines(rows, look), dimmed=session.is_old(self.page))

    def _empty(self) -> list[Line]:
        session = self.session
        if self.page is not None:
            return frame.no_data(session.client.address, "devices")
        if session.link.link is Link.LOST:
            return frame.no_collector(session.client.address, session.link.reason, session.link.attempts)
        return frame.waiting("the fleet", session.glyphs)

    def action_move(self, way: str) -> None:
        """Moves the cursor."""
        count = len(self.rows())
        self._cursor = {"up": self._cursor - 1, "down": self._cursor + 1, "first": 0, "last": count - 1}[way]
        self._cursor = max(0, min(self._cursor, count - 1))
        self.draw()

    def action_open(self) -> None:
        """The devices of this chip."""
        rows = self.rows()
        if rows:
            self.post_message(Goto("devices", filter_text=fleet.filter_of(rows[self._cursor])))

    def action_metric(self) -> None:
        """Chooses what is compared."""
        choices = [Choice(metric.name, metric.title) for metric in fleet.METRICS]

        def chosen(name: str | None) -> None:
            self._metric = next((metric for metric in fleet.METRICS if metric.name == name), self._metric)
            self.draw()

        self.app.push_screen(PickScreen("Compare", choices, self.session.painter, at=self._metric.name), chosen)

    def on_canvas_clicked(self, message: Canvas.Clicked) -> None:
        """A click selects a chip."""
        super().on_canvas_clicked(message)
