"""Check `installation`: the agent's own parts and what must not lie beside them."""

import platform
from collections.abc import Sequence

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.installation import refuse_old_pynvml
from steelyard_agent.version import VERSION
from steelyard_proto.errors import ConfigError

_PARTS = ("grpcio", "protobuf", "psutil", "nvidia-ml-py")


def check_installation(node: Node) -> Sequence[Finding]:
    """Versions of the agent, Python and what it stands on; the unofficial package pynvml."""
    findings = []
    try:
        refuse_old_pynvml(node.module_paths)
    except ConfigError as error:
        findings.append(Finding("installation", "problem", str(error), "pynvml", "run what it says"))
    versions = {name: _version(name) for name in _PARTS}
    missing = [name for name, version in versions.items() if version is None]
    for name in missing:
        remedy = "install the agent with its extra: pip install 'steelyard[agent]'"
        findings.append(Finding("installation", "problem", "is not installed", name, remedy))
    parts = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    text = f"steelyard-agent {VERSION}, Python {platform.python_version()}, {parts}"
    details = {"version": VERSION, "python": platform.python_version(), **versions}
    return [*findings, Finding("installation", "ok", text, details=details)]


def _version(name: str) -> str | None:
    # Imported here: only the doctor can afford it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None
