"""The ratio of two sides with its interval: over these jobs, over jobs like these, and over several workloads.

The log-scale Welch t with Satterthwaite's degrees of freedom, moderated below five jobs a side by the fleet's own
variance between jobs. Closed form: bootstraps cover 0.06-1.00 with few jobs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

from steelyard_efficiency.student import probability, quantile
from steelyard_efficiency.within import JobFigure

# By workload: ln(figure) of each job on the chip in question, and of each on the reference chip.
Sides = Mapping[str, tuple[Sequence[float], Sequence[float]]]
Kind = Literal["these jobs", "jobs like these", "these workloads", "workloads like these"]
PRIOR_DF: Final = 3
MIN_PRIOR_DF: Final = 10
_ENOUGH_JOBS: Final = 5
_CONFIDENCE: Final = 0.975
# Above this imbalance Welch covers 0.88-0.94.
_MAX_IMBALANCE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Prior:
    """The fleet's own variance between jobs of one workload on one chip, of the same quantity.

    Attributes:
        variance: of ln(figure), pooled.
        df: the degrees of freedom that it was estimated with.
        groups: how many (workload, chip) groups of two or more jobs it comes from.
    """

    variance: float
    df: int
    groups: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether it was estimated from enough jobs."""
        return self.df >= MIN_PRIOR_DF


@dataclass(frozen=True, slots=True)
class Share:
    """A ratio and its 95 % interval.

    Attributes:
        kind: what the interval covers.
        ratio: geometric mean of side A over that of the reference.
        low: lower end.
        high: upper end.
        df: degrees of freedom; None where the half width is Cochran and Cox's.
        se: standard error of ln(ratio).
        prior_cv: the fleet's CV between jobs where it was used.
    """

    kind: Kind
    ratio: float
    low: float
    high: float
    df: float | None
    se: float
    prior_cv: float | None = None


@dataclass(frozen=True, slots=True)
class NoShare:
    """Why there is no interval."""

    kind: Kind
    reason: str


def pooled_prior(groups: Sequence[Sequence[float]]) -> Prior | None:
    """The variance between jobs within groups of one workload and chip.

    Args:
        groups: the figures (not their logarithms) of each group; groups of one job say nothing and are left out.
    """
    return prior_of_logs([[math.log(value) for value in group] for group in groups])


def prior_of_logs(groups: Sequence[Sequence[float]]) -> Prior | None:
    """The same from ln(figure)."""
    return prior_of_groups([(len(group), squares(group)) for group in groups if group])


def prior_of_groups(groups: Sequence[tuple[int, float]]) -> Prior | None:
    """The same from each group's count and the squares of its differences from its mean."""
    useful = [(n, total) for n, total in groups if n >= 2]
    df = sum(n - 1 for n, _ in useful)
    if not df:
        return None
    return Prior(sum(total for _, total in useful) / df, df, len(useful))


def these_jobs(side: Sequence[JobFigure], reference: Sequence[JobFigure]) -> Share | NoShare:
    """The ratio over exactly these windows of these jobs: no statement about other jobs of the same chip."""
    return these_jobs_of({"": (side, reference)})


def these_jobs_of(sides: Mapping[str, tuple[Sequence[JobFigure], Sequence[JobFigure]]]) -> Share | NoShare:
    """The same over the jobs of several workloads, each workload weighing alike."""
    kind: Kind = "these jobs"
    if not sides or not all(side and reference for side, reference in sides.values()):
        return NoShare(kind, "no job on one side")
    jobs = [job for pair in sides.values() for side in pair for job in side]
    if short := [job for job in jobs if not job.is_long_enough]:
        return NoShare(kind, f"window too short: {min(job.batches for job in short)} batches of steps, or too alike")
    k = len(sides)
    parts = [(job.variance / (len(side) * k) ** 2, job.df) for pair in sides.values() for side in pair for job in side]
    variance = math.fsum(part for part, _ in parts)
    log_ratio = fmean(
        fmean(job.y for job in side) - fmean(job.y for job in reference) for side, reference in sides.values()
    )
    if variance == 0:
        return _share(kind, log_ratio, 0.0, 1.0)
    df = variance**2 / math.fsum(part**2 / part_df for part, part_df in parts)
    return _share(kind, log_ratio, math.sqrt(variance), df)


def jobs_like_these(side: Sequence[float], reference: Sequence[float], prior: Prior | None = None) -> Share | NoShare:
    """The ratio that another pair of such jobs would be expected to show.

    Args:
        side: ln(figure) of each job on the chip in question.
        reference: ln(figure) of each job on the reference chip.
        prior: the fleet's variance between jobs; the jobs compared must not be in it.
    """
    kind: Kind = "jobs like these"
    n_a, n_r = len(side), len(reference)
    if not n_a or not n_r:
        return NoShare(kind, "no job on one side")
    log_ratio = fmean(side) - fmean(reference)
    enough = min(n_a, n_r) >= _ENOUGH_JOBS
    if not enough and prior is not None and prior.is_usable:
        return _welch(kind, log_ratio, side, reference, prior)
    if min(n_a, n_r) < 2:
        return NoShare(kind, "one job on a side, and the fleet is too small to say how much jobs differ")
    if enough or max(n_a, n_r) / min(n_a, n_r) < _MAX_IMBALANCE:
        return _welch(kind, log_ratio, side, reference, None)
    return _cochran_cox(kind, log_ratio, side, reference)


