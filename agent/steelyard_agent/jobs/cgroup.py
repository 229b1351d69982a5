"""What the path of a process's cgroup tells: its container, its Kubernetes pod, its Slurm job. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_POD: Final = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_CONTAINER: Final = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.MULTILINE)
_SLURM: Final = re.compile(
    r"/(?:slurm(?:_[\w.-]+)?|(?:[\w.-]+_)?slurmstepd\.scope)/(?:[\w.-]+/)*?job_(\d+)(?:/|$)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class CgroupFacts:
    """Empty text is unknown, or none.

    Attributes:
        container: the container's id, in full.
        pod_uid: as the API server writes it.
        slurm_job: the job's number, without an array index.
    """

    container: str = ""
    pod_uid: str = ""
    slurm_job: str = ""


def parse_cgroup(text: str) -> CgroupFacts:
    """Reads /proc/PID/cgroup, of either version.

    Source: the paths of containerd, CRI-O, Docker, Podman, kubelet (both cgroup drivers) and slurmd.
    """
    pod, container, slurm = _POD.search(text), _CONTAINER.findall(text), _SLURM.search(text)
    return CgroupFacts(
        container=container[-1] if container else "",
        # systemd's names of units can't hold a hyphen.
        pod_uid=pod[1].replace("_", "-") if pod else "",
        slurm_job=slurm[1] if slurm else "",
    )
