"""The windows that shares are kept for, and any other that somebody asks for."""

from dataclasses import dataclass
from typing import Final

_NAMES: Final = {3600: "1h", 86_400: "24h", 7 * 86_400: "7d"}
KEPT_S: Final = tuple(_NAMES)


@dataclass(frozen=True, slots=True)
class Window:
    """From one whole minute to another, Unix time; the end isn't part of it."""

    from_ms: int
    to_ms: int

    @property
    def name(self) -> str:
        """1h, 24h, 7d, or its seconds."""
        seconds = (self.to_ms - self.from_ms) // 1000
        return _NAMES.get(seconds, f"{seconds}s")


def window_of(seconds: int, to_ms: int) -> Window:
    """The window of so many seconds that ends with the last whole minute before `to_ms`."""
    end_ms = to_ms // 60_000 * 60_000
    return Window(end_ms - seconds * 1000, end_ms)
