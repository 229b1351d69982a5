"""Which processes train on the CPU: nothing holds a CPU, so they are known by what they have loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.jobs.process_files import ProcessFiles

_PROGRAMS: Final = ("python", "pt_main_thread", "ray::")
_LIBRARY: Final = "libtorch_cpu"
# A process that has loaded it holds more; the list of what a process has loaded is dear to ask for.
_LEAST_BYTES: Final = 64 << 20
# torch is imported some time after the start; a process that hasn't yet is looked at ever more rarely.
_MOST_ROUNDS: Final = 30


@dataclass(slots=True)
class _Candidate:
    """A process that may train.

    Attributes:
        start_ticks: tells it from a later process with the same pid.
        is_program: its name is one that trains.
        looks: how often it was looked at without success.
        rounds: that it is to be left out before the next look.
    """

    start_ticks: int
    parent: int
    is_program: bool
    is_trainer: bool = False
    rank: str = ""
    looks: int = 0
    rounds: int = 0


class CpuTrainers:
    """Looks through /proc; each process is looked at when it is new, and again only if it may still load torch."""

    def __init__(self, files: ProcessFiles) -> None:
        """Args: the files of the processes."""
        self._files = files
        self._candidates: dict[int, _Candidate] = {}

    def find(self) -> list[int]:
        """The pids that train, by rising number: without launchers, and without the workers that load data."""
        pids = set(self._files.pids())
        for pid in self._candidates.keys() - pids:
            del self._candidates[pid]
        for pid in pids:
            self._look(pid)
        trainers = {pid: found for pid, found in self._candidates.items() if found.is_trainer}
        return sorted(pid for pid in trainers if not _is_helper(pid, trainers))

    def _look(self, pid: int) -> None:
        known = self._candidates.get(pid)
        if known is not None and (not known.is_program or known.is_trainer or not _is_due(known)):
            return
        stat = self._files.stat(pid)
        if stat is None:
            return
        if known is None or known.start_ticks != stat.start_ticks:
            is_program = stat.comm.startswith(_PROGRAMS)
            known = self._candidates[pid] = _Candidate(stat.start_ticks, stat.parent, is_program)
        if known.is_program:
            known.rounds = min(known.looks * known.looks // 8, _MOST_ROUNDS)
            known.looks += 1
            environ = self._files.environ(pid)
            known.rank = environ.get("RANK", "")
            is_large = stat.rss_pages * self._files.page_bytes >= _LEAST_BYTES
            known.is_trainer = _is_started_by_torchrun(environ) or (
                is_large and self._files.maps_contain(pid, _LIBRARY)
            )


def _is_due(known: _Candidate) -> bool:
    known.rounds -= 1
    return known.rounds < 0


def _is_started_by_torchrun(environ: Mapping[str, str]) -> bool:
    return "TORCHELASTIC_RUN_ID" in environ and "RANK" in environ


def _is_helper(pid: int, trainers: dict[int, _Candidate]) -> bool:
    """A worker has its parent's rank, or neither has one; a launcher has none, and children with one."""
    own = trainers[pid]
    parent = trainers.get(own.parent)
    if parent is not None and parent.rank == own.rank:
        return True
    return not own.rank and any(other.parent == pid and other.rank for other in trainers.values())
