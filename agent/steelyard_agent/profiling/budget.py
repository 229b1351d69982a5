"""How often a job may be profiled: what its windows have cost it, held against a share of its time."""

import math
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.profiling.loss import Loss, student

# Older windows tell less about what one costs now.
_MOST_WINDOWS: Final = 30
LONGEST_PERIOD_S: Final = 86_400.0


@dataclass(slots=True)
class Budget:
    """Of one job on this node.

    Attributes:
        share: of the job's time that windows may take.
        every_s: between two windows, where the budget allows that.
    """

    share: float
    every_s: float
    _losses: deque[Loss] = field(default_factory=lambda: deque(maxlen=_MOST_WINDOWS))

    def add(self, loss: Loss) -> None:
        """Takes what a window cost."""
        self._losses.append(loss)

    def upper_s(self) -> float | None:
        """The upper 95 % bound of the mean loss of a window; None before the first."""
        if not self._losses:
            return None
        losses = [one.loss_s for one in self._losses]
        count = len(losses)
        noise = statistics.mean(one.spread_s**2 for one in self._losses)
        # Windows may differ by more than intervals without one do.
        variance = max(noise, statistics.variance(losses)) if count > 2 else noise
        freedom = max(count - 1, min(one.placebos for one in self._losses) - 1)
        return statistics.mean(losses) + student(freedom) * math.sqrt(variance / count)

    def period_s(self, nodes: int) -> float:
        """The time to the next window on this node.

        Args:
            nodes: that the job has; each profiles one of its ranks, and all wait for each.
        """
        upper_s = self.upper_s()
        if upper_s is None or upper_s <= 0:
            return self.every_s
        return min(LONGEST_PERIOD_S, max(self.every_s, nodes * upper_s / self.share))