def these_workloads(sides: Sides, prior: Prior | None = None) -> Share | NoShare:
    """Equal-weight mean of the log ratios of several workloads, with the variance pooled within them.

    With the fleet's prior the pooled variance is moderated wherever a side has few jobs: with few jobs a workload it
    covers 0.93-0.97 where the plain one covers 0.88-0.93, and one job a side has no plain one at all.

    Args:
        sides: by workload, ln(figure) of the jobs on the chip in question and on the reference.
        prior: the fleet's variance between jobs; the jobs compared must not be in it.
    """
    kind: Kind = "these workloads"
    k = len(sides)
    if not k:
        return NoShare(kind, "no workload on both sides")
    few = any(len(jobs) < _ENOUGH_JOBS for pair in sides.values() for jobs in pair)
    nu0, s0 = (PRIOR_DF, prior.variance) if few and prior is not None and prior.is_usable else (0, 0.0)
    df = nu0 + sum(len(a) + len(r) for a, r in sides.values()) - 2 * k
    if df < 1:
        return NoShare(kind, "one job of each workload, and the fleet is too small to say how much jobs differ")
    pooled = (nu0 * s0 + sum(squares(a) + squares(r) for a, r in sides.values())) / df
    variance = pooled * sum(1 / len(a) + 1 / len(r) for a, r in sides.values()) / k**2
    return _share(kind, fmean(log_ratios(sides)), math.sqrt(variance), df, math.sqrt(s0) if nu0 else None)


def workloads_like_these(sides: Sides) -> Share | NoShare:
    """What a further workload would be expected to show: t over the log ratios of the workloads."""
    kind: Kind = "workloads like these"
    ratios = log_ratios(sides)
    if len(ratios) < 3:
        return NoShare(kind, f"{len(ratios)} workloads; three are needed")
    variance = squares(ratios) / (len(ratios) - 1)
    return _share(kind, fmean(ratios), math.sqrt(variance / len(ratios)), len(ratios) - 1)


def scaled(share: Share, factor: float) -> Share:
    """The share times an exact constant; a negative power, as cost has it, swaps the ends first (see `inverse`)."""
    return Share(
        share.kind, share.ratio * factor, share.low * factor, share.high * factor, share.df, share.se, share.prior_cv
    )


def inverse(share: Share) -> Share:
    """The reference's share of this side."""
    return Share(share.kind, 1 / share.ratio, 1 / share.high, 1 / share.low, share.df, share.se, share.prior_cv)


def probability_within(share: Share, value: float, near: float) -> float | None:
    """P(|ratio - value| <= near) from the interval's t; None where there is no such t."""
    if share.df is None or share.se == 0:
        return None
    centre = math.log(share.ratio)
    upper = probability((math.log(value + near) - centre) / share.se, share.df)
    lower = value - near
    return upper - (probability((math.log(lower) - centre) / share.se, share.df) if lower > 0 else 0.0)


def _welch(
    kind: Kind, log_ratio: float, side: Sequence[float], reference: Sequence[float], prior: Prior | None
) -> Share:
    nu0, s0 = (PRIOR_DF, prior.variance) if prior is not None else (0, 0.0)
    d_a, d_r = nu0 + len(side) - 1, nu0 + len(reference) - 1
    v_a = (nu0 * s0 + squares(side)) / d_a / len(side)
    v_r = (nu0 * s0 + squares(reference)) / d_r / len(reference)
    total = v_a + v_r
    df = total**2 / (v_a**2 / d_a + v_r**2 / d_r) if total else float(d_a + d_r)
    return _share(kind, log_ratio, math.sqrt(total), df, math.sqrt(s0) if prior is not None else None)


def _cochran_cox(kind: Kind, log_ratio: float, side: Sequence[float], reference: Sequence[float]) -> Share:
    variances = [squares(jobs) / (len(jobs) - 1) / len(jobs) for jobs in (side, reference)]
    widths = [
        v * quantile(_CONFIDENCE, len(jobs) - 1) ** 2 for v, jobs in zip(variances, (side, reference), strict=True)
    ]
    half = math.sqrt(sum(widths))
    ends = (math.exp(log_ratio - half), math.exp(log_ratio + half))
    return Share(kind, math.exp(log_ratio), *ends, df=None, se=math.sqrt(sum(variances)))


def _share(kind: Kind, log_ratio: float, se: float, df: float, prior_cv: float | None = None) -> Share:
    half = quantile(_CONFIDENCE, df) * se
    ends = (math.exp(log_ratio - half), math.exp(log_ratio + half))
    return Share(kind, math.exp(log_ratio), *ends, df=df, se=se, prior_cv=prior_cv)


def squares(values: Sequence[float]) -> float:
    """Of the differences from the mean, summed."""
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def log_ratios(sides: Sides) -> list[float]:
    """Of each workload."""
    return [fmean(a) - fmean(r) for a, r in sides.values()]
