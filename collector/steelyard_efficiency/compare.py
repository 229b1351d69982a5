"""One chip's share of another over matched jobs, with every interval that there is, or why there is none."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from steelyard_efficiency.between import (
    NoShare,
    Prior,
    Share,
    inverse,
    jobs_like_these,
    log_ratios,
    scaled,
    these_jobs_of,
    these_workloads,
    workloads_like_these,
)
from steelyard_efficiency.confounds import confounds
from steelyard_efficiency.jobs import Basis, JobRow, Mode, Quantity
from steelyard_efficiency.matching import Strata, match
from steelyard_efficiency.pool import Excluded, Pool, pool_of

# Below it the figure of energy may leave out what the rest of the time took; both ends are shown.
FULL_COVERAGE: Final = 0.9


@dataclass(frozen=True, slots=True)
class WorkloadRatio:
    """One workload: a dot beside the bar."""

    workload: str
    ratio: float
    jobs: int
    reference_jobs: int
    share: Share | NoShare


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chip against a reference in one quantity.

    Attributes:
        shares: of each kind that was tried; a ratio stands in `ratio` even where no interval does.
        ratio: None where nothing is matched.
        jobs: that are compared, on the chip; `reference_jobs` on the reference.
        basis: of every figure that is compared.
        prior: the fleet's variance between jobs, where there is one, whether used or not.
        warnings: what differs exactly as the chips do, and what else a reader must know.
        missing: why there is no ratio.
    """

    chip: str
    reference: str
    quantity: Quantity
    mode: Mode
    origin: str
    shares: tuple[Share | NoShare, ...]
    ratio: float | None
    workloads: tuple[WorkloadRatio, ...]
    jobs: int
    reference_jobs: int
    basis: Basis | None
    prior: Prior | None
    excluded: tuple[Excluded, ...]
    warnings: tuple[str, ...]
    missing: str

    @property
    def between(self) -> Share | NoShare | None:
        """The widest statement about other jobs that there is: what a claim is judged on."""
        tried = [share for share in self.shares if share.kind != "these jobs"]
        return next((share for share in tried if isinstance(share, Share)), tried[-1] if tried else None)

    @property
    def shown(self) -> Share | NoShare | None:
        """What a bar shows: over other jobs if possible, else over these jobs."""
        return next((share for share in self.shares if isinstance(share, Share)), self.between)


def compare(
    rows: Iterable[JobRow],
    chip: str,
    reference: str,
    mode: Mode = "matched",
    *,
    quantity: Quantity = "tokens_per_s_device",
    origin: str = "measured",
    left: Iterable[Excluded] = (),
) -> Comparison:
    """A chip's share of the reference.

    Args:
        rows: of one measured quantity and one origin; those of other chips tell how much jobs differ.
        chip: the chip in question.
        reference: the chip that it is held against.
        mode: "as run" leaves the precision out of what is matched.
        quantity: that the rows are of.
        origin: measured, simulated or replayed, as all of the rows.
        left: jobs that have no such figure, and why.
    """
    pool = pool_of(rows, left)
    return compare_in(pool, chip, reference, mode, quantity=quantity, origin=origin)


def compare_in(pool: Pool, chip: str, reference: str, mode: Mode, *, quantity: Quantity, origin: str) -> Comparison:
    """The same out of jobs that are sorted already; see `compare` for the arguments."""
    found = match(pool, chip, reference, mode)
    jobs = tuple(sum(len(pair[side]) for pair in found.strata.values()) for side in (0, 1))
    prior = pool.prior(found.basis, frozenset(job.run for job in _all(found.strata)), chip, reference)
    sides = {key: ([job.y for job in a], [job.y for job in r]) for key, (a, r) in found.strata.items()}
    return Comparison(
        chip=chip,
        reference=reference,
        quantity=quantity,
        mode=mode,
        origin=origin,
        shares=_shares(found.strata, sides, prior),
        ratio=math.exp(fmean(log_ratios(sides))) if sides else None,
        workloads=tuple(
            WorkloadRatio(key, math.exp(fmean(a) - fmean(r)), len(a), len(r), jobs_like_these(a, r, prior))
            for key, (a, r) in sides.items()
        ),
        jobs=jobs[0],
        reference_jobs=jobs[1],
        basis=found.basis,
        prior=prior,
        excluded=found.excluded,
        warnings=(*confounds(found.strata, chip, reference, mode), *_coverage_warnings(found.strata)),
        missing=found.missing,
    )


