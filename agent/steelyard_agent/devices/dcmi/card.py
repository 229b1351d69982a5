"""The devices of one card: which are NPUs, what each answers, and whose power figure counts the package."""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from steelyard_agent.devices.dcmi import slow, structs
from steelyard_agent.devices.dcmi.aside import SlowDevice
from steelyard_agent.devices.dcmi.binding import DcmiLibrary
from steelyard_agent.devices.dcmi.describe import Identity, identify
from steelyard_agent.devices.dcmi.energy import NOTE as ENERGY_NOTE
from steelyard_agent.devices.dcmi.energy import EnergyIntegral
from steelyard_agent.devices.dcmi.errors import VENDOR, out_of_range
from steelyard_agent.devices.dcmi.pci_link import link_reading
from steelyard_agent.devices.dcmi.readings import DeviceCalls, Reading, absent_power, plan
from steelyard_agent.model import DeviceInfo
from steelyard_proto.chips import ChipTable
from steelyard_proto.errors import DeviceError, DeviceLost
from steelyard_proto.metrics import MetricClass

_POWER: Final = 23
_PACKAGE_NOTE: Final = "power and energy of the whole package, counted here once; its other die has none"
_OTHER_DIE: Final = "counted once, at the package's other die"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device, how it is read at a tick and aside, and whether its power is polled."""

    info: DeviceInfo
    calls: DeviceCalls
    readings: Mapping[MetricClass, tuple[Reading, ...]]
    aside: SlowDevice
    is_polled: bool


@dataclass(frozen=True, slots=True)
class Card:
    """The devices of one card; complete where each of its NPUs could be described."""

    devices: tuple[KnownDevice, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a device is described with.

    Attributes:
        chips: the chip table.
        node: this node's name, for the uid of a device whose driver tells no die number.
        sys: root of sysfs.
        energy: the integral of a device by its uid, which outlives a loss and return.
        clock: monotonic seconds.
        complain: takes the error of a device that can't be described.
    """

    chips: ChipTable
    node: str
    sys: Path
    energy: Callable[[str], EnergyIntegral]
    clock: Callable[[], float]
    complain: Callable[[DeviceError], None]


@dataclass(frozen=True, slots=True)
class _Found:
    calls: DeviceCalls
    aside: SlowDevice
    identity: Identity
    power_w: float | None


@dataclass(frozen=True, slots=True)
class _Package:
    uid: str
    is_power_known: bool
    is_power_of_package: bool


def card_ids(library: DcmiLibrary) -> list[int]:
    """The cards of this node, by dcmi_get_card_list; where the library knows no cards, each device is one.

    Raises:
        DeviceError: the library refuses, or counts more than there can be.
    """
    name = "dcmi_get_card_list"
    count = ctypes.c_int()
    ids = (ctypes.c_int * structs.MAX_CARDS)()
    out = (ids, count) if library.is_second else (count, ids)
    library.call(name, *out, structs.MAX_CARDS)
    if not 0 <= count.value <= structs.MAX_CARDS:
        raise out_of_range(name, "", "the number of cards", count.value)
    return list(ids[: count.value])


def describe_card(library: DcmiLibrary, card: int, around: Surroundings) -> Card:
    """The NPUs of a card that answer.

    Raises:
        DeviceError: none of them does.
    """
    numbers = _npus_of(library, card)
    found: list[_Found] = []
    failure: DeviceError | None = None
    for number in numbers:
        try:
            found.append(_find(library, card, number, len(numbers), around))
        except DeviceError as error:
            failure = error
            around.complain(error)
    if failure is not None and not found:
        raise failure
    is_complete = len(found) == len(numbers)
    package = _Package(
        # Not a die's own number: that die may be the one that is missing today.
        uid=f"npu:{around.node}:{card}",
        # A die that doesn't answer can't tell whether the other one's figure counts it too.
        is_power_known=is_complete,
        is_power_of_package=sum(one.power_w is not None for one in found) == 1,
    )
    versions = library.text("dcmi_get_driver_version"), library.text("dcmi_get_dcmi_version", 32)
    return Card(tuple(_known(one, package, versions, around.sys) for one in found), is_complete)


