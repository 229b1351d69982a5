"""The live screens: one connection, one feed, and the screens that it fills."""

import asyncio
import gc
import os
import signal
import sys
import termios
import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.drivers.linux_driver import LinuxDriver

from steelyard_tui.client import Client, open_client
from steelyard_tui.feed import Feed
from steelyard_tui.locations import Locations, find_locations
from steelyard_tui.messages import Goto, LinkChanged, PageArrived
from steelyard_tui.present.frame import TABS
from steelyard_tui.present.glyphs import choose_glyphs
from steelyard_tui.screens.compare import CompareScreen
from steelyard_tui.screens.device import DeviceScreen
from steelyard_tui.screens.fleet import FleetScreen
from steelyard_tui.screens.help import HelpScreen
from steelyard_tui.screens.job import JobScreen
from steelyard_tui.screens.live import LiveScreen
from steelyard_tui.screens.palette import action_choices
from steelyard_tui.screens.pick import PickScreen
from steelyard_tui.screens.table import TABLES, TableScreen
from steelyard_tui.session import Session
from steelyard_tui.settings import Settings
from steelyard_tui.state import Link
from steelyard_tui.widgets.paint import Painter

_ORDER = tuple(name for name, _ in TABS)
# A stream that says nothing for this long is opened anew.
_SILENT_S = 15.0
# An end that takes longer after the terminal is gone is forced.
_LOST_S = 3.0


