"""What all screens share: the connection, how things are drawn, and what is known of the link."""

from collections.abc import Callable
from dataclasses import dataclass, field

from steelyard_tui.client import Client, WatchQuery
from steelyard_tui.feed import Feed
from steelyard_tui.locations import Locations
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.state import Link, LinkState, Page
from steelyard_tui.widgets.paint import Painter

# A collector that has just been started has the past of a fleet before it has anything live, and no rollups.
_YOUNG_S = 25.0
# Figures older than this many periods are dimmed, and their age is said.
_OLD_PERIODS = 4


@dataclass(slots=True)
class Session:
    """One run of the screens.

    Attributes:
        clock: monotonic seconds, the same as the feed's.
        wall: Unix time in s, for the clock in the corner.
        paused_s: when the display was held, by `clock`; None while it goes on.
        first_s: when the first figures came, by `clock`; None before.
        period_ms: how often figures are asked for.
    """

    client: Client
    feed: Feed
    painter: Painter
    glyphs: Glyphs
    locations: Locations
    clock: Callable[[], float]
    wall: Callable[[], float]
    link: LinkState = field(default_factory=LinkState)
    paused_s: float | None = None
    first_s: float | None = None
    period_ms: int = 1000
    generation: int = -1
    asked: WatchQuery | None = None

    def watch(self, query: WatchQuery | None) -> None:
        """Watches another query; the same one again changes nothing."""
        if query != self.asked:
            self.asked = query
            self.generation = self.feed.show(query)

    def age_s(self, page: Page | None) -> float:
        """How long ago a page arrived; 0 where there is none."""
        return 0.0 if page is None else max(0.0, self.clock() - page.received_s)

    @property
    def is_young(self) -> bool:
        """Whether what is absent may be on its way."""
        return self.first_s is None or self.clock() - self.first_s < _YOUNG_S

    def is_old(self, page: Page | None) -> bool:
        """Whether a page's figures are to be dimmed."""
        if page is None or self.paused_s is not None:
            return False
        return self.link.link is Link.LOST or self.age_s(page) * 1000 > _OLD_PERIODS * self.period_ms
