"""Which jobs of a chip may be compared with which of the reference: same workload, same kind of token, same time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_efficiency.jobs import MARKED, MATCHED_ON, TOKEN_KINDS, Basis, JobRow, Mode, key_of
from steelyard_efficiency.pool import Excluded, Pool
from steelyard_efficiency.within import MIN_BATCHES

# By workload: the jobs on the chip in question, and those on the reference chip.
Strata = Mapping[str, tuple[Sequence[JobRow], Sequence[JobRow]]]

# The best first: productive is the chip, wall is the system; processed tokens are the chip's work.
BASES: Final = tuple(Basis(marked, kind) for marked in MARKED for kind in TOKEN_KINDS)
_LEAST_COVERAGE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Matching:
    """What is compared.

    Attributes:
        basis: of every figure in it; None where nothing is matched.
        missing: what would have to be there for a ratio; empty where something is matched.
    """

    strata: Strata
    basis: Basis | None
    excluded: tuple[Excluded, ...]
    missing: str = ""


def match(pool: Pool, chip: str, reference: str, mode: Mode = "matched") -> Matching:
    """Sorts the jobs of two chips into workloads.

    Args:
        pool: the jobs of any chip and basis.
        chip: the chip in question.
        reference: the one that it is held against.
        mode: "as run" takes jobs of the same model and task for alike, whatever their precision.
    """
    excluded: dict[str, Excluded] = {}
    for job in pool.left_of(chip, reference):
        excluded.setdefault(job.run, job)
    usable: list[JobRow] = []
    for row in pool.rows_of(chip, reference):
        if reason := _fault(row, pool.mixed):
            excluded.setdefault(row.run, Excluded(row.run, row.name, row.chip, reason))
        else:
            usable.append(row)
    basis, strata = _best(usable, chip, reference, mode)
    compared = {row.run for pair in strata.values() for side in pair for row in side}
    for row in usable:
        if row.run not in compared:
            # It has a figure: that another basis of it has none isn't why it is left out.
            reason = _why_left(row, basis, strata, chip, reference, mode)
            excluded[row.run] = Excluded(row.run, row.name, row.chip, reason)
    kept = tuple(job for run, job in excluded.items() if run not in compared)
    missing = "" if strata else _missing(usable, kept, chip, reference, mode)
    return Matching(strata, basis, kept, missing)


def _fault(row: JobRow, mixed: frozenset[str]) -> str:
    if row.run in mixed:
        return "runs on several kinds of chips at once"
    if not row.workload:
        return "its model isn't known; declare its name, or its parameters and sequence length"
    if row.coverage is not None and row.coverage < _LEAST_COVERAGE:
        return f"its energy is known over {row.coverage:.0%} of its time; 50 % are needed"
    return ""


def _best(rows: Sequence[JobRow], chip: str, reference: str, mode: Mode) -> tuple[Basis | None, Strata]:
    """The basis on which most jobs can be compared, the best one among equals."""
    best: tuple[Basis | None, Strata] = (None, {})
    jobs = 0
    by_basis: dict[Basis, list[JobRow]] = defaultdict(list)
    for row in rows:
        by_basis[row.basis].append(row)
    for basis in BASES:
        strata = _strata(by_basis[basis], chip, reference, mode)
        count = sum(len(side) for pair in strata.values() for side in pair)
        if basis.marked == "productive" and _marks_one_side(strata):
            continue
        if count > jobs:
            jobs, best = count, (basis, strata)
    return best


def _marks_one_side(strata: Strata) -> bool:
    """Whether one chip's jobs leave checkpoints and the like out of their productive time, and the other's never do."""
    marks = [any(row.marks for pair in strata.values() for row in pair[side]) for side in (0, 1)]
    return marks[0] != marks[1]


def _strata(rows: Sequence[JobRow], chip: str, reference: str, mode: Mode) -> Strata:
    sides: dict[str, tuple[list[JobRow], list[JobRow]]] = defaultdict(lambda: ([], []))
    for row in rows:
        sides[key_of(row, mode)][row.chip == reference].append(row)
    return {key: (_long(a), _long(r)) for key, (a, r) in sorted(sides.items()) if a and r}


def _long(rows: Sequence[JobRow]) -> tuple[JobRow, ...]:
    """The jobs that were seen long enough, else all: a job of two minutes must not weigh like one of a week."""
    enough = tuple(row for row in rows if row.figure.batches >= MIN_BATCHES)
    return enough or tuple(rows)


def _why_left(row: JobRow, basis: Basis | None, strata: Strata, chip: str, reference: str, mode: Mode) -> str:
    key, other = key_of(row, mode), reference if row.chip == chip else chip
    if basis is not None and row.basis != basis and key in strata:
        return f"counts {_worded(row.basis)}, the jobs that are compared {_worded(basis)}"
    if key in strata:
        return f"its window is too short: {row.figure.batches} minutes of steps"
    return f"no job of its workload on {other}: {key}"


def _worded(basis: Basis) -> str:
    return f"{basis.token_kind} tokens over {basis.marked} time"


def _missing(usable: Sequence[JobRow], excluded: Sequence[Excluded], chip: str, reference: str, mode: Mode) -> str:
    for name in (reference, chip):
        if not any(row.chip == name for row in usable):
            reasons = Counter(job.reason for job in excluded if job.chip == name)
            if not reasons:
                return f"no job on {name} counts it in this window"
            return f"no job on {name} can be matched: {reasons.most_common(1)[0][0]}"
    sides = [[row for row in usable if row.chip == name] for name in (chip, reference)]
    keys = [{key_of(row, mode) for row in side} for side in sides]
    if keys[0] & keys[1]:
        kinds = [", ".join(sorted({row.basis.token_kind for row in side})) for side in sides]
        return f"no kind of token is counted on both: {chip} counts {kinds[0]}, {reference} {kinds[1]}"
    if mode == "matched" and {key_of(row, "as run") for row in sides[0]} & {key_of(row, "as run") for row in sides[1]}:
        return f"the same models run at another precision on {reference}: ask for it `as run`"
    if near := {row.model for row in sides[0]} & {row.model for row in sides[1]}:
        return f"{sorted(near)[0]} runs on both, but not with the same {_differing(sides, sorted(near)[0], mode)}"
    return f"no workload runs on both: {chip} runs {_some(keys[0])}; {reference} runs {_some(keys[1])}"


def _differing(sides: Sequence[Sequence[JobRow]], model: str, mode: Mode) -> str:
    a, r = ([row for row in side if row.model == model] for side in sides)
    told = {"sequence length": "sequence_length", "precision": "precision", "task": "task"}
    names = [
        name
        for name, column in told.items()
        if name in MATCHED_ON[mode] and not {getattr(row, column) for row in a} & {getattr(row, column) for row in r}
    ]
    return " and ".join(names) or ", ".join(MATCHED_ON[mode][1:])


def _some(keys: Iterable[str]) -> str:
    names = sorted(keys)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
