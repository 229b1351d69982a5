"""The windows that shares are kept for, and any other that somebody asks for."""

from dataclasses import dataclass, replace
from typing import Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.job_figures import MINUTES_UP_TO_S
from steelyard_collector.store.statements import statement

_NAMES: Final = {3600: "1h", 86_400: "24h", 7 * 86_400: "7d"}
KEPT_S: Final = tuple(_NAMES)


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
    if not found:
        return None
    begin_s, hours_end_s = found[0]["first_s"], found[0]["hours_end_s"]
    told = replace(window, from_ms=begin_s * 1000)
    if bounds["to_s"] - begin_s > MINUTES_UP_TO_S and begin_s < hours_end_s < bounds["to_s"]:
        told = replace(told, to_ms=hours_end_s * 1000)
    return told
