"""One device with its history."""

from textual import work
from textual.widget import Widget

from steelyard_proto.errors import SteelyardError, StoreError
from steelyard_tui.client import WatchQuery
from steelyard_tui.history import WINDOWS, History, Window, next_window, read_device, zoomed
from steelyard_tui.messages import Back
from steelyard_tui.present import device, frame
from steelyard_tui.present.line import Line, Painted, clean
from steelyard_tui.screens.live import LiveScreen, bindings_of
from steelyard_tui.session import Session
from steelyard_tui.state import Page
from steelyard_tui.widgets.canvas import Canvas

_METRICS = tuple(plotted.name for plotted in device.PLOTTED)


class DeviceScreen(LiveScreen):
    """What the device is, what it does now, and what it did."""

    SCOPE = "device"
    BINDINGS = bindings_of("device")

    def __init__(self, session: Session) -> None:
        super().__init__(session, name="device")
        self._canvas = Canvas(session.painter, id="body")
        self._row: dict[str, object] = {}
        self._window = WINDOWS[0]
        self._history: History | None = None
        self._reason = ""
        self._asked_s = float("-inf")
        self._first = 0

    def body(self) -> list[Widget]:
        """One canvas."""
        return [self._canvas]

    def show_device(self, row: dict[str, object]) -> None:
        """Shows this row of `devices` from now on."""
        self._row, self._history, self.page, self._reason = row, None, None, ""
        self._asked_s, self._first = float("-inf"), 0

    def watched(self) -> WatchQuery:
        """This device's row, with all of its columns."""
        return WatchQuery(
            "devices", filter=f"device_id={self._row['device_id']}", limit=1, period_ms=self.session.period_ms
        )

    def receive(self, page: Page) -> None:
        """Takes the newest row, and asks for history where it is due."""
        row = page.row(0)
        if row is not None:
            self._row = row
        self._ask_if_due(page.time_ms)
        super().receive(page)

    def _ask_if_due(self, time_ms: int) -> None:
        every_s = max(2.0, self._window.seconds / 300)
        if self.session.clock() - self._asked_s >= every_s:
            self._asked_s = self.session.clock()
            self._read(int(str(self._row["device_id"])), time_ms)

    @work(thread=True, group="history", exclusive=True)
    def _read(self, device_id: int, time_ms: int) -> None:
        dots = 2 * max(20, self.size.width - device.LABEL - 1)
        window = self._window
        try:
            history = read_device(self.session.client, device_id, _METRICS, window, time_ms, dots)
        except SteelyardError as error:
            # A lost link is said by the band; only the store's own words belong here.
            if isinstance(error, StoreError):
                self.app.call_from_thread(self._failed, str(error))
            return
        self.app.call_from_thread(self._arrived, device_id, window, history)

    def _arrived(self, device_id: int, window: object, history: History) -> None:
        if self._row.get("device_id") == device_id and window == self._window:
            self._history, self._reason = history, ""
            self.draw()

    def _failed(self, reason: str) -> None:
        self._reason = reason
        self.draw()

    def scope_line(self) -> Line:
        """Which device, which window."""
        level = self._history.level if self._history is not None else self._window.level
        return device.title_line(self._row, self._window.title, level, self.session.glyphs)

    def draw_body(self) -> None:
        """Facts, then lanes."""
        size, session = self._canvas.size, self.session
        now_ms = self.page.time_ms if self.page is not None else int(session.wall() * 1000)
        look = device.Look(size.width, size.height - 4, self._first, session.glyphs, now_ms)
        lines: list[Painted] = [Painted(line) for line in (*device.fact_lines(self._row, look), ())]
        if self._reason:
            lines.append(Painted(((f"   history: {clean(self._reason)}", "warn"),)))
        elif self._history is None:
            lines += [Painted(line) for line in frame.waiting("history", session.glyphs)]
        else:
            lines += device.lanes(self._row, self._history, self._window, look)
        self._canvas.show(lines, dimmed=session.is_old(self.page))

    def action_move(self, way: str) -> None:
        """Other lanes."""
        self._first = {"up": max(0, self._first - 1), "down": self._first + 1, "first": 0, "last": 99}[way]
        self._first = min(self._first, len(device.PLOTTED) - 1)
        self.draw()

    def action_window(self) -> None:
        """Another length of history."""
        self._look_at(next_window(WINDOWS, self._window))

    def action_zoom(self, by: int) -> None:
        """Shorter or longer history."""
        self._look_at(zoomed(WINDOWS, self._window, by))

    def _look_at(self, window: Window) -> None:
        self._window = window
        self._history, self._asked_s = None, float("-inf")
        if self.page is not None:
            self._ask_if_due(self.page.time_ms)
        self.draw()

    def action_back(self) -> None:
        """To the table."""
        self.post_message(Back())
