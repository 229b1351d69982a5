"""Windows in which a process's host stacks are sampled: one on the node at a time, within a share of a core."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.held import Held
from steelyard_agent.profiling.py_spy import NoStacks, Sampled, Spy
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.roster import Trainer
from steelyard_agent.profiling.rows import Result, profile_of
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.window import State, Window
from steelyard_agent.profiling.windows import Clocks
from steelyard_proto.host_stacks import HostStack, parse_raw
from steelyard_proto.v1 import batch_pb2

RATE_HZ: Final = 25
DEFAULT_MS: Final = 10_000
# Of a core, on average over time.
CPU_SHARE: Final = 0.01
_MOST_WAITING: Final = 16
_LONGEST_FRAME: Final = 512


@dataclass(slots=True)
class _Underway:
    """A window that is being sampled."""

    window: Window
    spy: Spy


class StackWindows:
    """Used by the fabric's thread alone."""

    def __init__(
        self,
        store: RawStore,
        steps: StepLog,
        clocks: Clocks,
        tell: Callable[[Window], None],
        held: Held,
        spy: Callable[[int, int, int, Path], Spy],
    ) -> None:
        """Args: where samples are kept, who knows runs, time, who is told each state, where other profilers are at
        work, and who looks: into a process, for seconds, so often a second, into a new file; raises NoStacks.
        """
        self._spy = spy
        self._store = store
        self._steps = steps
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
        self._set(window, "requested", f"host stacks over {window.spec.duration_ms / 1000:g} s, {RATE_HZ} a second")
        self._waiting.append(window)

    def cancel(self, ask: str) -> None:
        """Ends those of an ask that have not begun."""
        for window in [one for one in self._waiting if one.ask == ask]:
            self._waiting.remove(window)
            self._set(window, "failed", "cancelled")

    def advance(self) -> tuple[Window, Result] | None:
        """Goes on; a window that has been sampled, if there is one."""
        window = self._next() if self._underway is None else None
        if window is not None:
            now_s, wall_ms = self._clocks.monotonic(), self._clocks.wall_ms()
            window.sent_s, window.begin_ms = now_s, wall_ms
            try:
                seconds = max(1, round(window.spec.duration_ms / 1000))
                spy = self._spy(window.who.pid, seconds, RATE_HZ, self._store.path_for(window.id, ".txt"))
            except NoStacks as error:
                self._fail(window, str(error))
                return None
            self._underway = _Underway(window, spy)
            self._set(window, "recording", "")
        return self._poll()

    def _next(self) -> Window | None:
        """The first in whose process no profiler is at work."""
        for window in self._waiting:
            wait = self._held.take(window)
            if not wait:
                self._waiting.remove(window)
                return window
            if window.text != wait:
                self._set(window, "requested", wait)
        return None

    def close(self) -> None:
        """Ends what is under way."""
        if self._underway is not None:
            self._underway.spy.close()
            self._underway = None

    def _poll(self) -> tuple[Window, Result] | None:
        if self._underway is None:
            return None
        window = self._underway.window
        try:
            sampled = self._underway.spy.poll()
        except NoStacks as error:
            self._underway = None
            self._fail(window, str(error))
            return None
        if sampled is None:
            return None
        self._underway = None
        self._held.give_back(window)
        self._rested_s = self._clocks.monotonic() + sampled.cpu_s / CPU_SHARE
        stacks = parse_raw(sampled.text)
        if not stacks:
            self._fail(window, "no Python was seen in the process")
            return None
        return window, self._result(window, sampled, stacks)

    def _result(self, window: Window, sampled: Sampled, found: tuple[HostStack, ...]) -> Result:
        window.end_ms = self._clocks.wall_ms()
        window.trace_bytes = len(sampled.text.encode())
        profile = profile_of(window, window.end_ms, self._steps.run_of(window.who.pid))
        profile.format = "py-spy raw"
        profile.samples, profile.sampled_hz = sum(stack.samples for stack in found), RATE_HZ
        profile.notes.append(f"py-spy took {sampled.cpu_s:.2f} s of a core")
        self._store.trim()
        return Result(profile, (), tuple(_stack(profile, stack) for stack in found))

    def _fail(self, window: Window, reason: str) -> None:
        self._held.give_back(window)
        window.end_ms = self._clocks.wall_ms()
        self._store.drop(window.id)
        self._set(window, "failed", reason)

    def _set(self, window: Window, state: State, text: str) -> None:
        window.state, window.text = state, text
        self._tell(window)


def _stack(profile: batch_pb2.Profile, found: HostStack) -> batch_pb2.Stack:
    stack = batch_pb2.Stack(
        ts_ms=profile.ts_ms,
        profile=profile.id,
        job=profile.job,
        kind="sampled",
        frames=[frame[:_LONGEST_FRAME] for frame in found.frames],
        samples=found.samples,
        waits=found.waits,
        thread=found.thread[:_LONGEST_FRAME],
    )
    if profile.HasField("rank"):
        stack.rank = profile.rank
    return stack
