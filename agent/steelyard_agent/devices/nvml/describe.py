"""Who a device is: its name, number, address. Facts that don't change while the driver is loaded."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_proto.errors import DeviceError, DeviceLost


@dataclass(frozen=True, slots=True)
class Identity:
    """The facts of one device that a call tells; empty text and -1 mean unknown."""

    uid: str
    name: str
    pci_address: str
    numa_node: int


def identify(calls: DeviceCalls, *, sys: Path) -> Identity:
    """Asks a device who it is; from then on its uuid names it in errors.

    Args:
        calls: the device.
        sys: root of sysfs.

    Raises:
        DeviceError: it doesn't tell its uuid: an index may be another device's after a restart.
    """
    calls.label = uid = calls.text("nvmlDeviceGetUUID")
    address = _pci_address(calls)
    return Identity(uid, _name(calls), address, _numa_node(sys, address))


def _name(calls: DeviceCalls) -> str:
    try:
        return calls.text("nvmlDeviceGetName")
    except DeviceLost:
        raise
    except DeviceError:
        return ""


def _pci_address(calls: DeviceCalls) -> str:
    info = structs.PciInfo()
    try:
        calls.call("nvmlDeviceGetPciInfo_v3", ctypes.byref(info))
    except DeviceLost:
        raise
    except DeviceError:
        return ""
    # As Linux writes it: NVML's own text has a domain of eight digits, in capitals.
    return f"{info.domain & 0xFFFFFFFF:04x}:{info.bus & 0xFF:02x}:{info.device & 0x1F:02x}.0"


def _numa_node(sys: Path, address: str) -> int:
    if not address:
        return -1
    try:
        return int((sys / "bus/pci/devices" / address / "numa_node").read_text())
    except (OSError, ValueError):
        return -1
