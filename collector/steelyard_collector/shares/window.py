"""The windows that shares are kept for, and any other that somebody asks for."""

from dataclasses import dataclass, replace
from typing import Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.job_figures import MINUTES_UP_TO_S
from steelyard_collector.store.statements import statement

_NAMES: Final = {3600: "1h", 86_400: "24h", 7 * 86_400: "7d"}
KEPT_S: Final = tuple(_NAMES)
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Window:
    """From one whole minute to another, Unix time; the end isn't part of it.

    Attributes:
        seconds: how long it was asked for; a young store has less than that.
    """

    from_ms: int
    to_ms: int
    seconds: int

    @property
    def name(self) -> str:
        """1h, 24h, 7d, or its seconds."""
        return _NAMES.get(self.seconds, f"{self.seconds}s")


def window_of(seconds: int, to_ms: int) -> Window:
    """The window of so many seconds that ends with the last whole minute before `to_ms`."""
    end_ms = to_ms // 60_000 * 60_000
    return Window(end_ms - seconds * 1000, end_ms, seconds)


def told_part(store: Store, window: Window) -> Window | None:
    """The part of a window that the store's jobs tell of: from their first minute on; None where nothing trained.

    Where that is long it is told by closed hours, so it ends with the newest of them.

    Raises:
        StoreError: the store can't be read.
    """
    bounds = {"from_s": window.from_ms // 1000, "to_s": window.to_ms // 1000}
    found = store.query(statement("queries", "job_history", **bounds)).to_pylist()
    return part_from(window, found[0]["first_s"], found[0]["hours_end_s"]) if found else None


def part_from(window: Window, first_s: int, hours_end_s: int) -> Window:
    """A window cut to what there is.

    Args:
        window: as it was asked for.
        first_s: Unix time of the first minute in it.
        hours_end_s: Unix time at which its newest closed hour ended; 0 for none.
    """
    told = replace(window, from_ms=first_s * 1000)
    if window.to_ms // 1000 - first_s <= MINUTES_UP_TO_S or not first_s < hours_end_s:
        return told
    # The hour that the first minute is in is told as a whole.
    begin_ms = max(window.from_ms, first_s // _HOUR_S * _HOUR_S * 1000)
    return replace(window, from_ms=begin_ms, to_ms=min(window.to_ms, hours_end_s * 1000))
