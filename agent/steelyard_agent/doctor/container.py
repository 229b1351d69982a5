"""Check `container`: what a container or a unit withholds from the agent."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.doctor.finding import Detail, Finding
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
    return [*findings, *_limits(cgroups_of(node.root))]


def container_kind(node: Node) -> str:
    """docker, podman, kubernetes or another; empty on a host."""
    if "KUBERNETES_SERVICE_HOST" in node.environ:
        return "kubernetes"
    if (node.root / "run/.containerenv").exists():
        return "podman"
    if (node.root / ".dockerenv").exists():
        return "docker"
    return node.environ.get("container", "")


def cgroups_of(root: Path) -> list[Path]:
    """The agent's own control group and those above it, whose limits hold too; none without the unified hierarchy."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    own = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), None)
    top = root / "sys/fs/cgroup"
    if own is None or not (top / "cgroup.controllers").exists():
        return []
    return [path for path in (top / own, *(top / own).parents) if path.is_relative_to(top)]


def _limits(cgroups: Sequence[Path]) -> Iterator[Finding]:
    if not cgroups:
        text = "not known: this system has no unified hierarchy of control groups"
        yield Finding("container", "note", text, "limits")
        return
    memory_bytes = min((int(words[0]) for words in _each(cgroups, "memory.max") if words[0].isdigit()), default=None)
    quotas = [words for words in _each(cgroups, "cpu.max") if len(words) == 2 and words[0].isdigit()]
    cores = min((int(quota) / int(period) for quota, period in quotas), default=None)
    yield _limit("memory limit", memory_bytes, _NEEDS_BYTES, "the agent may be killed", "allow 64 MB")
    yield _limit("CPU limit", cores, _NEEDS_CPU, "ticks will be late", "allow 5 % of a core")


def _limit(subject: str, value: float | None, needs: float, fear: str, remedy: str) -> Finding:
    if value is None:
        return Finding("container", "ok", "none", subject)
    text = f"{value / 1e6:.0f} MB" if subject == "memory limit" else f"{value:.3g} of a core"
    details: dict[str, Detail] = {"limit": value}
    if value < needs:
        return Finding("container", "warning", f"{text}; {fear}", subject, remedy, details)
    return Finding("container", "ok", text, subject, details=details)


def _each(cgroups: Sequence[Path], name: str) -> Iterator[list[str]]:
    for cgroup in cgroups:
        try:
            words = (cgroup / name).read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            continue
        if words:
            yield words
