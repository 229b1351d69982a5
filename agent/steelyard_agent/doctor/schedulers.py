"""Check `schedulers`: who tells which devices a job was given."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.jobs.pod_resources import SOCKET, list_pods

_SLURM: Final = ("system.slice/*slurmstepd.scope", "devices/slurm*")
_IDLE: Final = "a job that holds devices and runs nothing on them isn't seen"


def check_schedulers(node: Node) -> Sequence[Finding]:
    """Slurm and the kubelet, where one of them is on this node; nothing where neither is."""
    if not node.config.has_allocations:
        return [Finding("schedulers", "note", f"not asked (jobs.allocations = false): {_IDLE}")]
    return [*_slurm(node), *_kubelet(node.root / SOCKET.relative_to("/"))]


def _slurm(node: Node) -> Iterator[Finding]:
    groups = node.root / "sys/fs/cgroup"
    if not any(True for pattern in _SLURM for _ in groups.glob(pattern)):
        return
    program = shutil.which("scontrol", path=node.environ.get("PATH", ""))
    if program is None:
        text = "runs here; without scontrol only jobs whose environment can be read tell their devices"
        yield Finding("schedulers", "warning", text, "Slurm", "put scontrol on the PATH of the agent's service")
    else:
        yield Finding("schedulers", "ok", f"asked with {program}", "Slurm")


def _kubelet(socket: Path) -> Iterator[Finding]:
    try:
        if not socket.exists():
            return
        if not os.access(socket, os.R_OK | os.W_OK):
            raise PermissionError(f"{socket} is not for this user")
        pods = list_pods(socket)
    except PermissionError as error:
        remedy = "run the agent as root, in a container with the socket's directory mounted"
        yield Finding("schedulers", "warning", f"{error}: {_IDLE}", "kubelet", remedy)
    except OSError as error:
        remedy = "see that the kubelet serves pod-resources (v1, since Kubernetes 1.20)"
        yield Finding("schedulers", "warning", f"{error}: {_IDLE}", "kubelet", remedy)
    else:
        yield Finding("schedulers", "ok", f"tells of {len(pods)} pods with devices", "kubelet")
