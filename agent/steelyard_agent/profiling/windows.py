"""Drives windows: one at a time for each process that asks, each to its trace or to the reason why there is none."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.jobs.facts import ProcessReader
from steelyard_agent.profiling.frames import Status
from steelyard_agent.profiling.held import Held
from steelyard_agent.profiling.landing import Unusable
from steelyard_agent.profiling.outlet import Outlet
from steelyard_agent.profiling.roster import Roster, Trainer
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.window import State, Tool, Window

log = logging.getLogger(__name__)

# A process that tells no steps is given so long from its first word: it speaks when torch is imported, and a window
# before its first step would be empty.
BLIND_S: Final = 20.0
# Beyond a window's own length: to be fetched, to wait for a first step, to record and write, on a crowded machine.
_FETCH_S: Final = 30.0
_FIRST_STEP_S: Final = 600.0
_WRITE_S: Final = 120.0
# Of a step that nothing is known of.
_LONG_STEP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds that never jump, and Unix time."""

    monotonic: Callable[[], float]
    wall_ms: Callable[[], int]


class Windows:
    """All windows under way. Used by the fabric's thread alone."""

    def __init__(
        self,
        roster: Roster,
        outlets: Mapping[Tool, Outlet],
        reader: ProcessReader,
        steps: StepLog,
        clocks: Clocks,
        tell: Callable[[Window], None],
        held: Held,
        blind_s: float = BLIND_S,
    ) -> None:
        """Args: who is there, each kind of profiler, who tells of processes and steps, who is told each state, and
        where other profilers are at work.
        """
        self._roster = roster
        self._outlets = outlets
        self._reader = reader
        self._steps = steps
        self._clocks = clocks
        self._tell = tell
        self._held = held
        self._blind_s = blind_s
        # By the process that asks.
        self._open: dict[int, Window] = {}
        # Of the same ask as one that is open for their process.
        self._next: deque[Window] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether none is under way."""
        return not self._open and not self._next

    def is_busy(self, trainer: Trainer) -> bool:
        """Whether one of this process is under way, or of another for which the same helper asks."""
        return trainer.asker in self._open

    def begin(self, window: Window) -> None:
        """Takes a window; it fails at once where the process has one of somebody else."""
        refusal = self._outlet(window).refusal(window)
        if refusal:
            self._end(window, refusal)
            return
        other = self._open.get(window.trainer.asker)
        if other is None:
            self._open[window.trainer.asker] = window
        elif other.ask and other.ask == window.ask:
            self._next.append(window)
        else:
            which = "this process, or of one that is told with it,"
            self._end(window, f"another window of {which} is under way ({other.cause}); ask again when it ended")
            return
        self._set(window, "requested", f"{window.spec.words}; the process asks every 5 s")

    def cancel(self, ask: str) -> None:
        """Ends those of an ask that no process has fetched yet; the others go on, and are stored."""
        waiting = [one for one in (*self._open.values(), *self._next) if one.ask == ask and one.sent_s is None]
        self._next = deque(one for one in self._next if one.ask != ask)
        for window in waiting:
            self._end(window, "cancelled")

    def configuration_for(self, trainer: Trainer) -> str:
        """The text for a process that asks now; empty for nothing."""
        window = self._open.get(trainer.asker)
        if window is not None and window.sent_s is not None:
            return self._outlet(window).follow_up(window)
        if window is None or not trainer.is_free or not self._is_ready(window):
            return ""
        if wait := self._held.take(window):
            if window.text != wait:
                self._set(window, "requested", wait)
            return ""
        try:
            text = self._outlet(window).configuration(window)
        except OSError as error:
            self._end(window, f"the agent can't write to its folder: {error.strerror or error}")
            return ""
        window.sent_s, window.begin_ms = self._clocks.monotonic(), self._clocks.wall_ms()
        if window.spec.steps:
            self._set(window, "recording", "")
        else:
            self._set(window, "warming_up", "")
        return text

    def take_status(self, pid: int, status: Status) -> None:
        """Takes how far msMonitor's profiler in a process is."""
        for window in self._open.values():
            if status.monitor and window.trainer.pid == pid:
                window.monitor = status.status

    def advance(self) -> list[Window]:
        """Looks at all; returns those whose traces are whole."""
        landed = []
        for window in list(self._open.values()):
            reason, is_whole = self._reason_to_end(window), False
            try:
                is_whole = window.sent_s is not None and self._outlet(window).is_whole(window)
            except Unusable as error:
                reason = str(error)
            if is_whole:
                del self._open[window.trainer.asker]
                self._held.give_back(window)
                window.end_ms = self._clocks.wall_ms()
                landed.append(window)
            elif reason:
                self._end(window, reason)
            elif window.state == "warming_up" and self._outlet(window).is_begun(window):
                self._set(window, "recording", "")
        for window in list(self._next):
            if not self.is_busy(window.trainer):
                self._next.remove(window)
                window.asked_s = self._clocks.monotonic()
                self._open[window.trainer.asker] = window
        return landed

    def fail(self, window: Window, reason: str) -> None:
        """Ends a window that has landed."""
        window.end_ms = window.end_ms or self._clocks.wall_ms()
        self._outlet(window).drop(window)
        self._set(window, "failed", reason)

    def _outlet(self, window: Window) -> Outlet:
        return self._outlets[window.tool]

    def _end(self, window: Window, reason: str) -> None:
        if self._open.get(window.trainer.asker) is window:
            del self._open[window.trainer.asker]
        self._held.give_back(window)
        self.fail(window, reason)

    def _set(self, window: Window, state: State, text: str) -> None:
        window.state, window.text = state, text
        log.debug("window %s of process %d: %s %s", window.id, window.trainer.pid, state, text)
        self._tell(window)

    def _is_ready(self, window: Window) -> bool:
        """Whether a window would hold steps: they are seen, or the process tells none and has run for a while."""
        trainer = window.trainer
        if self._steps.has(trainer.pid, window.who.start_ms):
            return True
        return self._clocks.monotonic() - trainer.first_heard_s >= self._blind_s

    def _reason_to_end(self, window: Window) -> str:
        now = self._reader.read(window.trainer.pid)
        if now is None or now.start_ms != window.who.start_ms:
            when = "before its window began" if window.sent_s is None else "in the window; its trace is lost"
            return f"the process ended {when}"
        now_s = self._clocks.monotonic()
        if window.sent_s is None:
            return self._reason_not_sent(window, now_s - window.asked_s)
        if now_s - window.sent_s > self._length_s(window) + _WRITE_S:
            return (
                f"no trace came within {now_s - window.sent_s:.0f} s: the process can't write to the "
                "agent's folder (a container needs it mounted at the same path; see docs/profiling.md), "
                "or it trains no further"
            )
        return ""

    def _reason_not_sent(self, window: Window, waited_s: float) -> str:
        trainer = self._roster.get(window.trainer.asker)
        if trainer is None:
            return "the process asks no more; its profiler has stopped listening"
        if waited_s > _FIRST_STEP_S:
            return "the process has made no step"
        if waited_s > _FETCH_S and not trainer.is_free:
            return "a profiler is at work in the process already; end that one, or ask again later"
        return ""

    def _length_s(self, window: Window) -> float:
        spec = window.spec
        if not spec.steps:
            return spec.duration_ms / 1000
        rows = self._steps.rows(window.trainer.pid, window.who.start_ms)
        step_s = 10 * max(row.seconds_each for row in rows[-16:]) if rows else _LONG_STEP_S
        return spec.steps * step_s
