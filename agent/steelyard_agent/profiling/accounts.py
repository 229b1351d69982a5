"""Windows whose cost isn't known yet: it is told by the steps that follow, and then goes into their rows."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.profiling.loss import Loss, Span, loss_of
from steelyard_agent.profiling.step_log import StepLog
from steelyard_proto.v1 import batch_pb2

# Between looks at what is open, and how long one stays so.
LOOK_S: Final = 5.0
_PATIENCE_S: Final = 600.0
# Other windows of a process that may lie among its steps.
_MOST_SPANS: Final = 64
_MOST_OPEN: Final = 256


@dataclass(slots=True)
class _Open:
    """A window that waits for steps behind it."""

    profile: batch_pb2.Profile
    since_s: float


@dataclass(slots=True)
class Accounts:
    """Used by the fabric's thread alone."""

    steps: StepLog
    clock: Callable[[], float]
    wall_ms: Callable[[], int]
    _open: deque[_Open] = field(default_factory=lambda: deque(maxlen=_MOST_OPEN))
    _spans: dict[int, deque[Span]] = field(default_factory=dict)
    _looked_s: float = float("-inf")

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits."""
        return not self._open

    def add(self, profile: batch_pb2.Profile, *, is_stored: bool = True) -> None:
        """Takes the row of a window that has ended; one that failed is no placebo either, and is not priced."""
        if len(self._spans) > _MOST_OPEN:
            self._spans.clear()
        self._spans.setdefault(profile.pid, deque(maxlen=_MOST_SPANS)).append((profile.ts_ms, profile.to_ms))
        if is_stored and self.steps.has(profile.pid, profile.start_ms):
            copy = batch_pb2.Profile()
            copy.CopyFrom(profile)
            self._open.append(_Open(copy, self.clock()))

    def settle(self) -> list[tuple[batch_pb2.Profile, Loss]]:
        """Those whose cost is known now: their rows with it, to be written anew."""
        now_s = self.clock()
        if not self._open or now_s - self._looked_s < LOOK_S:
            return []
        self._looked_s = now_s
        settled = []
        for one in list(self._open):
            profile = one.profile
            rows = self.steps.rows(profile.pid, profile.start_ms)
            own = (profile.ts_ms, profile.to_ms)
            others = [span for span in self._spans[profile.pid] if span != own]
            loss = loss_of(rows, own, others)
            if loss is not None:
                profile.loss_s, profile.loss_low_s, profile.loss_high_s = loss.loss_s, loss.low_s, loss.high_s
                profile.written_ms = max(self.wall_ms(), profile.written_ms + 1)
                settled.append((profile, loss))
            if loss is not None or now_s - one.since_s > _PATIENCE_S:
                self._open.remove(one)
        return settled
