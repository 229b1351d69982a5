"""When to ask for a page again: it is the same until its exporter looks at the driver, each few seconds."""

from typing import Final

# All devices of a tick are read off one page.
_FRESH_S: Final = 0.5
# So long before its next change is due a page is read at each tick again: two ticks of a second see when it comes.
_AHEAD_S: Final = 1.5
# An exporter that has ended is noticed after so long at the latest.
_LONGEST_S: Final = 5.0


class Rhythm:
    """Learns from when a page was seen to change when it will next."""

    def __init__(self) -> None:
        """Knows nothing yet: the page is to be read at once."""
        self.due_s = float("-inf")
        self._read_s = float("-inf")
        self._changed_s: float | None = None
        self._shortest_s: float | None = None

    def note(self, now_s: float, *, has_changed: bool) -> None:
        """Takes a read of the page.

        Args:
            now_s: monotonic, and rising.
            has_changed: whether it tells other figures than the read before.
        """
        if has_changed and now_s - self._read_s > _AHEAD_S:
            # It may have done so long ago, and be quicker than was thought.
            self._changed_s = self._shortest_s = None
        elif has_changed:
            if self._changed_s is not None:
                period_s = now_s - self._changed_s
                self._shortest_s = period_s if self._shortest_s is None else min(period_s, self._shortest_s)
            self._changed_s = now_s
        self._read_s = now_s
        self.due_s = now_s + _FRESH_S
        if self._changed_s is not None and self._shortest_s is not None:
            next_s = self._changed_s + self._shortest_s - _AHEAD_S
            self.due_s = max(self.due_s, min(next_s, now_s + _LONGEST_S))

    def forget(self, now_s: float) -> None:
        """Takes a read that failed: the exporter that comes back may have another rhythm."""
        self._read_s = float("-inf")
        self._changed_s = self._shortest_s = None
        self.due_s = now_s + _FRESH_S
