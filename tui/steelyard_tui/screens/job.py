"""One job's page, as `steelyard job` prints it, with its profiles: looked through, compared, and asked for."""

from collections.abc import Callable
from typing import Final

from textual import work
from textual.widget import Widget

from steelyard_proto.errors import SteelyardError, TransportError
from steelyard_proto.v1.control_pb2 import ProfileProgress, ProfileRequest
from steelyard_tui.client import WatchQuery
from steelyard_tui.flame.shown import Shown, compared_kinds
from steelyard_tui.job.page import JobPage, Row, read_page
from steelyard_tui.job.stacks import read_stacks
from steelyard_tui.messages import Back, Goto
from steelyard_tui.present import frame
from steelyard_tui.present.job import ORIGINS, job_lines
from steelyard_tui.present.job_profiles import profile_lines, window_title
from steelyard_tui.present.line import Line, Span, clean, side_by_side, spread
from steelyard_tui.screens.flame import FlameScreen
from steelyard_tui.screens.live import LiveScreen, bindings_of
from steelyard_tui.screens.pick import Choice, PickScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Page
from steelyard_tui.widgets.canvas import Canvas

# A page is a dozen queries, of figures that the collector makes anew each 20 s.
_EVERY_S: Final = 10.0
_FAR: Final = 1 << 20
# From here on profiles stand beside the page, not in it.
_WIDE: Final = 140
_PAGE: Final = 78
_RECORDINGS: Final = (
    Choice("", "3 steps of one rank a node"),
    Choice("stacks", "3 steps with Python stacks: costs more"),
    Choice("shapes", "3 steps with the operators' shapes, for FLOP/s"),
)


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
        self._progress: Span | None = None

    def body(self) -> list[Widget]:
        """One canvas."""
        return [self._canvas]

    def show_job(self, job: str) -> None:
        """Shows this job from now on."""
        self._job, self._told, self.page, self._reason = job, None, None, ""
        self._asked_s, self._top, self._progress = float("-inf"), 0, None

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
        """How a profile that was asked for goes; else only what the page below doesn't say itself."""
        width, ellipsis = self.size.width, self.session.glyphs.ellipsis
        if self._progress:
            return spread(((" profile ", "quiet"), self._progress), (), width, ellipsis)
        if self._told is None:
            return spread(((" job ", "quiet"), (clean(self._job), "strong")), (), width, ellipsis)
        below = len(self._lines()) - self._top - self._canvas.size.height
        more: Line = ((f"{below} line{'s' * (below > 1)} below ", "quiet"),) if below > 0 else ()
        # The page says it at its top, which is out of sight here.
        note = ORIGINS.get(str(self._told.job["origin"]), "") if self._top else ""
        job: Line = ((" job ", "quiet"), (f"{clean(self._job)}  ", "strong")) if self._top else ()
        return spread((*job, (note, "warn")), more, width, ellipsis)

    def _lines(self) -> list[Line]:
        """The whole page."""
        width, glyphs = self._canvas.size.width, self.session.glyphs
        if self._told is None:
            return []
        beside = profile_lines(self._told, width - _PAGE - 4, glyphs) if width >= _WIDE else []
        room = _PAGE if beside else max(20, width - 2)
        page = job_lines(self._told, room, glyphs, has_profiles=not beside)
        lines = side_by_side(page, beside, room, 2) if beside else page
        return [((" ", "ink"), *line) for line in lines]

    def draw_body(self) -> None:
        """The page, from the line that it is scrolled to."""
        size, glyphs = self._canvas.size, self.session.glyphs
        if self._reason:
            lines: list[Line] = [((f" {clean(self._reason)}", "warn"),)]
        elif self._told is None:
            lines = frame.waiting("job", glyphs)
        else:
            lines = self._lines()
        self._top = max(0, min(self._top, len(lines) - size.height))
        self._canvas.show(lines[self._top : self._top + size.height], dimmed=self.session.is_old(self.page))

    def action_move(self, way: str) -> None:
        """Other lines."""
        height = max(1, self._canvas.size.height)
        by = {"up": -1, "down": 1, "page_up": -height, "page_down": height, "first": -_FAR, "last": _FAR}[way]
        self._top += by
        self.draw()
        self.draw_frame()

    def action_open(self) -> None:
        """The job's devices."""
        self.post_message(Goto("devices", filter_text=f"job={self._job}"))

    def action_back(self) -> None:
        """To the table."""
        self.post_message(Back())

    def _windows(self) -> list[Row]:
        """Those with stacks in them, the newest first."""
        told = self._told.profiles if self._told is not None else ()
        windows = [row for row in told if row["state"] == "stored" and row["profiler"] != "msprof"]
        if self._told is None:
            self.notify("the page is still being read", markup=False)
        elif not windows:
            self.notify("nobody has profiled this job yet; P asks for a profile", markup=False)
        return windows

    def action_flame(self) -> None:
        """The newest window's stacks."""
        if windows := self._windows():
            self._open_flame(windows[0])

    def action_windows(self) -> None:
        """Chooses the window whose stacks are shown."""
        self._choose("Flame graph of", self._windows(), self._open_flame)

    def action_difference(self) -> None:
        """Chooses what the newest window is compared with."""
        windows = self._windows()
        # What py-spy samples is compared with the same alone.
        like = [row for row in windows[1:] if (row["profiler"] == "py_spy") == (windows[0]["profiler"] == "py_spy")]
        if like:
            self._choose("Newest window against", like, lambda row: self._open_flame(windows[0], row))
        elif windows:
            self.notify("there is one window of its kind alone; P asks for another", markup=False)

    def _choose(self, title: str, windows: list[Row], then: Callable[[Row], None]) -> None:
        by_id = {str(row["profile"]): row for row in windows}
        choices = [Choice(profile, window_title(row)) for profile, row in by_id.items()]

        def chosen(profile: str | None) -> None:
            if profile is not None:
                then(by_id[profile])

        if choices:
            self.app.push_screen(PickScreen(title, choices, self.session.painter), chosen)

    def _open_flame(self, row: Row, before: Row | None = None) -> None:
        session = self.session

        def load() -> dict[str, Shown]:
            now = read_stacks(session.client, self._job, row)
            return now if before is None else compared_kinds(read_stacks(session.client, self._job, before), now)

        self.app.push_screen(FlameScreen(load, session.painter, session.glyphs))

    def action_profile(self) -> None:
        """Asks for a profile now, in one of the usual ways."""

        def chosen(how: str | None) -> None:
            if how is not None:
                self._profile(ProfileRequest(job=self._job, with_stacks=how == "stacks", with_shapes=how == "shapes"))

        if self._told is not None:
            self.app.push_screen(PickScreen("Profile now", _RECORDINGS, self.session.painter), chosen)

    @work(thread=True, group="profile", exclusive=True)
    def _profile(self, request: ProfileRequest) -> None:
        self.app.call_from_thread(self._went_on, request.job, "requested")
        try:
            for progress in self.session.client.control.profile(request):
                self.app.call_from_thread(self._went_on, request.job, _progress_text(progress))
        except SteelyardError as error:
            self.app.call_from_thread(self._went_on, request.job, clean(str(error)), "warn")

    def _went_on(self, job: str, text: str, tone: str = "title") -> None:
        if job == self._job:
            self._progress = (text, tone)
            # What was stored is in the page that is read next.
            self._asked_s = float("-inf")
            self.draw()


def _progress_text(progress: ProfileProgress) -> str:
    rank = f" rank {progress.rank}" if progress.HasField("rank") else ""
    text = f": {progress.text}" if progress.text else ""
    return clean(f"{progress.node}{rank} {progress.state.replace('_', ' ')}{text}")
