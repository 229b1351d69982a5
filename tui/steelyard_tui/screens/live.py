"""The base of every screen: tabs above, keys below, and between them what a view gives each second."""

from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from steelyard_proto.errors import SteelyardError
from steelyard_tui.actions import actions_of, footer_of
from steelyard_tui.client import WatchQuery
from steelyard_tui.copies import short_path, write_copy, write_csv
from steelyard_tui.messages import Goto
from steelyard_tui.present.figures import count
from steelyard_tui.present.frame import Status, banner, footer_line, tab_at, tabs_line
from steelyard_tui.present.line import Line, clean
from steelyard_tui.session import Session
from steelyard_tui.state import Page
from steelyard_tui.widgets.canvas import Canvas

MIN_WIDTH, MIN_HEIGHT = 40, 10
_COPIED_ROWS = 1_000_000
# Figures that came since have brought the clock with them: one paint a second, not two.
_FRESH_S = 1.2


def bindings_of(scope: str) -> list[BindingType]:
    """The keys of one kind of screen, out of the one table of actions."""
    return [Binding(",".join(a.keys), a.name, a.label, show=False) for a in actions_of(scope)]


class LiveScreen(Screen[None]):
    """A screen over one watched view. Subclasses say what they watch and draw the body."""

    SCOPE: ClassVar[str] = ""
    # Its widgets cover it: nothing of its own is rendered at each paint.
    BLANK: ClassVar[bool] = True
    AUTO_FOCUS: ClassVar[str | None] = ""  # nothing: None would inherit the first widget

    def __init__(self, session: Session, *, name: str) -> None:
        super().__init__(name=name)
        self.session = session
        self.page: Page | None = None
        self._tabs = Canvas(session.painter, ground="bar", id="tabs")
        self._scope = Canvas(session.painter, id="scope")
        self._footer = Canvas(session.painter, ground="bar", id="footer")
        self._footer_actions = footer_of(actions_of(self.SCOPE))

    def compose(self) -> ComposeResult:
        """Tabs, scope, body, footer."""
        yield self._tabs
        yield self._scope
        yield from self.body()
        yield self._footer

    def body(self) -> list[Widget]:
        """The widgets between scope and footer."""
        raise NotImplementedError

    def watched(self) -> WatchQuery | None:
        """What this screen watches now."""
        raise NotImplementedError

    def scope_line(self) -> Line:
        """What is shown, under the tabs."""
        raise NotImplementedError

    def draw_body(self) -> None:
        """Draws what the newest page says."""
        raise NotImplementedError

    def receive(self, page: Page) -> None:
        """Takes a new page."""
        self.page = page
        self.draw()

    def status(self) -> Status:
        """How this screen's figures stand."""
        session = self.session
        paused = None if session.paused_s is None else session.clock() - session.paused_s
        return Status(session.link, session.age_s(self.page), session.is_old(self.page), paused, session.wall())

    def draw(self) -> None:
        """Draws everything; unchanged lines cost nothing."""
        if not self.is_mounted or not self.is_current:
            return
        self.draw_frame()
        self.draw_body()

    def tick(self) -> None:
        """A second has passed: clock and ages; the body only where it shows ages or has grown old."""
        if self.page is None or self.session.is_old(self.page):
            self.draw()
        elif self.is_current and self.session.age_s(self.page) > _FRESH_S:
            self.draw_frame()

    def draw_frame(self) -> None:
        """Draws the lines around the body."""
        width, glyphs, status = self.size.width, self.session.glyphs, self.status()
        if width < MIN_WIDTH or self.size.height < MIN_HEIGHT:
            self._tabs.show([((f"too small: {MIN_WIDTH}x{MIN_HEIGHT} at least", "warn"),)])
            self._scope.show([])
            return
        self._tabs.show([tabs_line(self.name or "", status, width, glyphs)])
        band = banner(status, width, glyphs) if self.page is not None else None
        self._scope.show([band or self.scope_line()])
        self._footer.show([footer_line(self._footer_actions, width, glyphs)])

    def rewatch(self) -> None:
        """Asks for what the screen shows now."""
        if self.is_current:
            self.session.watch(self.watched())

    def on_screen_resume(self) -> None:
        """This screen is on top again."""
        self.rewatch()
        self.draw()

    def on_resize(self) -> None:
        """Everything is laid out anew."""
        self.call_after_refresh(self.draw)

    def on_canvas_clicked(self, message: Canvas.Clicked) -> None:
        """A click on a tab."""
        if message.canvas is self._tabs:
            message.stop()
            name = tab_at(message.cell)
            if name is not None:
                self.post_message(Goto(name))

    def copy_text(self, name: str, text: str) -> None:
        """To the clipboard, which not every terminal has, and to a file."""
        self.app.copy_to_clipboard(text)
        try:
            path = write_copy(self.session.locations.copies_dir, name, text, self.session.wall())
        except OSError as error:
            self.notify(f"copied to the clipboard; no file: {error.strerror}", markup=False, severity="warning")
            return
        self.notify(f"copied to the clipboard and to {short_path(path)}", markup=False)

    @work(thread=True, group="copy", exclusive=True)
    def action_copy_table(self) -> None:
        """All rows that pass the filter, as a file."""
        session, query = self.session, self.watched()
        if query is None:
            return
        try:
            table = session.client.read_view(replace(query, offset=0, limit=_COPIED_ROWS, columns=())).table
            path = write_csv(session.locations.copies_dir, query.view, table, session.wall())
        except (SteelyardError, OSError) as error:
            text = f"not copied: {error}"
        else:
            text = f"{count(table.num_rows)} rows in {short_path(path)}"
        self.app.call_from_thread(self.notify, clean(text), markup=False)