def _find(library: DcmiLibrary, card: int, number: int, siblings: int, around: Surroundings) -> _Found:
    calls = DeviceCalls(library, card, number)
    fallback = f"npu:{around.node}:{card}:{number}"
    identity = identify(calls, chips=around.chips, siblings=siblings, fallback_uid=fallback, sys=around.sys)
    calls.energy = around.energy(identity.uid)
    return _Found(calls, _aside(DeviceCalls(library, card, number), around.clock), identity, _power_or_none(calls))


def _aside(calls: DeviceCalls, clock: Callable[[], float]) -> SlowDevice:
    shelf = slow.Shelf(clock)
    return SlowDevice(calls, slow.supported(calls, shelf), shelf, has_faults=slow.tells_faults(calls))


def _known(found: _Found, package: _Package, versions: tuple[str, str], sys: Path) -> KnownDevice:
    identity = found.identity
    is_die = identity.is_die
    has_power = found.power_w is not None
    readings = dict(plan(found.calls))
    is_without = is_die and package.is_power_known and package.is_power_of_package and not has_power
    if is_without:
        fast = tuple(reading for reading in readings["fast"] if _POWER not in reading.ids)
        readings["fast"] = (*fast, absent_power(_OTHER_DIE))
    for reading in found.aside.readings:
        readings[reading.metric_class] += (found.aside.shelf.taker(reading),)
    if (link := link_reading(sys, identity.pci_address)) is not None:
        readings["slow"] += (link,)
    metrics = {name: tuple(i for reading in group for i in reading.ids) for name, group in readings.items()}
    notes = {}
    is_polled = _POWER in metrics["fast"] and not is_without
    if is_polled:
        notes["energy_mj"] = ENERGY_NOTE
    scope = _power_scope(is_die, package, has_power)
    if scope == "package":
        notes["power_w"] = _PACKAGE_NOTE
    notes |= {name: slow.NOTE for number, name in slow.IN_WINDOWS.items() if number in metrics["fast"]}
    info = DeviceInfo(
        uid=identity.uid,
        vendor=VENDOR,
        kind="npu",
        name=identity.name,
        metrics=metrics,
        chip=identity.chip,
        part="die" if is_die else "package",
        package_uid=package.uid if is_die else "",
        index=identity.logic_id,
        pci_address=identity.pci_address,
        numa_node=identity.numa_node,
        memory_bytes=_memory_bytes(found.calls),
        driver_version=versions[0],
        library_version=versions[1],
        power_scope=scope,
        notes=notes,
    )
    return KnownDevice(info, found.calls, readings, found.aside, is_polled)


def _power_scope(is_die: bool, package: _Package, has_power: bool) -> Literal["", "device", "die", "package"]:
    if not has_power:
        return ""
    if not is_die:
        return "device"
    if not package.is_power_known:
        return ""
    return "package" if package.is_power_of_package else "die"


def _power_or_none(calls: DeviceCalls) -> float | None:
    try:
        return calls.power_w()
    except DeviceLost:
        raise
    except DeviceError:
        return None


def _memory_bytes(calls: DeviceCalls) -> int:
    try:
        calls.fill("dcmi_get_device_hbm_info", calls.hbm)
    except DeviceLost:
        raise
    except DeviceError:
        return 0
    return int(calls.hbm.memory_size) << 20


def _npus_of(library: DcmiLibrary, card: int) -> list[int]:
    if library.is_second:
        return [0]
    name = "dcmi_get_device_num_in_card"
    label = f"card {card}"
    count = ctypes.c_int()
    library.call(name, card, count, device=label)
    if not 0 <= count.value <= structs.MAX_DEVICES_IN_CARD:
        raise out_of_range(name, label, "the number of devices", count.value)
    if not library.has("dcmi_get_device_type"):
        return list(range(count.value))
    return [number for number in range(count.value) if _is_npu(library, card, number)]


def _is_npu(library: DcmiLibrary, card: int, number: int) -> bool:
    unit = ctypes.c_int()
    try:
        library.call("dcmi_get_device_type", card, number, unit, device=f"card {card} device {number}")
    except DeviceError:
        # A device that doesn't answer is still one: what is wrong with it is said where it is described.
        return True
    return unit.value == structs.UNIT_NPU
