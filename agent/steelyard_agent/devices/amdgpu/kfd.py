"""What the compute driver (kfd) tells of its nodes: each is a GPU, or one partition of a GPU."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = "class/kfd/kfd"
_FUNCTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class KfdNode:
    """One node of the topology.

    Attributes:
        gpu_id: the compute driver's number of it.
        slot: domain, bus and device of its PCI address.
        function: the address's last part; of a GPU with several nodes, the partition too.
        compute_units: 0 where it doesn't say.
        memory_bytes: its share of the GPU's memory; 0 where it doesn't say.
        render_minor: the number of its render node; 0 where it doesn't say.
    """

    gpu_id: int
    slot: str
    function: int
    compute_units: int
    memory_bytes: int
    render_minor: int = 0


def kfd_nodes(sys: Path) -> list[KfdNode]:
    """The GPUs of the topology and their partitions.

    Source: /sys/class/kfd/kfd/topology/nodes/*/properties; `location_id` is bus, device and function, to which the
    partition's number is added where a GPU has several nodes: to the function, or in the four highest bits.
    """
    found = (_node(folder) for folder in (sys / FOLDER / "topology/nodes").glob("*"))
    return [node for node in found if node is not None]


def nodes_of(nodes: Iterable[KfdNode], address: str, *, is_partitioned: bool) -> tuple[KfdNode, ...]:
    """Those of one GPU, in the order of its partitions.

    Args:
        nodes: all.
        address: the GPU's PCI address.
        is_partitioned: it is cut, so that the functions of its slot are partitions of it.
    """
    slot, _, function = address.rpartition(".")
    mine = [
        node
        for node in nodes
        if node.slot == slot and (is_partitioned or node.function % _FUNCTIONS == int(function, 16))
    ]
    return tuple(sorted(mine, key=lambda node: node.function))


def _node(folder: Path) -> KfdNode | None:
    told = _figures(folder / "properties")
    gpu_id = _number(folder / "gpu_id")
    if not gpu_id or "location_id" not in told:
        return None
    at = told["location_id"]
    per_unit = told.get("simd_per_cu", 0)
    return KfdNode(
        gpu_id=gpu_id,
        slot=f"{told.get('domain', 0):04x}:{at >> 8 & 0xFF:02x}:{at >> 3 & 0x1F:02x}",
        function=(at >> 28) * _FUNCTIONS + (at & 7),
        compute_units=told.get("simd_count", 0) // per_unit if per_unit else 0,
        memory_bytes=sum(_figures(bank).get("size_in_bytes", 0) for bank in folder.glob("mem_banks/*/properties")),
        render_minor=max(0, told.get("drm_render_minor", 0)),
    )


def _figures(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(" ") for line in lines)
    return {name: int(text) for name, _, text in pairs if text.strip().isdigit()}


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
