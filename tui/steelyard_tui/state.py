"""What the screens show, as data: pages of views, how the link is, and what a table is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from steelyard_tui.client import WatchQuery


class Link(Enum):
    """How the collector is reached."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link, with what went wrong where it isn't live."""

    link: Link = Link.CONNECTING
    attempts: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a view, and where it stands in the whole.

    Attributes:
        query: what was asked.
        time_ms: the collector's clock, Unix time.
        received_s: our monotonic clock on arrival.
        total: rows that pass the filter.
        all_rows: rows of the view.
        columns: values by column.
        order: positions in `columns` in the order that the rows are shown.
    """

    query: WatchQuery
    time_ms: int
    received_s: float
    total: int
    all_rows: int
    columns: Mapping[str, Sequence[object]]
    order: tuple[int, ...]

    @property
    def offset(self) -> int:
        """The first row's number in the whole."""
        return self.query.offset

    def holds(self, index: int) -> bool:
        """Whether the row of this number has been loaded."""
        return 0 <= index - self.offset < len(self.order)

    def row(self, index: int) -> dict[str, object] | None:
        """The row of this number in the whole; None where it hasn't been loaded."""
        if not self.holds(index):
            return None
        at = self.order[index - self.offset]
        return {name: values[at] for name, values in self.columns.items()}

    def rows(self) -> list[dict[str, object]]:
        """All that have been loaded, in their order."""
        return [{name: values[at] for name, values in self.columns.items()} for at in self.order]

    def find(self, name: str, value: object) -> int | None:
        """The number of the row whose `name` is `value`, if it is on this page."""
        values = self.columns.get(name, ())
        for position, at in enumerate(self.order):
            if values[at] == value:
                return self.offset + position
        return None


def hold_order(before: Page, after: Page, key: str) -> Page:
    """The new page with rows where the old one had them, as far as both have them: no row jumps under a finger."""
    if before.offset != after.offset or key not in before.columns or key not in after.columns:
        return after
    place = {after.columns[key][at]: at for at in after.order}
    kept: list[int | None] = []
    for at in before.order[: len(after.order)]:
        kept.append(place.pop(before.columns[key][at], None))
    kept += [None] * (len(after.order) - len(kept))
    rest = iter(sorted(place.values()))
    return replace(after, order=tuple(next(rest) if at is None else at for at in kept))


@dataclass(frozen=True, slots=True)
class Asking:
    """What a table shows of its view, as the user has it."""

    filter: str = ""
    order: str = ""
    descending: bool = False
    frozen: bool = False
