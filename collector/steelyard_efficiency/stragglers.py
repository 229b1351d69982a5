"""Which ranks became slow, and which are slowest by nature: a CUSUM of each rank against its own baseline.

The input is one value a minute and rank, larger is slower (1/core_clock while busy for the clock, 1/core_active for
the host), or one each half-hour (the collective time of a rank's group over its peers', from profiles, for a link). In
lockstep step times and throughput are equal on all ranks.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

_BASELINE_CLIP: Final = 0.06
_STEP_CLIP: Final = 0.05
# Half of the smallest shift worth finding, plus a margin.
_DRIFT: Final = 0.02
# What the threshold was tried on: so many ranks, and so few false alarms of them all in a day.
REFERENCE_RANKS: Final = 307_000
_ALARMS_A_DAY: Final = 24
_DAY_MINUTES: Final = 1440
# No score is further above the alarm's.
_MOST_ALARMS: Final = 2.0
# Noise is told by how much the excess changes from one minute to the next, and over so many.
_LAG_MINUTES: Final = 5
_SD_OF_MEDIAN: Final = 1.4826
# The noise of few ranks is known to some 15 %: what isn't clearly more than the threshold was tried on leaves it.
_CLEARLY: Final = 1.3

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pace:
    """What a signal's values are worth, by how often there is one.

    Attributes:
        baseline: so many of a rank's first values are its baseline.
        noise: so many medians tell how restless the signal is.
        threshold: an alarm's least score.
        half: so many values tell how slow a rank is; twice as many, whether it is so by nature.
        correlation: of neighbouring values; None where it is learnt.
    """

    baseline: int
    noise: int
    threshold: float
    half: int
    correlation: float | None = None


# 60 %-minutes: below it two blips close together give alarms.
MINUTES: Final = Pace(baseline=120, noise=30, threshold=0.60, half=30)
# A blip of minutes doesn't last from one look to the next: five looks at the clip. A window counts in two or three
# looks running: in the bench `stragglers` neighbours correlate by 0.4 to 0.5, and those five apart don't. Learnt from
# so few looks the correlation was anything up to 0.9, and the threshold up to 6.5, which no link reaches in a day.
HALF_HOURS: Final = Pace(baseline=12, noise=6, threshold=0.15, half=6, correlation=0.35)
BASELINE_MINUTES: Final = MINUTES.baseline


@dataclass(frozen=True, slots=True)
class Noise:
    """How restless a signal is, from medians over the ranks: neither blips nor slow ranks move them.

    Attributes:
        recent: the excess over the peers in the newest minutes, by rank, oldest first.
        change_sum: of the medians of its change from one minute to the next.
        far_sum: of the medians of its change over `_LAG_MINUTES`.
        minutes: how many medians are in the sums.
    """

    recent: tuple[Values, ...] = ()
    change_sum: float = 0.0
    far_sum: float = 0.0
    minutes: int = 0

    def after(self, excess: Values) -> "Noise":
        """With one more minute."""
        recent = (*self.recent, excess)[-_LAG_MINUTES - 1 :]
        change, far = np.abs(excess - recent[-2]) if len(recent) > 1 else excess, np.abs(excess - recent[0])
        known = np.isfinite(change) & np.isfinite(far)
        if len(recent) <= _LAG_MINUTES or not known.any():
            return Noise(recent, self.change_sum, self.far_sum, self.minutes)
        sums = self.change_sum + float(np.median(change[known])), self.far_sum + float(np.median(far[known]))
        return Noise(recent, *sums, self.minutes + 1)

    def threshold(self, ranks: int, pace: Pace = MINUTES) -> float:
        """The score of an alarm where so many ranks are watched; the least one until the noise is known."""
        if self.minutes < pace.noise or self.far_sum <= 0:
            return pace.threshold
        correlation = pace.correlation if pace.correlation is not None else self._correlation()
        far = _SD_OF_MEDIAN * self.far_sum / self.minutes
        noise = float(far / np.sqrt(2 * (1 - correlation**_LAG_MINUTES)))
        raised = threshold_for(noise, correlation, ranks, pace.threshold)
        return raised if raised > _CLEARLY * pace.threshold else pace.threshold

    def _correlation(self) -> float:
        ratio = min(1.0, (self.change_sum / self.far_sum) ** 2)
        correlation = 0.0
        for _ in range(30):
            # The squares are 2 sd^2 (1 - correlation) and 2 sd^2 (1 - correlation^lag).
            correlation = min(0.9, 1 - ratio * (1 - correlation**_LAG_MINUTES))
        return correlation


@dataclass(frozen=True, slots=True)
class Detector:
    """The state of all ranks of a job for one signal.

    Attributes:
        baseline_sum: of the clipped excess over the peers during the baseline, by rank.
        baseline_minutes: how many minutes each rank has given to it.
        score: the CUSUM, by rank.
        noise: of the signal, learnt along with the baseline.
        pace: how often the signal has a value.
    """

    baseline_sum: Values
    baseline_minutes: npt.NDArray[np.int64]
    score: Values
    noise: Noise = Noise()
    pace: Pace = MINUTES

    @classmethod
    def start(cls, ranks: int, pace: Pace = MINUTES) -> "Detector":
        """A detector that has seen nothing."""
        return cls(np.zeros(ranks), np.zeros(ranks, np.int64), np.zeros(ranks), pace=pace)

    def alarms(self, watched: int) -> npt.NDArray[np.bool_]:
        """The ranks that are slower than they were, for good; `watched`: the ranks of the whole fleet."""
        return self.score > self.noise.threshold(watched, self.pace)

    def after(self, minute: Values) -> "Detector":
        """The state after one more minute.

        Args:
            minute: the signal by rank; NaN where a rank gave none, which changes nothing for it.
        """
        excess = excess_over_peers(minute)
        present = ~np.isnan(excess)
        learning = present & (self.baseline_minutes < self.pace.baseline)
        watching = present & ~learning
        baseline = self.baseline_sum / np.maximum(1, self.baseline_minutes)
        rise = np.minimum(excess - baseline, _STEP_CLIP) - _DRIFT
        # Who was slow for days is well again within as many values as an alarm takes.
        most = _MOST_ALARMS * self.noise.threshold(REFERENCE_RANKS, self.pace)
        score = np.where(watching, np.clip(self.score + np.nan_to_num(rise), 0.0, most), self.score)
        gained = np.where(learning, np.minimum(np.nan_to_num(excess), _BASELINE_CLIP), 0.0)
        noise = self.noise.after(excess) if learning.any() else replace(self.noise, recent=())
        return Detector(self.baseline_sum + gained, self.baseline_minutes + learning, score, noise, self.pace)


def threshold_for(
    noise: float, correlation: float, ranks: int = REFERENCE_RANKS, least: float = MINUTES.threshold
) -> float:
    """The alarm's score for a signal's own minute noise, so that the whole fleet has the same few false alarms a day.

    Args:
        noise: standard deviation of a rank's minute value, as a fraction.
        correlation: of neighbouring minutes.
        ranks: that are watched; the fewer, the rarer a false one is, and the lower the score may be.
        least: no score is below it.
    """
    spread = noise**2 * (1 + correlation) / (1 - correlation)
    # The chance of a false alarm falls exponentially with the score over the spread.
    chances = [max(math.e, count * _DAY_MINUTES / _ALARMS_A_DAY) for count in (ranks, REFERENCE_RANKS)]
    return max(least, 30 * spread / _DRIFT * math.log(chances[0]) / math.log(chances[1]))


def excess_over_peers(values: Values) -> Values:
    """How far each rank lies above the median of its peers, as a fraction; NaN where there is nothing to compare.

    Args:
        values: [rank], or [minute][rank].
    """
    usual = known_median(values, -1)[..., np.newaxis]
    excess: Values = values / np.where(usual > 0, usual, np.nan) - 1
    return excess


def known_median(values: Values, axis: int) -> Values:
    """The median of what isn't NaN, NaN where all is; NumPy's own takes ten times as long for so few."""
    ordered = np.sort(values, axis=axis)
    count = np.expand_dims((~np.isnan(values)).sum(axis=axis), axis)
    lower = np.take_along_axis(ordered, np.maximum(0, (count - 1) // 2), axis)
    upper = np.take_along_axis(ordered, count // 2, axis)
    middle: Values = np.squeeze((lower + upper) / 2, axis)
    return middle


def slowest_by_nature(window: Values, half: int = MINUTES.half) -> npt.NDArray[np.bool_]:
    """Ranks that were slow from the start, which their own baseline hides.

    Args:
        window: the signal, [minute][rank], over two half-hours.
        half: how many values one of them has.

    Returns:
        By rank: the median excess is at least 2 % and four robust standard deviations, in both.
    """
    if len(window) < 2 * half:
        return np.zeros(window.shape[1], bool)
    excess = excess_over_peers(window)
    slow = np.ones(window.shape[1], bool)
    for part in (excess[:half], excess[half : 2 * half]):
        middle = known_median(part, 0)
        spread = _SD_OF_MEDIAN * float(known_median(np.abs(middle - known_median(middle, 0)), 0))
        slow &= (middle >= 0.02) & (middle >= 4 * spread)
    return slow


def gain_of_replacing(own_time: Values) -> float:
    """What the job would gain if its slowest rank were like its second slowest, as a share of the step.

    Args:
        own_time: each rank's own, not waiting, time of a step.
    """
    ordered = np.sort(own_time[np.isfinite(own_time)])
    return float((ordered[-1] - ordered[-2]) / ordered[-1]) if ordered.size >= 2 else 0.0
