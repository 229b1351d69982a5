"""When to sample: monotonic deadlines, of which late and missed ones are counted and never caught up in a burst."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# A tick counts as late when it begins more than this share of its period after its deadline.
_LATE_SHARE: Final = 0.1


@dataclass(slots=True)
class TickCounts:
    """How punctual the ticks of all schedules were."""

    late: int = 0
    missed: int = 0


class Schedule:
    """A row of deadlines, one period apart, that never drifts."""

    def __init__(self, period_s: float, start_s: float, counts: TickCounts) -> None:
        """Begins with a deadline at `start_s` on the monotonic clock; lateness goes into `counts`."""
        self.period_s = period_s
        self.due_s = start_s
        self._counts = counts

    def take(self, now_s: float) -> bool:
        """Whether a tick is due; if so the next deadline is set, ahead of `now_s`."""
        behind_s = now_s - self.due_s
        if behind_s < 0:
            return False
        if behind_s > _LATE_SHARE * self.period_s:
            self._counts.late += 1
        missed = int(behind_s / self.period_s)
        self._counts.missed += missed
        self.due_s += (missed + 1) * self.period_s
        return True


@dataclass(slots=True)
class Task:
    """Something to do at each deadline of a schedule."""

    schedule: Schedule
    run: Callable[[], None]


def run_due(tasks: list[Task], now_s: Callable[[], float]) -> float:
    """Runs what is due, each at most once, and says how many seconds are left until the next deadline."""
    for task in tasks:
        if task.schedule.take(now_s()):
            task.run()
    return max(0.0, min(task.schedule.due_s for task in tasks) - now_s())
