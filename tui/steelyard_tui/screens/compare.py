"""The first screen: chips side by side, and how much of a reference each of them is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from textual import work

from steelyard_proto.errors import SteelyardError
from steelyard_tui.comparison import (
    METRICS,
    WINDOWS,
    Chip,
    Row,
    ShareWindow,
    Weighed,
    chips_of,
    read_live,
    read_weighed,
    references_of,
    usual_reference,
    with_past,
)
from steelyard_tui.copies import row_text
from steelyard_tui.messages import Goto
from steelyard_tui.present import comparison, comparison_panels
from steelyard_tui.present.fleet import Key, key_of
from steelyard_tui.present.line import Line, Painted, clean
from steelyard_tui.screens.chips import ChipsScreen
from steelyard_tui.screens.live import bindings_of
from steelyard_tui.screens.pick import Choice, PickScreen
from steelyard_tui.session import Session
from steelyard_tui.state import Page

# The collector makes the figures of the newest minutes anew each 20 s, and weighs once a minute.
_LIVE_EVERY_S: Final = 8.0
_WEIGHED_EVERY_S: Final = 30.0
_LIVE_OLD_S: Final = 60.0


class CompareScreen(ChipsScreen):
    """Live figures of each chip, and its share as a bar with its interval."""

    SCOPE = "compare"
    BINDINGS = bindings_of("compare")

    def __init__(self, session: Session) -> None:
        super().__init__(session, name="compare", deeper=_jobs_on)
        self._metric = METRICS[0]
        self._window = WINDOWS[0]
        # Chosen by the user; empty until then.
        self._chosen = ""
        self._live: dict[Key, Row] = {}
        self._weighed = Weighed("", self._window)
        self._live_asked_s = self._live_known_s = self._weighed_asked_s = float("-inf")
        # Counts what has been read, to know whether the panels are still right.
        self._arrivals = 0
        self._drawn: tuple[object, list[Line]] = (None, [])

    @property
    def reference(self) -> str:
        """What is 1."""
        return self._chosen or usual_reference(self.rows())

    def chips(self) -> list[Chip]:
        """The chips as they stand on the screen."""
        return chips_of(self.rows(), self._live, self._weighed, self._metric)

    def shown(self) -> Sequence[Row]:
        """The rows of these."""
        return [chip.row for chip in self.chips()]

    def scope_line(self) -> Line:
        """What is asked."""
        size, glyphs = self.size, self.session.glyphs
        return comparison.scope_line(self.chips(), self._weighed, self._metric, size.width, glyphs)

    def draw_body(self) -> None:
        """Chips, or why there are none."""
        chips, session = self.chips(), self.session
        if not chips:
            self._canvas.show(self.why_empty("the chips"))
            return
        self._follow(chips)
        size = self._canvas.size
        now_ms = 0 if self.page is None else self.page.time_ms
        look = comparison.Look(size.width, size.height, self._metric, self._cursor, session.glyphs, now_ms)
        upper = comparison.draw(chips, self._weighed, look)
        self._owners = upper.owners
        lines: list[Line | Painted] = [*upper.lines]
        below = size.height - len(lines)
        lines += comparison_panels.lower_lines(chips, self._weighed, look, below, self._panels)
        self._canvas.show(lines, dimmed=session.is_old(self.page))

    def _follow(self, chips: list[Chip]) -> None:
        """The cursor stays with its chip where shares change the order."""
        keys = [key_of(chip.row) for chip in chips]
        if self._key in keys:
            self._cursor = keys.index(self._key)
        elif self._key is None:
            # Until somebody chooses: the first one that something is said of.
            self._cursor = next((at for at, chip in enumerate(chips) if chip.share and not chip.is_reference), 0)
        self._cursor = max(0, min(self._cursor, len(chips) - 1))

    def _panels(self, chips: Sequence[Chip], weighed: Weighed, look: comparison.Look, height: int) -> list[Line]:
        """The panels, drawn anew only where their figures, the size or the metric have changed."""
        key = (self._arrivals, look.width, height, look.metric)
        if self._drawn[0] != key:
            self._drawn = (key, comparison_panels.panel_lines(chips, weighed, look, height))
        return self._drawn[1]

    def receive(self, page: Page) -> None:
        """Takes the newest devices, and asks for the rest where it is due."""
        super().receive(page)
        self._ask_if_due(page.time_ms)

    def _ask_if_due(self, time_ms: int) -> None:
        now_s = self.session.clock()
        if now_s - self._live_asked_s >= _LIVE_EVERY_S:
            self._live_asked_s = now_s
            self._read_live()
        if self.reference != self._weighed.reference or now_s - self._weighed_asked_s >= _WEIGHED_EVERY_S:
            self._weighed_asked_s = now_s
            self._read_weighed(self.reference, self._window, time_ms, self.size.width >= comparison.WIDE)

    @work(thread=True, group="live", exclusive=True)
    def _read_live(self) -> None:
        try:
            live = read_live(self.session.client)
        except SteelyardError as error:
            # The lines above say how the link is; it is asked for again when it is due.
            self.app.call_from_thread(self._live_failed, str(error))
            return
        self.app.call_from_thread(self._live_arrived, live)

    @work(thread=True, group="weighed", exclusive=True)
    def _read_weighed(self, reference: str, window: ShareWindow, time_ms: int, with_rates: bool) -> None:
        client, before = self.session.client, self._weighed
        try:
            shares = read_weighed(client, reference, window)
            # What takes longer stands as it was until it comes.
            first = replace(
                before,
                reference=reference,
                window=window,
                shares=shares.shares,
                claims=shares.claims,
                is_read=True,
                fault="",
            )
            self.app.call_from_thread(self._weighed_arrived, first)
            weighed = with_past(client, shares, time_ms, with_rates=with_rates)
        except SteelyardError as error:
            is_other = (before.reference, before.window) != (reference, window)
            known = Weighed(reference, window) if is_other else self._weighed
            weighed = replace(known, fault=clean(str(error)), is_read=True)
        self.app.call_from_thread(self._weighed_arrived, weighed)

    def _live_arrived(self, live: dict[Key, Row]) -> None:
        if self.session.paused_s is None:
            self._live, self._live_known_s = live, self.session.clock()
            self._arrivals += 1
            self.draw()

    def _live_failed(self, reason: str) -> None:
        self.log.warning(reason)
        if self.session.paused_s is None and self.session.clock() - self._live_known_s > _LIVE_OLD_S:
            # They are no figures of the newest minutes any more.
            self._live = {}

    def _weighed_arrived(self, weighed: Weighed) -> None:
        fits = (weighed.reference, weighed.window) == (self.reference, self._window)
        if self.session.paused_s is None and fits:
            self._weighed = weighed
            self._arrivals += 1
            self.draw()

    def _ask_anew(self) -> None:
        """Another reference or window: what has been read doesn't fit it."""
        self._weighed = replace(
            self._weighed, reference=self.reference, window=self._window, shares=(), claims=(), is_read=False, fault=""
        )
        self._weighed_asked_s = float("-inf")
        self._arrivals += 1
        if self.page is not None:
            self._ask_if_due(self.page.time_ms)
        self.draw()

    def _selected(self) -> Chip | None:
        chips = self.chips()
        return chips[min(self._cursor, len(chips) - 1)] if chips else None

    def action_reference(self) -> None:
        """Chooses what is 1."""
        choices = [Choice(name, name) for name in references_of(self.rows())]

        def chosen(name: str | None) -> None:
            if name is not None:
                self._chosen = name
                self._ask_anew()

        picker = PickScreen("Reference: what is 1", choices, self.session.painter, at=self.reference)
        self.app.push_screen(picker, chosen)

    def action_metric(self) -> None:
        """Chooses what the share is of."""
        choices = [Choice(metric.name, metric.title) for metric in METRICS]

        def chosen(name: str | None) -> None:
            self._metric = next((metric for metric in METRICS if metric.name == name), self._metric)
            self.draw()

        self.app.push_screen(PickScreen("Share of", choices, self.session.painter, at=self._metric.name), chosen)

    def action_window(self) -> None:
        """Another window of the shares."""
        self._window = WINDOWS[(WINDOWS.index(self._window) + 1) % len(WINDOWS)]
        self._ask_anew()

    def action_copy_row(self) -> None:
        """The chip, to clipboard and file."""
        chip = self._selected()
        if chip is not None:
            share = {f"share_{name}": value for name, value in (chip.share or {}).items()}
            self.copy_text("chip", row_text({**chip.row, **share}))


def _jobs_on(chip: Row) -> Goto:
    test = f"chips={chip['chip']}" if chip.get("chip") else f"vendors={chip.get('vendor')}"
    return Goto("jobs", filter_text=f"{test} origin={chip.get('origin')}")
