"""Check `container`: what a container or a unit withholds from the agent."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.doctor.cgroups import DeviceRule, read_limits
from steelyard_agent.doctor.finding import Detail, Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.permissions import HARDWARE

# What the agent needs with all sources on, and a margin.
_NEEDS_BYTES: Final = 64 << 20
_NEEDS_CPU: Final = 0.02


def check_container(node: Node) -> Sequence[Finding]:
    """Whether this is a container, whether it sees the host's processes, and its limits of memory, CPU and devices."""
    kind = container_kind(node)
    findings = [
        Finding("container", "ok", f"runs in {kind}" if kind else "runs on the host itself", details={"kind": kind})
    ]
    if not sees_host_pids(node.root / "proc"):
        text = "the host's process ids can't be seen, so nobody knows who holds a device"
        remedy = "start the container with --pid=host (Kubernetes: hostPID: true)"
        findings.append(Finding("container", "warning", text, "processes", remedy))
    return [*findings, *_limits(node)]


def container_kind(node: Node) -> str:
    """docker, podman, kubernetes or another; empty on a host."""
    if "KUBERNETES_SERVICE_HOST" in node.environ:
        return "kubernetes"
    if (node.root / "run/.containerenv").exists():
        return "podman"
    if (node.root / ".dockerenv").exists():
        return "docker"
    return node.environ.get("container", "")


def _limits(node: Node) -> Iterator[Finding]:
    limits = read_limits(node.root)
    if limits is None:
        yield Finding("container", "note", "not known: no control group can be read here", "limits")
        return
    yield _limit("memory limit", limits.memory_bytes, _NEEDS_BYTES, "the agent may be killed", "allow 64 MB")
    yield _limit("CPU limit", limits.cores, _NEEDS_CPU, "ticks will be late", "allow 5 % of a core")
    if limits.device_rules is not None:
        yield from _devices(node.root, limits.device_rules)


def _devices(root: Path, rules: Sequence[DeviceRule]) -> Iterator[Finding]:
    """Device files that are there, and may not be opened whatever their modes say."""
    files = sorted({path for hardware in HARDWARE for name in hardware.files for path in (root / "dev").glob(name)})
    withheld = [path for path in files if not _is_allowed(path, rules)]
    if withheld:
        text = f"the control group withholds {', '.join(f'/dev/{path.name}' for path in withheld)}"
        remedy = "hand them in: --device (podman, docker), DeviceAllow= (a unit), a privileged container (Kubernetes)"
        yield Finding("container", "problem", text, "devices", remedy)
    elif files:
        yield Finding("container", "ok", f"{len(files)} device files may be opened", "devices")


def _is_allowed(path: Path, rules: Sequence[DeviceRule]) -> bool:
    try:
        number = path.stat().st_rdev
    except OSError:
        return True
    return any(rule.allows(os.major(number), os.minor(number)) for rule in rules)


def _limit(subject: str, value: float | None, needs: float, fear: str, remedy: str) -> Finding:
    if value is None:
        return Finding("container", "ok", "none", subject)
    text = f"{value / 1e6:.0f} MB" if subject == "memory limit" else f"{value:.3g} of a core"
    details: dict[str, Detail] = {"limit": value}
    if value < needs:
        return Finding("container", "warning", f"{text}; {fear}", subject, remedy, details)
    return Finding("container", "ok", text, subject, details=details)
