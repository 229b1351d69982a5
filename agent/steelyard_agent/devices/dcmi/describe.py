"""Who a device is: its name, chip, number, address. Facts that don't change while the driver is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.dcmi import structs
from steelyard_agent.devices.dcmi.binding import decode
from steelyard_agent.devices.dcmi.errors import missing_symbol
from steelyard_agent.devices.dcmi.readings import DeviceCalls
from steelyard_proto.chips import Chip, ChipTable
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported

# What the driver calls any chip of the 910 family on a 910C, and the 910A alone elsewhere.
_FAMILY_NAMES: Final = ("ascend910", "910")


@dataclass(frozen=True, slots=True)
class Identity:
    """The facts of one device that a call tells; empty text and -1 mean unknown."""

    name: str
    chip: str
    is_die: bool
    uid: str
    logic_id: int
    pci_address: str
    numa_node: int


def identify(calls: DeviceCalls, *, chips: ChipTable, siblings: int, fallback_uid: str, sys: Path) -> Identity:
    """Asks a device who it is.

    Args:
        calls: the device.
        chips: the table that its name is looked up in.
        siblings: NPUs on its card, itself included.
        fallback_uid: taken where the driver tells no die number.
        sys: root of sysfs.

    Raises:
        DeviceError: it doesn't even tell its name.
    """
    names = driver_names(calls)
    chip, is_die = match_chip(names, chips, siblings)
    address = _pci_address(calls)
    return Identity(
        name=names[0],
        chip=chip.name if chip else "",
        is_die=is_die,
        uid=_die_number(calls) or fallback_uid,
        logic_id=_logic_id(calls),
        pci_address=address,
        numa_node=_numa_node(sys, address),
    )


def driver_names(calls: DeviceCalls) -> tuple[str, ...]:
    """The driver's names of a chip, the most telling first.

    Source: dcmi_get_device_chip_info_v2, else dcmi_get_device_chip_info.
    """
    info = structs.ChipInfoV2()
    try:
        calls.fill("dcmi_get_device_chip_info_v2", info)
    except NotSupported:
        calls.fill("dcmi_get_device_chip_info", info)
    kind, name, full = decode(info.chip_type), decode(info.chip_name), decode(info.npu_name)
    if not (full or name):
        raise missing_symbol("dcmi_get_device_chip_info", calls.label)
    joined = name if name.lower().startswith(kind.lower()) else kind + name
    return tuple(text for text in (full, joined, name) if text)


def match_chip(names: tuple[str, ...], chips: ChipTable, siblings: int) -> tuple[Chip | None, bool]:
    """The chip of a device and whether the device is a die of a package.

    A 910C's driver may say no more than "Ascend910", which alone means the 910A. Two devices on a card tell them
    apart; which 910C it is stays unknown then, for a wrong peak is worse than none.
    """
    for name in names:
        if siblings > 1 and name.lower() in _FAMILY_NAMES:
            continue
        chip = chips.match(name)
        if chip is not None:
            return chip, chip.per == "die" and siblings > 1
    is_family = any(name.lower() in _FAMILY_NAMES for name in names)
    return None, is_family and siblings > 1


def _die_number(calls: DeviceCalls) -> str:
    """The number that is burnt into the die, in the groups that npu-smi prints."""
    die = structs.DieId()
    kind = structs.DIE_DDIE if calls.is_second else structs.DIE_VDIE
    try:
        calls.fill("dcmi_get_device_die_v2", kind, die)
    except DeviceLost:
        raise
    except DeviceError:
        return ""
    words = list(die.soc_die)
    return "NPU-" + "-".join(f"{word:08X}" for word in words) if any(words) else ""


def _logic_id(calls: DeviceCalls) -> int:
    try:
        return calls.logic_id()
    except NotSupported:
        return 0


def _pci_address(calls: DeviceCalls) -> str:
    info = structs.PcieInfo()
    try:
        calls.fill("dcmi_get_device_pcie_info_v2", info)
    except DeviceLost:
        raise
    except DeviceError:
        return ""
    return f"{info.domain & 0xFFFF:04x}:{info.bus & 0xFF:02x}:{info.slot & 0x1F:02x}.{info.function & 7:x}"


def _numa_node(sys: Path, address: str) -> int:
    if not address:
        return -1
    try:
        return int((sys / "bus/pci/devices" / address / "numa_node").read_text())
    except (OSError, ValueError):
        return -1
