"""Windows of a program that samples from outside: one on the node at a time, within a share of a core."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from steelyard_agent.profiling.held import Held
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.roster import Trainer
from steelyard_agent.profiling.sampled import Sampled, Sampler, Unsampled
from steelyard_agent.profiling.window import State, Window
from steelyard_agent.profiling.windows import Clocks

DEFAULT_MS: Final = 10_000
# Of a core, on average over time.
CPU_SHARE: Final = 0.01
_MOST_WAITING: Final = 16


@dataclass(frozen=True, slots=True)
class Program:
    """What samples.

    Attributes:
        name: for people.
        what: it samples.
        rate_hz: how often.
        start: begins for a window, over so many seconds; raises Unsampled.
    """

    name: str
    what: str
    rate_hz: int
    start: Callable[[Window, int], Sampler]


@dataclass(slots=True)
class _Underway:
    """A window in which the program is at work."""

    window: Window
    sampler: Sampler


class ChildWindows:
    """Used by the fabric's thread alone."""

    def __init__(
        self, program: Program, store: RawStore, clocks: Clocks, tell: Callable[[Window], None], held: Held
    ) -> None:
        """Args: what samples, where that is kept, time, who is told each state, where other profilers are at work."""
        self._program = program
        self._store = store
        self._clocks = clocks
        self._tell = tell
        self._held = held
        self._waiting: deque[Window] = deque()
        self._underway: _Underway | None = None
        self._rested_s = float("-inf")

    @property
    def is_idle(self) -> bool:
        """Whether none is under way."""
        return self._underway is None and not self._waiting

    def is_busy(self, trainer: Trainer) -> bool:
        """Whether another window would have to wait; also while what the last ones took is more than their share."""
        return not self.is_idle or self._clocks.monotonic() < self._rested_s

    def begin(self, window: Window) -> None:
        """Takes a window, which begins when those before it have ended."""
        if len(self._waiting) >= _MOST_WAITING:
            self._set(window, "failed", f"{_MOST_WAITING} processes wait to be sampled already")
            return
        what = f"{self._program.what} over {window.spec.duration_ms / 1000:g} s, {self._program.rate_hz} a second"
        self._set(window, "requested", what)
        self._waiting.append(window)

    def cancel(self, ask: str) -> None:
        """Ends those of an ask that have not begun."""
        for window in [one for one in self._waiting if one.ask == ask]:
            self._waiting.remove(window)
            self._set(window, "failed", "cancelled")

    def advance(self) -> tuple[Window, Sampled] | None:
        """Goes on; a window that has been sampled, if there is one."""
        window = self._next() if self._underway is None else None
        if window is not None:
            window.sent_s, window.begin_ms = self._clocks.monotonic(), self._clocks.wall_ms()
            try:
                sampler = self._program.start(window, max(1, round(window.spec.duration_ms / 1000)))
            except Unsampled as error:
                self.fail(window, str(error))
                return None
            self._underway = _Underway(window, sampler)
            self._set(window, "recording", "")
        return self._poll()

    def fail(self, window: Window, reason: str) -> None:
        """Ends a window that has begun."""
        self._held.give_back(window)
        window.end_ms = window.end_ms or self._clocks.wall_ms()
        self._store.drop(window.id)
        self._set(window, "failed", reason)

    def close(self) -> None:
        """Ends what is under way."""
        if self._underway is not None:
            self._underway.sampler.close()
            self._underway = None

    def _next(self) -> Window | None:
        """The first in whose process, and on whose devices, no profiler is at work."""
        for window in self._waiting:
            wait = self._held.take(window)
            if not wait:
                self._waiting.remove(window)
                return window
            if window.text != wait:
                self._set(window, "requested", wait)
        return None

    def _poll(self) -> tuple[Window, Sampled] | None:
        if self._underway is None:
            return None
        window = self._underway.window
        try:
            sampled = self._underway.sampler.poll()
        except Unsampled as error:
            self._underway = None
            self.fail(window, str(error))
            return None
        if sampled is None:
            return None
        self._underway = None
        self._held.give_back(window)
        window.end_ms = self._clocks.wall_ms()
        window.notes.append(f"{self._program.name} took {sampled.cpu_s:.2f} s of a core")
        self._rested_s = self._clocks.monotonic() + sampled.cpu_s / CPU_SHARE
        return window, sampled

    def _set(self, window: Window, state: State, text: str) -> None:
        window.state, window.text = state, text
        self._tell(window)
