"""The training processes that are on the fabric, learnt from what they ask."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from steelyard_agent.profiling.frames import ACTIVITIES, Request

Profiler = Literal["kineto", "npu"]

# They ask every 5 s; dynolog drops them after as long.
SILENT_S: Final = 60.0
_MOST_TRAINERS: Final = 1024


class Refused(Exception):
    """A process may not be what it says; says why."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a datagram, by the kernel's word.

    Attributes:
        pid: in the agent's pid namespace; 0 where it is in none that the agent sees.
        address: where answers go.
    """

    pid: int
    uid: int
    address: bytes | str


@dataclass(slots=True)
class Trainer:
    """A process that asks for configurations.

    Attributes:
        own_pid: as it sees itself, in its container; names its files.
        is_free: it can take a configuration now; else a profiler is at work in it.
    """

    pid: int
    uid: int
    own_pid: int
    profiler: Profiler
    first_heard_s: float
    heard_s: float
    is_free: bool = False
    step: int = 0


class Roster:
    """Who is there. Used by the fabric's thread alone."""

    def __init__(self, clock: Callable[[], float], proc: Path = Path("/proc")) -> None:
        """Args: seconds that never jump; root of procfs."""
        self._clock = clock
        self._proc = proc
        self._trainers: dict[int, Trainer] = {}

    def note(self, sender: Sender, request: Request, profiler: Profiler) -> Trainer:
        """Takes what a process asks.

        Raises:
            Refused: the sender isn't the process that it speaks for.
        """
        self.check(sender, request.pid)
        now_s = self._clock()
        trainer = self._trainers.get(sender.pid)
        if trainer is None or (trainer.own_pid, trainer.uid, trainer.profiler) != (request.pid, sender.uid, profiler):
            self.drop_silent()
            if len(self._trainers) >= _MOST_TRAINERS:
                raise Refused(f"is one process too many; {_MOST_TRAINERS} are followed on a node")
            trainer = Trainer(sender.pid, sender.uid, request.pid, profiler, now_s, now_s)
            self._trainers[sender.pid] = trainer
        trainer.heard_s = now_s
        trainer.is_free = bool(request.types & ACTIVITIES)
        return trainer

    def check(self, sender: Sender, own_pid: int) -> None:
        """Whether a process is the one that it speaks for: the kernel vouches for the sender, not for what it says.

        Raises:
            Refused: it isn't, or that can't be known.
        """
        if not sender.pid:
            raise Refused("comes from a process outside of the agent's pid namespace; run the agent in the host's")
        if own_pid != sender.pid and own_pid not in _pids_of(self._proc, sender.pid):
            raise Refused(f"of process {sender.pid} speaks for process {own_pid}")

    def get(self, pid: int) -> Trainer | None:
        """A process by the agent's number of it; None where it isn't there (any more)."""
        trainer = self._trainers.get(pid)
        if trainer is None or self._clock() - trainer.heard_s > SILENT_S:
            return None
        return trainer

    def all(self) -> Iterable[Trainer]:
        """Those that have asked lately."""
        self.drop_silent()
        return tuple(self._trainers.values())

    def drop_silent(self) -> None:
        """Forgets who hasn't asked for long."""
        now_s = self._clock()
        for pid, trainer in list(self._trainers.items()):
            if now_s - trainer.heard_s > SILENT_S:
                del self._trainers[pid]


def _pids_of(proc: Path, pid: int) -> set[int]:
    """A process's numbers in all pid namespaces that it is in."""
    try:
        descriptor = os.open(proc / str(pid) / "status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        text = os.read(descriptor, 1 << 14).decode("ascii", "replace")
    except OSError:
        return set()
    finally:
        os.close(descriptor)
    numbers = next((line for line in text.splitlines() if line.startswith("NSpid:")), "").split()[1:]
    return {int(number) for number in numbers if number.isdigit()}
