"""The jobs of one quantity and origin, sorted once: every pair of chips is matched out of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from steelyard_efficiency.between import Prior, prior_of_groups, squares
from steelyard_efficiency.jobs import Basis, JobRow


@dataclass(frozen=True, slots=True)
class Excluded:
    """A job that isn't compared, and why."""

    run: str
    name: str
    chip: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """The jobs of one workload on one chip, in one basis.

    Attributes:
        jobs: their places among all, their runs and ln(figure).
        squares: of the differences from their mean.
    """

    jobs: Sequence[tuple[int, str, float]]
    squares: float


@dataclass(frozen=True, slots=True)
class Pool:
    """What is compared, and what tells how much jobs differ.

    Attributes:
        rows: by chip, each with its place among all.
        left: jobs that have no such figure, in the same way.
        mixed: runs on several kinds of chips at once.
        groups: by basis, workload and chip.
    """

    rows: Mapping[str, Sequence[tuple[int, JobRow]]]
    left: Mapping[str, Sequence[tuple[int, Excluded]]]
    mixed: frozenset[str]
    groups: Mapping[Basis, Mapping[tuple[str, str], Group]]

    def rows_of(self, *chips: str) -> list[JobRow]:
        """Those on these chips, in their order."""
        return [row for _, row in sorted(entry for chip in set(chips) for entry in self.rows.get(chip, ()))]

    def left_of(self, *chips: str) -> list[Excluded]:
        """Those without a figure on these chips, in their order."""
        return [job for _, job in sorted(entry for chip in set(chips) for entry in self.left.get(chip, ()))]

    def prior(self, basis: Basis | None, compared: frozenset[str], *chips: str) -> Prior | None:
        """How much jobs of one workload on one chip differ in this fleet, without those that are compared.

        Args:
            basis: of the figures; None where nothing is compared.
            compared: runs, all of them on `chips`.
            chips: the others' groups stand as they are.
        """
        parts: list[tuple[int, int, float]] = []
        for (_, chip), group in ({} if basis is None else self.groups.get(basis, {})).items():
            jobs, total = group.jobs, group.squares
            if chip in chips and any(run in compared for _, run, _ in jobs):
                jobs = [job for job in jobs if job[1] not in compared]
                total = squares([y for _, _, y in jobs]) if jobs else 0.0
            if jobs:
                parts.append((jobs[0][0], len(jobs), total))
        return prior_of_groups([(n, total) for _, n, total in sorted(parts)])


def pool_of(rows: Iterable[JobRow], left: Iterable[Excluded] = ()) -> Pool:
    """Sorts jobs.

    Args:
        rows: of one quantity and one origin, of any chip and basis.
        left: jobs that have no such figure, and why; the first reason of a run counts.
    """
    by_chip: dict[str, list[tuple[int, JobRow]]] = defaultdict(list)
    first: dict[str, str] = {}
    mixed: set[str] = set()
    groups: dict[Basis, dict[tuple[str, str], list[tuple[int, str, float]]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(rows):
        by_chip[row.chip].append((place, row))
        if first.setdefault(row.run, row.chip) != row.chip:
            mixed.add(row.run)
        if row.workload:
            groups[row.basis][row.workload, row.chip].append((place, row.run, row.y))
    without: dict[str, list[tuple[int, Excluded]]] = defaultdict(list)
    for place, job in enumerate(left):
        without[job.chip].append((place, job))
    return Pool(
        by_chip,
        without,
        frozenset(mixed),
        {
            basis: {key: Group(jobs, squares([y for _, _, y in jobs])) for key, jobs in of.items()}
            for basis, of in groups.items()
        },
    )
