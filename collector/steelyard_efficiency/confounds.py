"""What differs exactly as the chips do, so that a ratio can't tell the chip from it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from steelyard_efficiency.jobs import JobRow, Mode
from steelyard_efficiency.matching import Strata

_TRAITS: Final[Mapping[str, Callable[[JobRow], str]]] = {
    "network": lambda job: job.network,
    "node count": lambda job: str(job.nodes),
    "recompute": lambda job: "" if job.recompute is None else "on" if job.recompute else "off",
    "origin of the tokens": lambda job: job.tokens_origin,
}
_MOST_SHOWN: Final = 3


def confounds(strata: Strata, chip: str, reference: str, mode: Mode) -> tuple[str, ...]:
    """A line for each trait that no job of one chip shares with a job of the other."""
    sides = [[job for pair in strata.values() for job in pair[side]] for side in (0, 1)]
    traits = dict(_TRAITS)
    if mode == "as run":
        traits["precision"] = lambda job: job.precision
    found = []
    for name, read in traits.items():
        values = [{value for job in side if (value := read(job))} for side in sides]
        found += _line(name, values, chip, reference)
    for name in sorted(_named(sides[0]) & _named(sides[1])):
        values = [{job.software[name] for job in side if job.software.get(name)} for side in sides]
        found += _line(f"version of {name}", values, chip, reference)
    return tuple(found)


def _named(jobs: Sequence[JobRow]) -> set[str]:
    return {name for job in jobs for name in job.software}


def _line(name: str, values: Sequence[set[str]], chip: str, reference: str) -> list[str]:
    if not values[0] or not values[1] or values[0] & values[1]:
        return []
    return [f"splits by chip: {name}: {_listed(values[0])} on {chip}, {_listed(values[1])} on {reference}"]


def _listed(values: Iterable[str]) -> str:
    names = sorted(values)
    return ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")
