"""Every pair of chips of a window, compared; and the claims judged on them. Pure: jobs in, comparisons out."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from steelyard_collector.shares.jobs import Jobs
from steelyard_efficiency.claims import Judgement, judge
from steelyard_efficiency.compare import Comparison, compare_in, cost, per_package
from steelyard_efficiency.jobs import MEASURED, MODES
from steelyard_efficiency.pool import pool_of
from steelyard_proto.chips import ChipTable
from steelyard_proto.claims import Claim
from steelyard_proto.prices import Prices


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the comparison must know beside the jobs.

    Attributes:
        vendors: by chip, of every device that was ever seen.
    """

    chips: ChipTable
    prices: Prices
    vendors: Mapping[str, str]

    def factor(self, chip: str, reference: str) -> float:
        """Devices in a package of the chip, over those of the reference."""
        dies = [known.dies if (known := self.chips.by_name.get(name)) else 1 for name in (chip, reference)]
        return dies[0] / dies[1]


@dataclass(frozen=True, slots=True)
class InUnit:
    """A comparison by device or by package."""

    unit: str
    comparison: Comparison


def compare_all(jobs: Jobs, fleet: Fleet) -> list[InUnit]:
    """Every chip of the fleet against every chip that ran a job; each origin apart: unlike ones are never compared."""
    origins = sorted({row.origin for row in jobs.rows} | {left.origin for left in jobs.left})
    return [entry for origin in origins for entry in _of_origin(jobs, origin, fleet)]


def _of_origin(jobs: Jobs, origin: str, fleet: Fleet) -> Iterable[InUnit]:
    ran = {row.chip for row in jobs.rows if row.origin == origin}
    ran |= {left.job.chip for left in jobs.left if left.origin == origin}
    pairs = [
        (chip, reference) for reference in sorted(ran - {""}) for chip in sorted(fleet.vendors) if chip != reference
    ]
    for quantity in MEASURED:
        rows = [row for row in jobs.rows if (row.quantity, row.origin) == (quantity, origin)]
        left = [entry.job for entry in jobs.left if (entry.quantity, entry.origin) == (quantity, origin)]
        pool = pool_of(rows, left)
        for (chip, reference), mode in itertools.product(pairs, MODES):
            factor = fleet.factor(chip, reference)
            result = compare_in(pool, chip, reference, mode, quantity=quantity, origin=origin)
            yield InUnit("device", result)
            if quantity == "tokens_per_s_device":
                yield InUnit("package", per_package(result, factor))
                yield InUnit("device", cost(result, fleet.prices.by_chip))


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim, one of the pairs that it may mean, and what is said of it."""

    claim: Claim
    chip: str
    reference: str
    origin: str
    judgement: Judgement
    comparison: Comparison | None


def judge_all(claims: Iterable[Claim], compared: Iterable[InUnit], fleet: Fleet) -> list[Judged]:
    """A verdict for each claim and pair of chips; for each origin where something of both was measured."""
    results: dict[tuple[str, str, str], list[Comparison]] = defaultdict(list)
    for entry in compared:
        result = entry.comparison
        if result.quantity == "tokens_per_s_device" and result.mode == "matched":
            results[entry.unit, result.chip, result.reference].append(result)
    found: list[Judged] = []
    for claim in claims:
        for chip in claim.subject_chips:
            for reference in claim.reference_chips:
                absent = tuple(name for name in (chip, reference) if name not in fleet.vendors)
                tried = results[claim.unit, chip, reference]
                # One that says nothing stands only where no other origin says anything either.
                told: list[Comparison | None] = [result for result in tried if not result.missing]
                told = told or [*tried[:1]] or [None]
                for tested in told:
                    judgement = judge(claim, tested, absent=absent)
                    origin = tested.origin if tested is not None and not absent else ""
                    found.append(Judged(claim, chip, reference, origin, judgement, tested))
    return found
