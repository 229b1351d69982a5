"""What a guard counts: the agent's figures about its own sources."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.model import Absent, Value


@dataclass(frozen=True, slots=True)
class GuardStats:
    """Counts of one source since the agent started; the comment is the id in the catalogue.

    Attributes:
        sample_s: wall time spent in the source's calls, in seconds.
        abandoned: threads that hang in a call now, and processes that can't be ended.
        problem: why the last look for devices failed; empty if it didn't.
    """

    calls: int  # 204
    errors: int  # 205
    timeouts: int  # 206
    quarantined: int  # 207
    absences: int  # 208
    sample_s: float  # 216
    absences_by_reason: Mapping[str, int]
    abandoned: int
    problem: str


NO_STATS: Final = GuardStats(
    calls=0,
    errors=0,
    timeouts=0,
    quarantined=0,
    absences=0,
    sample_s=0.0,
    absences_by_reason={},
    abandoned=0,
    problem="",
)


def added(*parts: GuardStats) -> GuardStats:
    """The counts of a source's processes together; the problem is the last one's."""
    by_reason: Counter[str] = Counter()
    for part in parts:
        by_reason.update(part.absences_by_reason)
    return GuardStats(
        calls=sum(part.calls for part in parts),
        errors=sum(part.errors for part in parts),
        timeouts=sum(part.timeouts for part in parts),
        quarantined=sum(part.quarantined for part in parts),
        absences=sum(part.absences for part in parts),
        sample_s=sum(part.sample_s for part in parts),
        absences_by_reason=dict(by_reason),
        abandoned=sum(part.abandoned for part in parts),
        problem=parts[-1].problem,
    )


# Reasons come from errors' texts; a bound keeps one that holds a number from growing without end.
_MAX_REASONS = 100


@dataclass(slots=True)
class Tally:
    """The running counts behind `GuardStats`."""

    calls: int = 0
    errors: int = 0
    timeouts: int = 0
    absences: int = 0
    sample_s: float = 0.0
    by_reason: Counter[str] = field(default_factory=Counter)

    def note_call(self, seconds: float, *, failed: bool) -> None:
        """Counts a call that has ended."""
        self.calls += 1
        self.errors += failed
        self.sample_s += seconds

    def note_values(self, values: Sequence[Value]) -> None:
        """Counts the absent ones, by reason."""
        if Absent not in map(type, values):
            return
        for value in values:
            if isinstance(value, Absent):
                self.absences += 1
                known = value.reason in self.by_reason or len(self.by_reason) < _MAX_REASONS
                self.by_reason[value.reason if known else "other"] += 1
