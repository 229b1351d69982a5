"""Facts of the node that the agent stands on, and the agent's own lasting identity."""

import os
from collections.abc import Mapping
from pathlib import Path

from steelyard_agent.directory import ORIGINS
from steelyard_agent.model import Origin
from steelyard_agent.network import LABEL, network_of
from steelyard_proto.errors import SpoolError
from steelyard_proto.v1 import ingest_pb2


def read_node(name: str, labels: Mapping[str, str], origin: Origin, *, root: Path = Path("/")) -> ingest_pb2.Node:
    """The node as Hello carries it; what can't be read is left empty.

    The label `network` says what connects it to others, unless the user says it.

    Source: /etc/os-release, uname, sysconf, and what `network_of` reads.

    Args:
        name: its name in the fleet.
        labels: the user's labels.
        origin: where its figures come from.
        root: root of the file system.
    """
    system = os.uname()
    network = network_of(root)
    return ingest_pb2.Node(
        name=name,
        os=_os_name(root),
        kernel=system.release,
        arch=system.machine,
        cpus=os.cpu_count() or 0,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        origin=ORIGINS[origin],
        labels={LABEL: network, **labels} if network else labels,
    )


def agent_id(state_dir: Path) -> str:
    """The agent's id, made at its first start in this directory.

    Raises:
        SpoolError: the file can't be read or written.
    """
    path = state_dir / "agent-id"
    try:
        known = path.read_text(encoding="ascii").strip() if path.exists() else ""
        if known:
            return known
        # Imported here: once in an agent's life.
        from uuid import uuid4

        new = str(uuid4())
        temporary = path.with_suffix(".new")
        temporary.write_text(new + "\n", encoding="ascii")
        os.replace(temporary, path)
    except (OSError, UnicodeDecodeError) as error:
        raise SpoolError(f"{path}: can't keep the agent's id: {error}; name another place with --state-dir") from error
    return new


def _os_name(root: Path) -> str:
    for path in (root / "etc/os-release", root / "usr/lib/os-release"):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        fields = dict(line.split("=", 1) for line in lines if "=" in line)
        return fields.get("PRETTY_NAME", fields.get("NAME", "")).strip().strip('"')
    return ""
