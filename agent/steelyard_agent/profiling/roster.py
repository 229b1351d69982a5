"""The training processes that are on the fabric, learnt from what they ask."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from steelyard_agent.profiling.frames import ACTIVITIES, Request

Profiler = Literal["kineto", "npu", "npu_file"]

# In place of a process: those that read a file of the agent's ask nobody.
FILE: Final = 0

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
        asker: the process that asks for it: itself, or a helper, which asks for all ranks of its job on the node;
            FILE where none asks.
        is_free: it can take a configuration now; else a profiler is at work in it.
    """

    pid: int
    uid: int
    own_pid: int
    profiler: Profiler
    first_heard_s: float
    heard_s: float
    asker: int
    is_free: bool = False

    @property
    def has_helper(self) -> bool:
        """Whether what it is told reaches other ranks too."""
        return self.asker != self.pid


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
        asker = (sender.pid, sender.uid, profiler)
        if trainer is None or (trainer.asker, trainer.uid, trainer.profiler) != asker:
            self.drop_silent()
            if len(self._trainers) >= _MOST_TRAINERS:
                raise Refused(f"is one process too many; {_MOST_TRAINERS} are followed on a node")
            pid, own_pid = sender.pid, request.pid
            if profiler == "npu":
                pid, own_pid = self._trainer_of(sender.pid, request)
            trainer = Trainer(pid, sender.uid, own_pid, profiler, now_s, now_s, sender.pid)
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
        if own_pid != sender.pid and own_pid not in numbers_of(self._proc, sender.pid):
            raise Refused(f"of process {sender.pid} speaks for process {own_pid}")

    def note_reader(self, pid: int, uid: int) -> None:
        """Takes a process that reads the agent's file."""
        now_s = self._clock()
        known = self._trainers.get(pid)
        if known is None:
            own_pid = (numbers_of(self._proc, pid) or (pid,))[-1]
            known = Trainer(pid, uid, own_pid, "npu_file", now_s, now_s, FILE, is_free=True)
            if len(self._trainers) < _MOST_TRAINERS:
                self._trainers[pid] = known
        known.heard_s = now_s

    def _trainer_of(self, pid: int, request: Request) -> tuple[int, int]:
        """Who trains, by the agent's number and by its own: the asker, or its parent, whose helper it is.

        Source: torch_npu's dynamic profiler, whose first rank on a node forks a process that asks for all.
        """
        parent = _parent_of(self._proc, pid)
        words = _words(self._proc, pid)
        if parent and words and words == _words(self._proc, parent):
            own = request.parent_pid
            return parent, own if own in numbers_of(self._proc, parent) else parent
        return pid, request.pid

    def get(self, asker: int) -> Trainer | None:
        """A process by who asks for it; None where that isn't there (any more)."""
        trainer = self._trainers.get(asker) or next((one for one in self.all() if one.asker == asker), None)
        if trainer is None or self._clock() - trainer.heard_s > SILENT_S:
            return None
        return trainer

    def another(self, trainer: Trainer, pid: int) -> Trainer:
        """Another rank for which the same helper asks."""
        numbers = numbers_of(self._proc, pid)
        return replace(trainer, pid=pid, own_pid=numbers[-1] if numbers else pid)

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


def numbers_of(proc: Path, pid: int) -> tuple[int, ...]:
    """A process's numbers in all pid namespaces that it is in, from the agent's to its own."""
    found = _status(proc, pid, "NSpid")
    return tuple(int(number) for number in found if number.isdigit())


def _parent_of(proc: Path, pid: int) -> int:
    return next((int(number) for number in _status(proc, pid, "PPid") if number.isdigit()), 0)


def _status(proc: Path, pid: int, name: str) -> list[str]:
    text = _read(proc / str(pid) / "status").decode("ascii", "replace")
    return next((line for line in text.splitlines() if line.startswith(f"{name}:")), "").split()[1:]


def _words(proc: Path, pid: int) -> bytes:
    """A process's arguments: those of its parent as long as it has only been forked."""
    return _read(proc / str(pid) / "cmdline")


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1 << 14)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
