"""Which job a process belongs to and which rank it has, from its environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Scheduler = Literal["declared", "slurm", "kubernetes", "ray", "torchrun", "mpi", "process"]

# What `steelyard-agent run` names a launch by: its process and its start.
LAUNCH: Final = "STEELYARD_LAUNCH"
# torchrun's run that wasn't given an id.
NO_RUN: Final = "none"

# What is read of an environment; nothing else is ever kept of it.
VARIABLES: Final = frozenset(
    {
        "STEELYARD_JOB",
        "STEELYARD_JOB_NAME",
        "STEELYARD_LOG",
        LAUNCH,
        "SLURM_JOB_ID",
        "SLURM_JOB_NAME",
        "SLURM_ARRAY_JOB_ID",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_PROCID",
        "SLURM_LOCALID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_JOB_GPUS",
        "SLURM_STEP_GPUS",
        "HOSTNAME",
        "KUBERNETES_OWNER_UID",
        "KUBERNETES_OWNER_NAME",
        "RAY_JOB_ID",
        "TORCHELASTIC_RUN_ID",
        "MASTER_ADDR",
        "MASTER_PORT",
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "PMI_RANK",
        "PMI_SIZE",
        "MPI_LOCALRANKID",
        "PMIX_NAMESPACE",
        "OMPI_MCA_orte_precondition_transports",
    }
)

# Rank, local rank and world size, by who sets them. Frameworks' own come first: what trains under Slurm may be
# started by torchrun, of which Slurm sees one task a node.
_SCHEMES: Final = (
    ("RANK", "LOCAL_RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_SIZE"),
    # MPICH's and Intel MPI's launcher.
    ("PMI_RANK", "MPI_LOCALRANKID", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NUM_TASKS"),
)
_MOST_RANKS: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """A job.

    Attributes:
        id: the same on every node of the job, and of no other job of the fleet.
        name: the scheduler's name of it; empty where there is none.
    """

    id: str
    scheduler: Scheduler
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ranks:
    """A process's place in its job; None is unknown."""

    rank: int | None = None
    local_rank: int | None = None
    world_size: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """What the system tells of a process where its environment doesn't.

    Attributes:
        pod_uid: of its Kubernetes pod, from the cgroup.
        slurm_job: its Slurm job, from the cgroup.
        owner_uid: of its pod's owner, from the pod's own files.
        owner_name: likewise.
        leader_pid: the leader of its session.
        leader_start_ms: Unix time that the leader started.
        launcher_pid: the torchrun that started it; 0 where there is none.
        launcher_start_ms: Unix time that that one started.
    """

    leader_pid: int
    leader_start_ms: int
    pod_uid: str = ""
    slurm_job: str = ""
    owner_uid: str = ""
    owner_name: str = ""
    launcher_pid: int = 0
    launcher_start_ms: int = 0


def job_of(environ: Mapping[str, str], placement: Placement, node: str) -> JobIdentity:
    """The job of a process: the first identity that it has, the most deliberate one first.

    Args:
        environ: of the process, as far as it can be read.
        placement: what its cgroup and its session tell.
        node: this node's name.
    """
    return (
        _declared(environ)
        or _slurm(environ, placement)
        or _kubernetes(environ, placement)
        or _ray(environ)
        or _torchrun(environ)
        or _mpi(environ)
        or _launched(environ, placement, node)
        or JobIdentity(f"{node}:{placement.leader_pid}:{placement.leader_start_ms // 1000}", "process")
    )


def ranks_of(environ: Mapping[str, str]) -> Ranks:
    """A process's ranks, all by the same scheme."""
    for scheme in _SCHEMES:
        rank, local_rank, world_size = (_number(environ.get(key, "")) for key in scheme)
        if rank is not None:
            return Ranks(rank, local_rank, world_size)
    return Ranks()


def _declared(environ: Mapping[str, str]) -> JobIdentity | None:
    job = environ.get("STEELYARD_JOB")
    return JobIdentity(job, "declared", environ.get("STEELYARD_JOB_NAME", "")) if job else None


def _slurm(environ: Mapping[str, str], placement: Placement) -> JobIdentity | None:
    name = environ.get("SLURM_JOB_NAME", "")
    array, task = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    if array and task:
        # As squeue and sacct write it.
        return JobIdentity(f"{array}_{task}", "slurm", name)
    job = environ.get("SLURM_JOB_ID") or placement.slurm_job
    return JobIdentity(job, "slurm", name) if job else None


def _kubernetes(environ: Mapping[str, str], placement: Placement) -> JobIdentity | None:
    # A pod doesn't know its owner. A manifest can hand on the label that the owner's controller writes:
    # valueFrom.fieldRef.fieldPath: metadata.labels['batch.kubernetes.io/controller-uid'].
    owner = environ.get("KUBERNETES_OWNER_UID") or placement.owner_uid or placement.pod_uid
    name = environ.get("KUBERNETES_OWNER_NAME") or placement.owner_name
    return JobIdentity(owner, "kubernetes", name) if owner else None


def _ray(environ: Mapping[str, str]) -> JobIdentity | None:
    job = environ.get("RAY_JOB_ID")
    return JobIdentity(job, "ray") if job else None


def _torchrun(environ: Mapping[str, str]) -> JobIdentity | None:
    run = environ.get("TORCHELASTIC_RUN_ID", "")
    if not run or run == NO_RUN:
        return None
    address = f"{environ.get('MASTER_ADDR', '')}:{environ.get('MASTER_PORT', '')}"
    return JobIdentity(run if address == ":" else f"{run}@{address}", "torchrun")


def _mpi(environ: Mapping[str, str]) -> JobIdentity | None:
    # One run of mpirun, which its launcher names after its own host and process: Open MPI 4 by 16 bits of their hash,
    # which a fleet soon gives again, so what it draws at random for the run is added.
    run = environ.get("PMIX_NAMESPACE", "")
    drawn = environ.get("OMPI_MCA_orte_precondition_transports", "").partition("-")[0]
    return JobIdentity(f"{run}-{drawn}" if drawn else run, "mpi") if run else None


def _launched(environ: Mapping[str, str], placement: Placement, node: str) -> JobIdentity | None:
    """By what started it on this node: torchrun, which gives each rank a session of its own, or `run`."""
    if placement.launcher_pid:
        return JobIdentity(f"{node}:{placement.launcher_pid}:{placement.launcher_start_ms // 1000}", "torchrun")
    launch = environ.get(LAUNCH)
    return JobIdentity(f"{node}:{launch}", "process") if launch else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) < _MOST_RANKS else None
