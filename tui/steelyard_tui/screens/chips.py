"""The base of the screens that show each kind of device on one canvas."""

from textual.widget import Widget

from steelyard_tui.client import WatchQuery
from steelyard_tui.present import frame
from steelyard_tui.present.line import Line
from steelyard_tui.screens.live import LiveScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Link
from steelyard_tui.widgets.canvas import Canvas


class ChipsScreen(LiveScreen):
    """Watches the live fleet: a handful of rows, one a chip and origin."""

    def __init__(self, session: Session, *, name: str) -> None:
        super().__init__(session, name=name)
        self._canvas = Canvas(session.painter, id="body")
        self._cursor = 0

    def body(self) -> list[Widget]:
        """One canvas."""
        return [self._canvas]

    def watched(self) -> WatchQuery:
        """All chips."""
        return WatchQuery("fleet_live", limit=200, period_ms=self.session.period_ms)

    def rows(self) -> list[dict[str, object]]:
        """The chips, in the view's order."""
        return [] if self.page is None else self.page.rows()

    def why_empty(self, what: str) -> list[Line]:
        """What stands there without chips: that nothing reports, that it is refused, lost, or on its way."""
        session = self.session
        if self.page is not None:
            return frame.no_data(session.client.address, "devices")
        if session.link.link is Link.REFUSED:
            return frame.refused(session.link.reason)
        if session.link.link is Link.LOST:
            return frame.no_collector(session.client.address, session.link.reason, session.link.attempts)
        return frame.waiting(what, session.glyphs)
