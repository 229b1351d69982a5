"""One job's page, as `steelyard job` prints it."""

from typing import Final

from textual import work
from textual.widget import Widget

from steelyard_proto.errors import SteelyardError, TransportError
from steelyard_tui.client import WatchQuery
from steelyard_tui.job.page import JobPage, read_page
from steelyard_tui.messages import Back, Goto
from steelyard_tui.present import frame
from steelyard_tui.present.job import job_lines
from steelyard_tui.present.line import Line, clean, spread
from steelyard_tui.screens.live import LiveScreen, bindings_of
from steelyard_tui.session import Session
from steelyard_tui.state import Page
from steelyard_tui.widgets.canvas import Canvas

# A page is a dozen queries, of figures that the collector makes anew each 20 s.
_EVERY_S: Final = 10.0
_FAR: Final = 1 << 20


class JobScreen(LiveScreen):
    """How the job stands, its figures, and what to look at; enter shows its devices."""

    SCOPE = "job"
    BINDINGS = bindings_of("job")

    def __init__(self, session: Session) -> None:
        super().__init__(session, name="job")
        self._canvas = Canvas(session.painter, id="body")
        self._job = ""
        self._told: JobPage | None = None
        self._reason = ""
        self._asked_s = float("-inf")
        self._top = 0

    def body(self) -> list[Widget]:
        """One canvas."""
        return [self._canvas]

    def show_job(self, job: str) -> None:
        """Shows this job from now on."""
        self._job, self._told, self.page, self._reason = job, None, None, ""
        self._asked_s, self._top = float("-inf"), 0

    def watched(self) -> WatchQuery:
        """The view that costs least: it tells how the link is."""
        return WatchQuery("efficiency_live", columns=("scope",), limit=1, period_ms=self.session.period_ms)

    def receive(self, page: Page) -> None:
        """The page is read anew where it is due."""
        if self.session.clock() - self._asked_s >= _EVERY_S:
            self._asked_s = self.session.clock()
            self._read(self._job)
        super().receive(page)

    @work(thread=True, group="job", exclusive=True)
    def _read(self, job: str) -> None:
        try:
            told = read_page(self.session.client, job)
        except SteelyardError as error:
            # A lost link is said by the band.
            if not isinstance(error, TransportError):
                self.app.call_from_thread(self._failed, job, str(error))
            return
        self.app.call_from_thread(self._arrived, job, told)

    def _arrived(self, job: str, told: JobPage) -> None:
        if job == self._job:
            self._told, self._reason = told, ""
            self.draw()

    def _failed(self, job: str, reason: str) -> None:
        if job == self._job:
            self._reason = reason
            self.draw()

    def scope_line(self) -> Line:
        """Which job."""
        return spread(
            ((" job ", "quiet"), (clean(self._job), "strong")), (), self.size.width, self.session.glyphs.ellipsis
        )

    def draw_body(self) -> None:
        """The page, from the line that it is scrolled to."""
        size, glyphs = self._canvas.size, self.session.glyphs
        if self._reason:
            lines: list[Line] = [((f" {clean(self._reason)}", "warn"),)]
        elif self._told is None:
            lines = frame.waiting("job", glyphs)
        else:
            lines = [((" ", "ink"), *line) for line in job_lines(self._told, max(20, size.width - 2), glyphs)]
        self._top = max(0, min(self._top, len(lines) - size.height))
        self._canvas.show(lines[self._top : self._top + size.height], dimmed=self.session.is_old(self.page))

    def action_move(self, way: str) -> None:
        """Other lines."""
        height = max(1, self._canvas.size.height)
        by = {"up": -1, "down": 1, "page_up": -height, "page_down": height, "first": -_FAR, "last": _FAR}[way]
        self._top += by
        self.draw()

    def action_open(self) -> None:
        """The job's devices."""
        self.post_message(Goto("devices", filter_text=f"job={self._job}"))

    def action_back(self) -> None:
        """To the table."""
        self.post_message(Back())
