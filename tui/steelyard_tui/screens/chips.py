"""The base of the screens that show each kind of device on one canvas."""

from collections.abc import Callable, Sequence

from textual.widget import Widget

from steelyard_tui.client import WatchQuery
from steelyard_tui.messages import Goto
from steelyard_tui.present import frame
from steelyard_tui.present.columns import Row
from steelyard_tui.present.fleet import Key, key_of
from steelyard_tui.present.line import Line
from steelyard_tui.screens.live import LiveScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Link
from steelyard_tui.widgets.canvas import Canvas


class ChipsScreen(LiveScreen):
    """Watches the live fleet: a handful of rows, one a chip and origin."""

    def __init__(self, session: Session, *, name: str, deeper: Callable[[Row], Goto]) -> None:
        """As `LiveScreen`; `deeper` is where a chip's row leads to."""
        super().__init__(session, name=name)
        self._deeper = deeper
        self._canvas = Canvas(session.painter, id="body")
        self._cursor = 0
        self._key: Key | None = None
        # Which chip each line of the canvas belongs to, for the mouse.
        self._owners: list[int | None] = []

    def body(self) -> list[Widget]:
        """One canvas."""
        return [self._canvas]

    def watched(self) -> WatchQuery:
        """All chips."""
        return WatchQuery("fleet_live", limit=200, period_ms=self.session.period_ms)

    def rows(self) -> list[dict[str, object]]:
        """The chips, in the view's order."""
        return [] if self.page is None else self.page.rows()

    def shown(self) -> Sequence[Row]:
        """The chips as they stand on the screen."""
        return self.rows()

    def select(self, at: int) -> None:
        """Puts the cursor on a chip, the first or last one where there is none."""
        rows = self.shown()
        if rows:
            self._cursor = max(0, min(at, len(rows) - 1))
            self._key = key_of(rows[self._cursor])
            self.draw()

    def action_open(self) -> None:
        """What the cursor is on, one level deeper."""
        rows = self.shown()
        if rows:
            self.post_message(self._deeper(rows[min(self._cursor, len(rows) - 1)]))

    def action_move(self, way: str) -> None:
        """Moves the cursor."""
        last = len(self.rows()) - 1
        self.select({"up": self._cursor - 1, "down": self._cursor + 1, "first": 0, "last": last}[way])

    def on_canvas_clicked(self, message: Canvas.Clicked) -> None:
        """A chip is selected, and opened by a second click."""
        if message.canvas is not self._canvas:
            return
        owner = self._owners[message.line] if message.line < len(self._owners) else None
        if owner is None:
            return
        if owner == self._cursor and message.chain > 1:
            self.action_open()
        else:
            self.select(owner)

    def on_mouse_scroll_down(self) -> None:
        """The wheel."""
        self.action_move("down")

    def on_mouse_scroll_up(self) -> None:
        """The wheel."""
        self.action_move("up")

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
