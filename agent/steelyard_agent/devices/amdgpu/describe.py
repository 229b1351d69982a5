"""Which AMD GPUs there are and who each is: facts that don't change while the driver is loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.amdgpu.binding import DeviceFiles
from steelyard_proto.errors import DeviceError

_CARD: Final = re.compile(r"card\d+")
_AMD: Final = "0x1002"
# What a PCI device id says where the board names no product. Ids that several products share are left out.
# Source: the PCI ID repository.
_NAMES: Final[Mapping[str, str]] = {
    "0x738c": "AMD Instinct MI100",
    "0x7408": "AMD Instinct MI250X",
    "0x740f": "AMD Instinct MI210",
    "0x74a0": "AMD Instinct MI300A",
    "0x74a1": "AMD Instinct MI300X",
    "0x74a5": "AMD Instinct MI325X",
}


# What current_compute_partition says of a GPU in one piece; one that can't be cut has no such file.
_WHOLE: Final = ("", "SPX")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the driver tells of a device; empty text, 0 and -1 mean unknown.

    Attributes:
        board: the board's serial number, which the GCDs of one package share.
        is_partitioned: it is cut into compute partitions, each a node of the compute driver.
    """

    uid: str
    name: str
    board: str
    pci_address: str
    numa_node: int
    memory_bytes: int
    is_partitioned: bool


def find_devices(sys: Path) -> list[DeviceFiles]:
    """The folders of all AMD GPUs, in the order of their PCI addresses; partitions' extra cards have none."""
    found: dict[str, DeviceFiles] = {}
    for card in (sys / "class/drm").glob("card*"):
        folder = card / "device"
        if _CARD.fullmatch(card.name) and _text(folder / "vendor") == _AMD:
            # A card's number may be another GPU's once the driver was loaded anew.
            folder = folder.resolve()
            found[folder.name] = DeviceFiles(folder, folder.name)
    return [found[address] for address in sorted(found)]


def identify(files: DeviceFiles, node: str) -> Identity:
    """Reads who a device is.

    Args:
        files: the device.
        node: this node's name, for the uid of a device that tells no number of its own.
    """
    folder, address = files.folder, files.address
    unique = _text(folder / "unique_id")
    device = _text(folder / "device")
    try:
        memory_bytes = files.number("mem_info_vram_total")
    except DeviceError:
        memory_bytes = 0
    return Identity(
        uid=f"GPU-{unique}" if unique.strip("0") else f"{node}-{address}",
        name=_text(folder / "product_name") or _NAMES.get(device, f"AMD GPU {device}"),
        board=_text(folder / "serial_number"),
        pci_address=address,
        numa_node=int(_text(folder / "numa_node") or -1),
        memory_bytes=memory_bytes,
        is_partitioned=_text(folder / "current_compute_partition") not in _WHOLE,
    )


def driver_version(sys: Path) -> str:
    """The driver's own version; the kernel's where the driver is part of it."""
    return _text(sys / "module/amdgpu/version") or _text(sys.parent / "proc/sys/kernel/osrelease")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
