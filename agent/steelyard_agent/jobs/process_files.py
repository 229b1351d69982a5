"""Reads a process's files under /proc."""

import os
import pwd
import re
import stat as file_stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.jobs.cgroup import CgroupFacts, parse_cgroup
from steelyard_agent.jobs.declared import DECLARATIONS, RUN
from steelyard_agent.jobs.identity import NO_RUN, VARIABLES, Placement

# An environment may be as large as the kernel's limit of arguments; what is wanted stands early or not at all.
_MOST_ENVIRON_BYTES: Final = 1 << 20
# Of a process that maps thousands of files; libraries stand in it by their addresses, in no order of ours.
_MOST_MAPS_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 1 << 14
_WANTED: Final = VARIABLES | DECLARATIONS.keys() | {RUN}
_LABEL: Final = re.compile(r'^([\w./-]+)="([^"\\]*)"$', re.MULTILINE)
# A rank's own processes, such as its data loader's workers, stand so deep below it.
_MOST_ANCESTORS: Final = 8
# First those that it wanted, then the others.
_SWITCHES: Final = re.compile(r"^(?:non)?voluntary_ctxt_switches:\s*(\d+)$", re.MULTILINE)
_READ_BYTES: Final = re.compile(r"^read_bytes: (\d+)$", re.MULTILINE)
_OWNER_UIDS: Final = ("batch.kubernetes.io/controller-uid", "controller-uid")
_OWNER_NAMES: Final = (
    "batch.kubernetes.io/job-name",
    "job-name",
    "training.kubeflow.org/job-name",
    "ray.io/cluster",
    "volcano.sh/job-name",
)


@dataclass(frozen=True, slots=True)
class Stat:
    """What is used of /proc/PID/stat.

    Attributes:
        comm: the program's name, which the process may change.
        start_ticks: after the machine's start.
        cpu_ticks: user and system time of all threads.
    """

    comm: str
    parent: int
    session: int
    cpu_ticks: int
    threads: int
    start_ticks: int
    rss_pages: int


