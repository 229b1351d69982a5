"""Which ranks became slow, and which are slowest by nature: a CUSUM of each rank against its own baseline.

The input is one value a minute and rank, larger is slower (1/core_clock while busy for the clock, 1/core_active for
the host, own collective time for a link). In lockstep step times and throughput are equal on all ranks.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

BASELINE_MINUTES: Final = 120
_BASELINE_CLIP: Final = 0.06
_STEP_CLIP: Final = 0.05
# Half of the smallest shift worth finding, plus a margin.
_DRIFT: Final = 0.02
# 60 %-minutes: below it two blips close together give alarms.
_THRESHOLD: Final = 0.60
_NATURE_WINDOW_MINUTES: Final = 30

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Detector:
    """The state of all ranks of a job for one signal.

    Attributes:
        baseline_sum: of the clipped excess over the peers during the baseline, by rank.
        baseline_minutes: how many minutes each rank has given to it.
        score: the CUSUM, by rank.
        threshold: the score of an alarm.
    """

    baseline_sum: Values
    baseline_minutes: npt.NDArray[np.int64]
    score: Values
    threshold: float = _THRESHOLD

    @classmethod
    def start(cls, ranks: int, threshold: float = _THRESHOLD) -> "Detector":
        """A detector that has seen nothing."""
        return cls(np.zeros(ranks), np.zeros(ranks, np.int64), np.zeros(ranks), threshold)

    @property
    def alarms(self) -> npt.NDArray[np.bool_]:
        """The ranks that are slower than they were, for good."""
        return self.score > self.threshold

    def after(self, minute: Values) -> "Detector":
        """The state after one more minute.

        Args:
            minute: the signal by rank; NaN where a rank gave none, which changes nothing for it.
        """
        excess = excess_over_peers(minute)
        present = ~np.isnan(excess)
        learning = present & (self.baseline_minutes < BASELINE_MINUTES)
        watching = present & ~learning
        baseline = self.baseline_sum / np.maximum(1, self.baseline_minutes)
        rise = np.minimum(excess - baseline, _STEP_CLIP) - _DRIFT
        score = np.where(watching, np.maximum(0.0, self.score + np.nan_to_num(rise)), self.score)
        gained = np.where(learning, np.minimum(np.nan_to_num(excess), _BASELINE_CLIP), 0.0)
        return Detector(self.baseline_sum + gained, self.baseline_minutes + learning, score, self.threshold)


def threshold_for(noise: float, correlation: float) -> float:
    """The alarm's score for a signal's own minute noise.

    Args:
        noise: standard deviation of a rank's minute value, as a fraction.
        correlation: of neighbouring minutes.
    """
    spread = noise**2 * (1 + correlation) / (1 - correlation)
    return max(_THRESHOLD, 30 * spread / _DRIFT)


def excess_over_peers(minute: Values) -> Values:
    """How far each rank lies above the median of its peers, as a fraction; NaN where there is nothing to compare."""
    if not np.isfinite(minute).any():
        return np.full_like(minute, np.nan)
    median = float(np.nanmedian(minute))
    return minute / median - 1 if median > 0 else np.full_like(minute, np.nan)


def slowest_by_nature(window: Values) -> npt.NDArray[np.bool_]:
    """Ranks that were slow from the start, which their own baseline hides.

    Args:
        window: the signal, [minute][rank], over two half-hours.

    Returns:
        By rank: the median excess is at least 2 % and four robust standard deviations, in both half-hours.
    """
    excess = np.stack([excess_over_peers(minute) for minute in window])
    halves = (excess[:_NATURE_WINDOW_MINUTES], excess[_NATURE_WINDOW_MINUTES : 2 * _NATURE_WINDOW_MINUTES])
    slow = np.ones(window.shape[1], bool)
    for half in halves:
        if len(half) < _NATURE_WINDOW_MINUTES:
            return np.zeros(window.shape[1], bool)
        middle = np.nanmedian(half, axis=0)
        spread = 1.4826 * float(np.nanmedian(np.abs(middle - np.nanmedian(middle))))
        slow &= (middle >= 0.02) & (middle >= 4 * spread)
    return slow


def gain_of_replacing(own_time: Values) -> float:
    """What the job would gain if its slowest rank were like its second slowest, as a share of the step.

    Args:
        own_time: each rank's own, not waiting, time of a step.
    """
    ordered = np.sort(own_time[np.isfinite(own_time)])
    return float((ordered[-1] - ordered[-2]) / ordered[-1]) if ordered.size >= 2 else 0.0
