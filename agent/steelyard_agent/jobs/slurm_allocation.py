"""Slurm's jobs on this node and their devices: by the cgroups, the jobs' environments, and `scontrol`.

Source: slurmd's cgroup folders; SLURM_JOB_GPUS; `scontrol -d -o show job ID`, whose IDX count in gres.conf's order.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from steelyard_agent.jobs.allocation import Allocation, DeviceName
from steelyard_agent.jobs.cgroup import parse_cgroup
from steelyard_agent.jobs.hostlist import host_in, numbers_of
from steelyard_agent.jobs.identity import Placement, job_of
from steelyard_agent.jobs.process_files import ProcessFiles

log = logging.getLogger(__name__)

# Of cgroup v2, with one slurmd or several on the node, and of v1.
_FOLDERS: Final = ("system.slice/*slurmstepd.scope/*", "devices/slurm*/uid_*/job_*")
_MOST_PROCESSES: Final = 64
_TIMEOUT_S: Final = 5.0
# A controller that is away is asked again after so many looks.
_PATIENCE: Final = 10
_NODES: Final = re.compile(r"\bNodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(\S*)")
_INDICES: Final = re.compile(r"\(IDX:([0-9,-]+)\)")
_FIELD: Final = re.compile(r"\b(JobId|ArrayJobId|ArrayTaskId|JobName|UserId)=(\S+)")


class SlurmAllocations:
    """Asks about each job once: an allocation doesn't change while its job runs."""

    def __init__(
        self,
        files: ProcessFiles,
        *,
        node: str,
        cgroups: Path = Path("/sys/fs/cgroup"),
        run: Callable[[list[str]], str] | None = None,
    ) -> None:
        """Args: the processes; this node's name; root of the cgroups; what runs a command (tests give their own)."""
        self._files = files
        self._node = node
        self._cgroups = cgroups
        self._run = run or _run
        self._known: dict[str, Allocation | None] = {}
        self._failures: dict[str, int] = {}

    def look(self) -> list[Allocation]:
        """The jobs that hold devices."""
        folders = dict(self._jobs())
        for gone in self._known.keys() - folders.keys():
            del self._known[gone]
            self._failures.pop(gone, None)
        for job, folder in folders.items():
            if job not in self._known:
                self._learn(job, folder)
        return [found for found in self._known.values() if found is not None]

    def _jobs(self) -> Iterator[tuple[str, Path]]:
        for pattern in _FOLDERS:
            for folder in self._cgroups.glob(pattern):
                facts = parse_cgroup(f"0::/{folder.relative_to(self._cgroups)}")
                if job := facts.slurm_job or facts.slurm_sluid:
                    yield job, folder

    def _learn(self, job: str, folder: Path) -> None:
        found = self._by_environment(job, folder)
        if found is not None:
            self._known[job] = found
            return
        waited = self._failures.get(job, _PATIENCE)
        self._failures[job] = waited + 1
        if waited % _PATIENCE:
            return
        try:
            self._known[job] = read_job(self._run(["scontrol", "-d", "-o", "show", "job", job]), self._node)
        except (OSError, ValueError) as error:
            log.info("Slurm's job %s: its devices aren't known: %s", job, error)

    def _by_environment(self, job: str, folder: Path) -> Allocation | None:
        for pid in _pids(folder):
            environ = self._files.environ(pid)
            gpus = environ.get("SLURM_JOB_GPUS") or environ.get("SLURM_STEP_GPUS")
            if gpus:
                identity = job_of(environ, Placement(0, 0, slurm_job=job), self._node)
                devices = tuple(DeviceName(str(number)) for number in numbers_of(gpus))
                return Allocation(f"slurm {job}", identity, devices, self._files.user(pid))
        return None


def read_job(text: str, node: str) -> Allocation | None:
    """A job's allocation on one node; None where it has no devices there.

    Args:
        text: what `scontrol -d -o show job` says.
        node: the node's name.

    Raises:
        ValueError: it says nothing of a job.
    """
    fields = dict(_FIELD.findall(text))
    if "JobId" not in fields:
        raise ValueError(f"scontrol says {text[:80]!r}")
    parts = _NODES.findall(text)
    # slurmd may know this node by another name; a job on one node is on this one.
    mine = [gres for nodes, gres in parts if host_in(node, nodes)] or ([parts[0][1]] if len(parts) == 1 else [])
    indices = [number for gres in mine for span in _INDICES.findall(gres) for number in numbers_of(span)]
    if not indices:
        return None
    environ = {"SLURM_JOB_ID": fields["JobId"], "SLURM_JOB_NAME": fields.get("JobName", "")}
    if "ArrayTaskId" in fields:
        environ |= {"SLURM_ARRAY_JOB_ID": fields["ArrayJobId"], "SLURM_ARRAY_TASK_ID": fields["ArrayTaskId"]}
    user = fields.get("UserId", "").partition("(")[0]
    devices = tuple(DeviceName(str(number)) for number in indices)
    return Allocation(f"slurm {fields['JobId']}", job_of(environ, Placement(0, 0), node), devices, user)


def _pids(folder: Path) -> Iterable[int]:
    found: list[int] = []
    for path in folder.rglob("cgroup.procs"):
        try:
            found += [int(line) for line in path.read_text().split()]
        except (OSError, ValueError):
            continue
        if len(found) >= _MOST_PROCESSES:
            break
    return found[:_MOST_PROCESSES]


def _run(command: list[str]) -> str:
    # Imported here: most nodes have no Slurm.
    import shutil
    import subprocess

    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"no {command[0]} on the agent's PATH")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{command[0]} took longer than {_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise OSError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[:200]}")
    return done.stdout
