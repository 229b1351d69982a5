"""Check `permissions`: accelerators on the bus, and the device files that their libraries open."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node


@dataclass(frozen=True, slots=True)
class Hardware:
    """How a vendor's accelerators show themselves without its library.

    Attributes:
        source: the source that reads them.
        pci_vendor: as in sysfs.
        pci_classes: prefixes of the PCI class.
        files: device files below /dev, as patterns.
        group: who may open them.
        library: how the file name of the vendor's library begins; empty where the kernel's files suffice.
    """

    source: str
    name: str
    pci_vendor: str
    pci_classes: tuple[str, ...]
    files: tuple[str, ...]
    group: str
    library: str


HARDWARE: Final = (
    Hardware(
        "nvml", "NVIDIA GPUs", "0x10de", ("0x0300", "0x0302"), ("nvidiactl", "nvidia[0-9]*"), "video", "libnvidia-ml.so"
    ),
    Hardware(
        "dcmi",
        "Ascend NPUs",
        "0x19e5",
        ("0x1200",),
        ("davinci_manager", "davinci[0-9]*", "hisi_hdc"),
        "HwHiAiUser",
        "libdcmi.so",
    ),
    # Its figures lie in sysfs, which everybody may read: no device file is opened.
    Hardware("amdgpu", "AMD GPUs", "0x1002", ("0x0300", "0x0302", "0x0380", "0x1200"), (), "", ""),
)


def check_permissions(node: Node) -> Sequence[Finding]:
    """Device files that are there and can't be opened; accelerators that have none."""
    return [finding for hardware in HARDWARE for finding in _check(hardware, node.root)]


def on_the_bus(hardware: Hardware, root: Path) -> int:
    """How many of a vendor's accelerators PCI lists."""
    return sum(
        _line(device / "vendor") == hardware.pci_vendor and _line(device / "class").startswith(hardware.pci_classes)
        for device in (root / "sys/bus/pci/devices").glob("*")
    )


def _check(hardware: Hardware, root: Path) -> Iterator[Finding]:
    count = on_the_bus(hardware, root)
    files = sorted({path for pattern in hardware.files for path in (root / "dev").glob(pattern)})
    closed = [path for path in files if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        names = ", ".join(f"/dev/{path.name}" for path in closed)
        remedy = (
            f"let the agent's user join their group (often {hardware.group}): `ls -l {names.split(',')[0]}` tells it"
        )
        yield Finding("permissions", "problem", f"can't open {names}", hardware.name, remedy)
    elif files:
        text = f"{len(files)} device files can be opened"
        yield Finding("permissions", "ok", text, hardware.name, details={"on_bus": count, "files": len(files)})
    elif count and hardware.files:
        remedy = "load the vendor's kernel driver; in a container, hand its device files in"
        yield Finding("permissions", "problem", f"{count} on the bus, without device files", hardware.name, remedy)


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
