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


@dataclass(frozen=True, slots=True)
class Identity:
    """What the driver tells of a device; empty text, 0 and -1 mean unknown.

    Attributes:
        board: the board's serial number, which the GCDs of one package share.
        kfd_id: the compute driver's number of it, 0 where it has none.
    """

    uid: str
    name: str
    board: str
    pci_address: str
    numa_node: int
    memory_bytes: int
    kfd_id: int


def find_devices(sys: Path) -> list[DeviceFiles]:
    """The folders of all AMD GPUs, in the order of their PCI addresses; partitions' extra cards have none."""
    found: dict[str, DeviceFiles] = {}
    for card in (sys / "class/drm").glob("card*"):
        folder = card / "device"
        if _CARD.fullmatch(card.name) and _text(folder / "vendor") == _AMD:
            address = folder.resolve().name
            found[address] = DeviceFiles(folder, address)
    return [found[address] for address in sorted(found)]


def identify(files: DeviceFiles, kfd: Mapping[str, int], node: str) -> Identity:
    """Reads who a device is.

    Args:
        files: the device.
        kfd: the compute driver's numbers by PCI address.
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
        kfd_id=kfd.get(address, 0),
    )


def kfd_ids(sys: Path) -> dict[str, int]:
    """The compute driver's number of each GPU, by PCI address.

    Source: /sys/class/kfd/kfd/topology/nodes/*/properties, `location_id` being bus, device and function.
    """
    ids: dict[str, int] = {}
    for node in (sys / "class/kfd/kfd/topology/nodes").glob("*"):
        number = int(_text(node / "gpu_id") or 0)
        properties = dict(line.split(" ", 1) for line in _text(node / "properties").splitlines() if " " in line)
        if number and "location_id" in properties:
            at = int(properties["location_id"])
            domain = int(properties.get("domain", 0))
            ids[f"{domain:04x}:{at >> 8 & 0xFF:02x}:{at >> 3 & 0x1F:02x}.{at & 7:x}"] = number
    return ids


def driver_version(sys: Path) -> str:
    """The driver's own version; the kernel's where the driver is part of it."""
    return _text(sys / "module/amdgpu/version") or _text(sys.parent / "proc/sys/kernel/osrelease")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