class ProcessFiles:
    """The files of all processes below one root; what can't be read is None or empty."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        *,
        ticks_per_s: int = os.sysconf("SC_CLK_TCK"),
        page_bytes: int = os.sysconf("SC_PAGE_SIZE"),
        user_name: Callable[[int], str] = lambda uid: pwd.getpwuid(uid).pw_name,
    ) -> None:
        """Reads when the machine was started, once: the kernel's own figure moves with the clock.

        Args:
            proc: root of procfs.
            ticks_per_s: of the kernel's times.
            page_bytes: size of a page of memory.
            user_name: a user's name by number; raises KeyError where there is none.
        """
        self.proc = proc
        self.ticks_per_s = ticks_per_s
        self.page_bytes = page_bytes
        self._user_name = user_name
        self._boot_ms = _boot_ms(proc)

    def pids(self) -> list[int]:
        """All processes."""
        try:
            return [int(name) for name in os.listdir(self.proc) if name.isdigit()]
        except OSError:
            return []

    def stat(self, pid: int) -> Stat | None:
        """/proc/PID/stat."""
        text = self._text(pid, "stat", 4096)
        # The name stands in parentheses and may hold any character, also these.
        head, _, tail = text.rpartition(")")
        fields = tail.split()
        if len(fields) < 22 or "(" not in head:
            return None
        return Stat(
            comm=head.partition("(")[2],
            parent=int(fields[1]),
            session=int(fields[3]),
            cpu_ticks=int(fields[11]) + int(fields[12]),
            threads=int(fields[17]),
            start_ticks=int(fields[19]),
            rss_pages=int(fields[21]),
        )

    def switches(self, pid: int) -> tuple[int, int] | None:
        """How often the main thread gave its CPU up, and lost it, by /proc/PID/status."""
        found = _SWITCHES.findall(self._text(pid, "status", 8192))
        return (int(found[0]), int(found[1])) if len(found) == 2 else None

    def read_bytes(self, pid: int) -> int | None:
        """What it made storage read, by /proc/PID/io; only of processes that the agent may look into."""
        found = _READ_BYTES.search(self._text(pid, "io", 4096))
        return int(found[1]) if found else None

    def start_ms(self, stat: Stat) -> int:
        """Unix time that a process started, the same at each reading."""
        return self._boot_ms + stat.start_ticks * 1000 // self.ticks_per_s

    def environ(self, pid: int) -> Mapping[str, str]:
        """The variables of interest that the process was started with; empty for another user's process."""
        found = {}
        for entry in self._text(pid, "environ", _MOST_ENVIRON_BYTES).split("\0"):
            key, _, value = entry.partition("=")
            if key in _WANTED and value:
                found[key] = value[:256]
        return found

    def program(self, pid: int, stat: Stat) -> str:
        """The program's name, without its path and its arguments."""
        first = self._text(pid, "cmdline", 4096).split("\0")[0]
        # Daemons write their state over their arguments; only a word can be a program.
        name = os.path.basename(first)
        return name if name and " " not in name else stat.comm

    def cgroup(self, pid: int) -> CgroupFacts:
        """Container, pod and Slurm job."""
        return parse_cgroup(self._text(pid, "cgroup", 1 << 16))

    def placement(self, stat: Stat, pid: int, cgroup: CgroupFacts, environ: Mapping[str, str]) -> Placement:
        """What tells a job where the environment alone doesn't."""
        leader = self.stat(stat.session)
        # The leader may have ended, or not be in this pid namespace: then the process speaks for itself.
        first, first_ms = (pid, self.start_ms(stat)) if leader is None else (stat.session, self.start_ms(leader))
        owner_uid, owner_name = self._owner(pid) if cgroup.pod_uid else ("", "")
        # Only the scheduler knows a job's number by its SLUID; that one is as good a name.
        slurm_job = cgroup.slurm_job or cgroup.slurm_sluid
        launcher, launcher_ms = self._torchrun(stat) if environ.get("TORCHELASTIC_RUN_ID") == NO_RUN else (0, 0)
        return Placement(first, first_ms, cgroup.pod_uid, slurm_job, owner_uid, owner_name, launcher, launcher_ms)

    def _torchrun(self, stat: Stat) -> tuple[int, int]:
        """The nearest ancestor that wasn't itself started by torchrun, and its start; 0 where it has ended."""
        for _ in range(_MOST_ANCESTORS):
            pid = stat.parent
            ancestor = self.stat(pid) if pid > 1 else None
            if ancestor is None:
                break
            if "TORCHELASTIC_RUN_ID" not in self.environ(pid):
                return pid, self.start_ms(ancestor)
            stat = ancestor
        return 0, 0

    def _owner(self, pid: int) -> tuple[str, str]:
        """What the owner's controller has written to the pod's labels, where the pod mounts them as files.

        Source: a volume of the downward API at /etc/podinfo, with metadata.labels.
        """
        labels = dict(_LABEL.findall(self._text(pid, "root/etc/podinfo/labels", 1 << 16)))
        uid = next((labels[key] for key in _OWNER_UIDS if key in labels), "")
        return uid, next((labels[key] for key in _OWNER_NAMES if key in labels), "")

    def user(self, pid: int) -> str:
        """The user's name, or number where it has none here."""
        try:
            uid = os.stat(self.proc / str(pid)).st_uid
        except OSError:
            return ""
        try:
            return self._user_name(uid)
        except KeyError:
            return str(uid)

    def log(self, pid: int, named: str) -> str:
        """Where the process's log can be read: the one that it names, else its output where that is a file."""
        folder = self.proc / str(pid)
        if named:
            # As the process sees it, which may be in a container.
            return f"{folder}/root{named}" if named.startswith("/") else f"{folder}/cwd/{named}"
        for descriptor in (1, 2):
            path = f"{folder}/fd/{descriptor}"
            try:
                if file_stat.S_ISREG(os.stat(path).st_mode):
                    return path
            except OSError:
                continue
        return ""

    def uid(self, pid: int) -> int:
        """The user's number; -1 where the process has ended."""
        try:
            return os.stat(self.proc / str(pid)).st_uid
        except OSError:
            return -1

    def maps_contain(self, pid: int, word: str) -> bool:
        """Whether a library with the word in its path is loaded."""
        wanted, before = word.encode(), b""
        for part in self._parts(pid, "maps", _MOST_MAPS_BYTES):
            if wanted in before + part:
                return True
            before = part[-len(wanted) :]
        return False

    def _text(self, pid: int, name: str, limit_bytes: int) -> str:
        return b"".join(self._parts(pid, name, limit_bytes)).decode("utf-8", "replace")

    def _parts(self, pid: int, name: str, limit_bytes: int) -> Iterator[bytes]:
        # Plain calls: a Path and a file object cost three times what the kernel does.
        try:
            descriptor = os.open(f"{self.proc}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            while limit_bytes > 0 and (part := os.read(descriptor, min(limit_bytes, _CHUNK_BYTES))):
                yield part
                limit_bytes -= len(part)
        except OSError:
            return
        finally:
            os.close(descriptor)


def _boot_ms(proc: Path) -> int:
    try:
        for line in (proc / "stat").read_text().splitlines():
            if line.startswith("btime "):
                return int(line.split()[1]) * 1000
    except (OSError, ValueError):
        return 0
    return 0