class SteelyardApp(App[int]):
    """The terminal program.

    Args:
        client: the connection; closed by the caller.
        locations: where copies and the history of queries go.
        ascii_only: draw with ASCII alone.
        clock: monotonic seconds.
        wall: Unix time in s.
    """

    CSS_PATH = "styles.tcss"
    TITLE = "Steelyard"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        client: Client,
        locations: Locations,
        *,
        ascii_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        color_system = self.console.color_system
        glyphs = choose_glyphs(ascii_only=ascii_only, color_system=color_system, no_color=self.no_color)
        self.session = Session(
            client=client,
            feed=Feed(client, self.post_message, clock),
            painter=Painter(coarse=color_system == "standard", ellipsis=glyphs.ellipsis),
            glyphs=glyphs,
            locations=locations,
            clock=clock,
            wall=wall,
        )
        self._trail: list[str] = []
        self._restarted_s = clock()

    def on_mount(self) -> None:
        """Opens the comparison and starts the feed."""
        session = self.session
        for screen in (
            CompareScreen(session),
            FleetScreen(session),
            *(TableScreen(session, table) for table in TABLES),
        ):
            self.install_screen(screen, screen.name or "")
        self.install_screen(DeviceScreen(session), "device")
        self.install_screen(JobScreen(session), "job")
        session.feed.start()
        self.push_screen("compare")
        self.set_interval(1.0, self._tick)
        if not self.is_headless:
            # The terminal is put in order before the program ends.
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self._end, 128 + number)

    def _end(self, code: int) -> None:
        """Ends; where the terminal is gone, Textual may wait for ever for a writer that has died of it."""
        try:
            termios.tcgetattr(2)
        except termios.error:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            # The one exception that the loop lets through; again and again, for closing the loop may wait as well.
            signal.signal(signal.SIGALRM, lambda _number, _frame: sys.exit(code))
            signal.setitimer(signal.ITIMER_REAL, _LOST_S, 1.0)
        self.exit(None, code)

    def on_unmount(self) -> None:
        """Ends the feed."""
        self.session.feed.close()

    @property
    def live_screen(self) -> LiveScreen | None:
        """The live screen on top or right under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, LiveScreen)), None)

    def _tick(self) -> None:
        """Clock and ages go on, also where no figures come."""
        screen, session = self.live_screen, self.session
        if screen is None:
            return
        quiet_s = min(session.age_s(screen.page), session.clock() - self._restarted_s)
        if screen.page is not None and session.link.link is Link.LIVE and quiet_s > _SILENT_S:
            self._restarted_s = session.clock()
            session.feed.restart()
        if screen.is_current:
            screen.tick()

    def on_page_arrived(self, message: PageArrived) -> None:
        """New figures: for the screen that asked for them."""
        if message.generation == self.session.generation and self.session.paused_s is None:
            if self.session.first_s is None:
                self.session.first_s = self.session.clock()
            screen = self.live_screen
            if screen is not None:
                screen.receive(message.page)

    def on_link_changed(self, message: LinkChanged) -> None:
        """The link came or went."""
        # Each page that is asked for opens a stream, which says that it is live: no news, and no cause to repaint.
        if message.generation != self.session.generation or message.state == self.session.link:
            return
        self.session.link = message.state
        screen = self.live_screen
        if screen is not None:
            screen.draw()

    def on_goto(self, message: Goto) -> None:
        """One level deeper, or to a tab."""
        if message.device is not None:
            device = self.get_screen("device")
            assert isinstance(device, DeviceScreen)
            device.show_device(message.device)
        if message.job is not None:
            job = self.get_screen("job")
            assert isinstance(job, JobScreen)
            job.show_job(message.job)
        if message.filter_text is not None:
            table = self.get_screen(message.screen)
            assert isinstance(table, TableScreen)
            table.set_filter(message.filter_text)
        deeper = any(what is not None for what in (message.device, message.job, message.filter_text))
        self._show(message.screen, keep_trail=deeper)

    def on_back(self) -> None:
        """To where the user came from."""
        if self._trail:
            name = self._trail.pop()
            self.switch_screen(name)

    def _show(self, name: str, *, keep_trail: bool) -> None:
        screen = self.live_screen
        if screen is None or screen.name == name:
            return
        self._install_sql_if(name)
        self._trail = [*self._trail, screen.name or "compare"] if keep_trail else []
        self.switch_screen(name)

    def _install_sql_if(self, name: str) -> None:
        """The console's grammar and editor are loaded when it is first opened, not at every start."""
        if name == "sql" and not self.is_screen_installed(name):
            from steelyard_tui.screens.sql import SqlScreen

            self.install_screen(SqlScreen(self.session), name)

    def action_show(self, name: str) -> None:
        """Another tab."""
        self._show(name, keep_trail=False)

    def action_next_screen(self) -> None:
        """The next tab."""
        screen = self.live_screen
        name = (screen.name or "") if screen is not None else ""
        at = next((place for place, tab in enumerate(_ORDER) if name in (tab, tab.removesuffix("s"))), 0)
        self._show(_ORDER[(at + 1) % len(_ORDER)], keep_trail=False)

    def action_pause(self) -> None:
        """Holds the display, or lets it go on."""
        session, screen = self.session, self.live_screen
        session.paused_s = session.clock() if session.paused_s is None else None
        if screen is not None:
            screen.draw()

    def action_help(self) -> None:
        """All keys and signs."""
        screen = self.live_screen
        if screen is not None and screen.is_current:
            self.push_screen(HelpScreen(self.session.painter, self.session.glyphs, screen.SCOPE))

    def action_palette(self) -> None:
        """Every action by its name."""
        screen = self.live_screen
        if screen is None or not screen.is_current:
            return

        async def chosen(name: str | None) -> None:
            if name is not None:
                await screen.run_action(name)

        self.push_screen(PickScreen("Commands", action_choices(screen.SCOPE), self.session.painter), chosen)


def run(settings: Settings, *, ascii: bool) -> int:
    """Shows the screens until the user leaves.

    Args:
        settings: which collector, and as whom.
        ascii: draw with ASCII alone.

    Returns:
        the exit code.
    """
    # Left there by shells and debuggers, they would freeze the size: Textual believes them over the terminal.
    for name in ("LINES", "COLUMNS"):
        os.environ.pop(name, None)
    os.unsetenv("LINES")
    os.unsetenv("COLUMNS")
    encoding = (getattr(sys.__stderr__, "encoding", None) or "utf-8").lower().replace("-", "")
    with open_client(settings) as client:
        app = SteelyardApp(client, find_locations(os.environ), ascii_only=ascii or encoding != "utf8")
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        # What is loaded stays: a collection that looks through all of it would hold up keys for 30 ms and more.
        gc.freeze()
        try:
            app.run()
        finally:
            gc.unfreeze()
            signal.setitimer(signal.ITIMER_REAL, 0)
            # A forced end leaves the thread that reads keys: it would read the end of a lost terminal for ever.
            if isinstance(app._driver, LinuxDriver):
                app._driver.exit_event.set()
            # The loop leaves the default ones behind; our caller may have its own.
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return app.return_code or 0
