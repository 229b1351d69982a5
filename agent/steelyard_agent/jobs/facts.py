"""What is known of a process that holds a device, and where that comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from steelyard_agent.jobs.declared import declared_in
from steelyard_agent.jobs.identity import JobIdentity, Ranks, job_of, ranks_of
from steelyard_agent.jobs.process_files import ProcessFiles, Stat

# Processes end without a word; those that weren't asked about for so many looks are forgotten. Each of two users ends a
# look.
_KEPT_LOOKS: Final = 6
# Who asks sooner again is another user at the same tick, and gets the same answer.
_SAME_TICK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process.

    Attributes:
        start_ms: Unix time.
        command: the program's name.
        container: the id of its container, in short; empty for none.
        cpu_share: cores that it used since it was last asked about; None the first time.
        switches: how often its main thread gave its CPU up, and lost it.
        read_bytes: that it made storage read.
        uid: the user's number.
        log: where its log can be read; empty for none.
        log_name: as STEELYARD_LOG names it; empty where the log is its output.
        declared: what its environment declares of the training, as lines of a datagram.
    """

    pid: int
    start_ms: int
    command: str
    user: str
    container: str
    job: JobIdentity
    ranks: Ranks
    cpu_share: float | None = None
    rss_bytes: int | None = None
    threads: int | None = None
    switches: tuple[int, int] | None = None
    read_bytes: int | None = None
    uid: int = -1
    log: str = ""
    log_name: str = ""
    declared: tuple[str, ...] = ()

    @property
    def log_is_named(self) -> bool:
        """Whether the training names its log, or it is its output."""
        return bool(self.log_name)


@runtime_checkable
class ProcessReader(Protocol):
    """Tells what is known of a process."""

    def read(self, pid: int) -> ProcessFacts | None:
        """The facts, or None where there is no such process (any more)."""
        ...

    def end_look(self) -> None:
        """Says that every process of interest was asked about."""
        ...


@dataclass(slots=True)
class _Known:
    """What doesn't change while a process lives, and its CPU time at the last look."""

    start_ticks: int
    start_ms: int
    command: str
    user: str
    container: str
    job: JobIdentity
    ranks: Ranks
    uid: int
    log: str
    log_name: str
    declared: tuple[str, ...]
    cpu_ticks: int
    at_s: float
    looks_missed: int = 0
    newest: "tuple[float, int, ProcessFacts] | None" = None


class ProcReader:
    """Reads /proc; what can't change is read once in a process's life. Used by one thread, for several users."""

    def __init__(self, files: ProcessFiles, *, node: str, clock: Callable[[], float]) -> None:
        """Args: the files, this node's name, and seconds that never jump."""
        self._files = files
        self._node = node
        self._clock = clock
        self._known: dict[int, _Known] = {}

    def read(self, pid: int) -> ProcessFacts | None:
        """The facts of a process; a pid that was given to a new process is told by its start."""
        now_s = self._clock()
        known = self._known.get(pid)
        if known is not None and known.newest is not None and now_s - known.newest[0] < _SAME_TICK_S:
            known.looks_missed = 0
            return known.newest[2]
        stat = self._files.stat(pid)
        if stat is None:
            self._known.pop(pid, None)
            return None
        cpu_share = None
        if known is None or known.start_ticks != stat.start_ticks:
            known = self._known[pid] = self._look(pid, stat, now_s)
        elif now_s > known.at_s:
            cpu_share = (stat.cpu_ticks - known.cpu_ticks) / self._files.ticks_per_s / (now_s - known.at_s)
        known.looks_missed = 0
        facts = ProcessFacts(
            pid=pid,
            start_ms=known.start_ms,
            command=known.command,
            user=known.user,
            container=known.container,
            job=known.job,
            ranks=known.ranks,
            cpu_share=cpu_share,
            rss_bytes=stat.rss_pages * self._files.page_bytes,
            threads=stat.threads,
            switches=self._files.switches(pid),
            read_bytes=self._files.read_bytes(pid),
            uid=known.uid,
            log=known.log,
            log_name=known.log_name,
            declared=known.declared,
        )
        known.newest = now_s, stat.cpu_ticks, facts
        return facts

    def end_look(self) -> None:
        """Forgets what hasn't been asked about for a while."""
        for pid, known in list(self._known.items()):
            known.looks_missed += 1
            if known.newest is not None:
                # Whoever asks between looks is told the share since the last look, and doesn't begin a new one.
                known.at_s, known.cpu_ticks, _ = known.newest
            if known.looks_missed > _KEPT_LOOKS:
                del self._known[pid]

    def _look(self, pid: int, stat: Stat, now_s: float) -> _Known:
        files = self._files
        environ, cgroup = files.environ(pid), files.cgroup(pid)
        return _Known(
            start_ticks=stat.start_ticks,
            start_ms=files.start_ms(stat),
            command=files.program(pid, stat),
            user=files.user(pid),
            container=cgroup.container[:12],
            job=job_of(environ, files.placement(stat, pid, cgroup, environ), self._node),
            ranks=ranks_of(environ),
            uid=files.uid(pid),
            log=files.log(pid, environ.get("STEELYARD_LOG", "")),
            log_name=environ.get("STEELYARD_LOG", ""),
            declared=declared_in(environ),
            cpu_ticks=stat.cpu_ticks,
            at_s=now_s,
        )
