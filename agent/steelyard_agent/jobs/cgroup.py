"""What the path of a process's cgroup tells: its container, its Kubernetes pod, its Slurm job. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_POD: Final = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_CONTAINER: Final = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.MULTILINE)
_SLURM: Final = re.compile(
    r"/(?:slurm(?:_[\w.-]+)?|(?:[\w.-]+_)?slurmstepd\.scope)/(?:[\w.-]+/)*?job_(\d+)(?:/|$)", re.MULTILINE
)

# From 26.05 on a job's folder may be called by its SLUID: s and 13 signs of base 32.
_SLUID: Final = re.compile(r"/(?:[\w.-]+_)?slurmstepd\.scope/(?:job_)?(s[0-9A-HJKMNP-TV-Z]{13})(?:/|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CgroupFacts:
    """Empty text is unknown, or none.

    Attributes:
        container: the container's id, in full.
        pod_uid: as the API server writes it.
        slurm_job: the job's number, without an array index.
        slurm_sluid: its other name, where the path has that one.
    """

    container: str = ""
    pod_uid: str = ""
    slurm_job: str = ""
    slurm_sluid: str = ""


def parse_cgroup(text: str) -> CgroupFacts:
    """Reads /proc/PID/cgroup, of either version.

    Source: the paths of containerd, CRI-O, Docker, Podman, kubelet (both cgroup drivers) and slurmd.
    """
    pod, container = _POD.search(text), _CONTAINER.findall(text)
    slurm, sluid = _SLURM.search(text), _SLUID.search(text)
    return CgroupFacts(
        container=container[-1] if container else "",
        # systemd's names of units can't hold a hyphen.
        pod_uid=pod[1].replace("_", "-") if pod else "",
        slurm_job=slurm[1] if slurm else "",
        slurm_sluid=sluid[1] if sluid else "",
    )
