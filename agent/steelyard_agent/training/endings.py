"""Ranks that ended while their job goes on, or waits for them."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final

# All ranks of a job that ends well do so within these; what steps on after them has lost this one.
_TRAINS_ON_MS: Final = 30_000
# So long rank 0 may write its last checkpoint; then whoever is left waits in a collective for the one that is gone.
_WAITS_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Ending:
    """A process that has ended.

    Attributes:
        pid: its number.
        rank: None where it isn't known.
        heard_ms: its last step.
    """

    job: str
    pid: int
    rank: int | None
    heard_ms: int


class Endings:
    """Those of which it isn't known yet whether their job has ended with them."""

    def __init__(self) -> None:
        self._waiting: list[Ending] = []

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._waiting)

    def add(self, ending: Ending) -> None:
        """Takes one that has just ended."""
        self._waiting.append(ending)

    def judged(self, heard_ms: Mapping[str, int], ranks: Set[tuple[str, int | None]], now_ms: int) -> Iterator[str]:
        """A sentence about each that its job has outlived.

        Args:
            heard_ms: by job with processes that live, the newest step of any.
            ranks: jobs with the ranks that live; one that was started again in the job is not missed.
            now_ms: Unix time.
        """
        waiting, self._waiting = self._waiting, []
        for ending in waiting:
            newest_ms = heard_ms.get(ending.job)
            if newest_ms is None or (ending.rank is not None and (ending.job, ending.rank) in ranks):
                continue
            who = f"process {ending.pid}" if ending.rank is None else f"rank {ending.rank} (process {ending.pid})"
            said = f"{who} of job {ending.job} ended"
            if newest_ms - ending.heard_ms > _TRAINS_ON_MS:
                yield f"{said}; others train on"
            elif now_ms - ending.heard_ms > _WAITS_MS:
                yield f"{said}; the others make no steps since: see its output, and the kernel's log for a kill"
            else:
                self._waiting.append(ending)