def cost(comparison: Comparison, prices: Mapping[str, float]) -> Comparison:
    """The ratio of what a token costs, from that of tokens per second and device: prices are exact.

    Args:
        comparison: of tokens_per_s_device.
        prices: by chip, of a device-hour, all in one currency.
    """
    lacking = [name for name in (comparison.chip, comparison.reference) if name not in prices]
    if lacking:
        return replace(
            comparison,
            quantity="cost_per_mtoken",
            shares=(),
            ratio=None,
            workloads=(),
            missing=f"no price of a device-hour of {' and of '.join(lacking)}; add it to the file of prices",
        )
    factor = prices[comparison.chip] / prices[comparison.reference]
    return replace(
        comparison,
        quantity="cost_per_mtoken",
        shares=tuple(_cost(share, factor) for share in comparison.shares),
        ratio=None if comparison.ratio is None else factor / comparison.ratio,
        workloads=tuple(
            replace(dot, ratio=factor / dot.ratio, share=_cost(dot.share, factor)) for dot in comparison.workloads
        ),
    )


def per_package(comparison: Comparison, factor: float) -> Comparison:
    """The same for whole packages: `factor` is the chip's devices a package over the reference's."""
    if factor == 1 or comparison.quantity != "tokens_per_s_device":
        return comparison
    return replace(
        comparison,
        shares=tuple(_times(share, factor) for share in comparison.shares),
        ratio=None if comparison.ratio is None else comparison.ratio * factor,
        workloads=tuple(
            replace(dot, ratio=dot.ratio * factor, share=_times(dot.share, factor)) for dot in comparison.workloads
        ),
    )


def _shares(
    strata: Strata, sides: Mapping[str, tuple[Sequence[float], Sequence[float]]], prior: Prior | None
) -> tuple[Share | NoShare, ...]:
    """The widest statement first."""
    if not strata:
        return ()
    figures = {key: ([job.figure for job in a], [job.figure for job in r]) for key, (a, r) in strata.items()}
    these = these_jobs_of(figures)
    if len(sides) == 1:
        return (*(jobs_like_these(a, r, prior) for a, r in sides.values()), these)
    return (workloads_like_these(sides), these_workloads(sides, prior), these)


def _all(strata: Strata) -> Iterable[JobRow]:
    return (job for pair in strata.values() for side in pair for job in side)


def _coverage_warnings(strata: Strata) -> tuple[str, ...]:
    partly = [job for job in _all(strata) if job.coverage is not None and job.coverage < FULL_COVERAGE]
    if not partly:
        return ()
    least = min(job.coverage or 0.0 for job in partly)
    warning = f"energy is known over {least:.0%} of the time of some jobs: only minutes with both are counted"
    scaled_ys = {
        key: [[job.y if job.scaled_y is None else job.scaled_y for job in side] for side in pair]
        for key, pair in strata.items()
    }
    if any(job.scaled_y is not None for job in partly):
        ratio = math.exp(fmean(fmean(a) - fmean(r) for a, r in scaled_ys.values()))
        warning += f"; scaled up to all of the time the ratio is {ratio:.3f}"
    return (warning,)


def _times(share: Share | NoShare, factor: float) -> Share | NoShare:
    return scaled(share, factor) if isinstance(share, Share) else share


def _cost(share: Share | NoShare, factor: float) -> Share | NoShare:
    return scaled(inverse(share), factor) if isinstance(share, Share) else share
