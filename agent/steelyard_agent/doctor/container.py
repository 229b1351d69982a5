"""Check `container`: what a container or a unit withholds from the agent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node

# What the agent needs with all sources on, and a margin.
_NEEDS_BYTES: Final = 64 << 20
_NEEDS_CPU: Final = 0.02


def check_container(node: Node) -> Sequence[Finding]:
    """Whether this is a container, whether it sees the host's processes, and its limits of memory and CPU."""
    kind = container_kind(node)
    findings = [
        Finding("container", "ok", f"runs in {kind}" if kind else "runs on the host itself", details={"kind": kind})
    ]
    if not sees_host_pids(node.root / "proc"):
        text = "the host's process ids can't be seen, so nobody knows who holds a device"
        remedy = "start the container with --pid=host (Kubernetes: hostPID: true)"
        findings.append(Finding("container", "warning", text, "processes", remedy))
    return [*findings, *_limits(cgroup_of(node.root))]


def container_kind(node: Node) -> str:
    """docker, podman, kubernetes or another; empty on a host."""
    if "KUBERNETES_SERVICE_HOST" in node.environ:
        return "kubernetes"
    if (node.root / "run/.containerenv").exists():
        return "podman"
    if (node.root / ".dockerenv").exists():
        return "docker"
    return node.environ.get("container", "")


def cgroup_of(root: Path) -> Path | None:
    """The directory of the agent's own control group; None without the unified hierarchy."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    return None if own is None else root / "sys/fs/cgroup" / own.lstrip("/")


def _limits(cgroup: Path | None) -> list[Finding]:
    if cgroup is None:
        return []
    findings = []
    memory = _words(cgroup / "memory.max")
    if memory and memory[0].isdigit() and int(memory[0]) < _NEEDS_BYTES:
        text = f"is {int(memory[0]) / 1e6:.0f} MB; the agent may be killed"
        findings.append(Finding("container", "warning", text, "memory limit", "allow 64 MB"))
    quota = _words(cgroup / "cpu.max")
    if len(quota) == 2 and quota[0].isdigit() and int(quota[0]) / int(quota[1]) < _NEEDS_CPU:
        text = f"is {int(quota[0]) / int(quota[1]):.3f} of a core; ticks will be late"
        findings.append(Finding("container", "warning", text, "CPU limit", "allow 5 % of a core"))
    return findings


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
