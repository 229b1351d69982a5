"""AMD GPUs through the files of the amdgpu driver."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from steelyard_agent.devices.amdgpu.accumulated import ENERGY_NOTE, THROTTLE_NOTE
from steelyard_agent.devices.amdgpu.binding import DeviceFiles
from steelyard_agent.devices.amdgpu.describe import Identity, driver_version, find_devices, identify
from steelyard_agent.devices.amdgpu.errors import VENDOR, driver_missing
from steelyard_agent.devices.amdgpu.kfd import KfdNode, kfd_nodes, nodes_of
from steelyard_agent.devices.amdgpu.processes import OCCUPANCY_NOTE, Holders
from steelyard_agent.devices.amdgpu.readings import (
    CORE_OCCUPANCY,
    ENERGY,
    POWER,
    PROCESSES,
    THROTTLE_POWER,
    Reading,
    plan,
)
from steelyard_agent.devices.base import Capabilities
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.chips import ChipTable, load_chips
from steelyard_proto.errors import DeviceError, DeviceLost
from steelyard_proto.metrics import MetricClass

_ASLEEP: Final = Absent("the device sleeps and is not woken for a reading")
_PACKAGE_NOTE: Final = "of the whole package, told by one of its GCDs; the other has none"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device, and how it is read."""

    info: DeviceInfo
    files: DeviceFiles
    readings: Mapping[MetricClass, tuple[Reading, ...]]
    holders: Holders


class AmdgpuSource:
    """The AMD GPUs of this node; see devices/base.py for what each method promises."""

    def __init__(
        self,
        *,
        chips: ChipTable | None = None,
        node: str = "",
        clock: Callable[[], float] = time.monotonic,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
    ) -> None:
        """Opens nothing yet.

        Args:
            chips: the chip table; the shipped one by default.
            node: this node's name, for the uid of a device that tells no number of its own.
            clock: monotonic seconds.
            proc: root of procfs.
            sys: root of sysfs.
        """
        self._chips = chips if chips is not None else load_chips()
        self._node = node
        self._clock = clock
        self._proc = proc
        self._sys = sys
        self._devices: dict[str, KnownDevice] = {}
        self._complaints: dict[str, DeviceError] = {}

    @property
    def name(self) -> str:
        """The registry's name."""
        return "amdgpu"

    @property
    def capabilities(self) -> Capabilities:
        """The driver counts energy by itself: no polling. Processes are told."""
        return Capabilities(has_processes=True)

    @property
    def complaints(self) -> Sequence[DeviceError]:
        """Why devices that are there could not be described, each fault once."""
        return tuple(self._complaints.values())

    def discover(self) -> Sequence[DeviceInfo]:
        """Lists the GPUs; one that is known and still there keeps its accumulators.

        Raises:
            LibraryMissing: no amdgpu driver.
            DeviceError: no device of any could be read.
        """
        if not (self._sys / "module/amdgpu").is_dir():
            raise driver_missing(str(self._sys))
        nodes = kfd_nodes(self._sys)
        found = [(files, identify(files, self._node)) for files in find_devices(self._sys)]
        boards = Counter(identity.board for _, identity in found if identity.board)
        devices: dict[str, KnownDevice] = {}
        failure: DeviceError | None = None
        for index, (files, identity) in enumerate(found):
            mine = nodes_of(nodes, identity.pci_address, is_partitioned=identity.is_partitioned)
            known = self._devices.get(identity.uid)
            if known is not None and known.holders.nodes != mine:
                # It was cut anew since the last look.
                self._forget(identity.uid)
                known = None
            try:
                device = known or self._describe(files, identity, index, boards, mine)
            except DeviceError as error:
                failure = error
                self._complaints.setdefault(str(error), error)
                files.close()
                continue
            if device is known:
                files.close()
            devices[identity.uid] = device
        for uid in self._devices.keys() - devices.keys():
            self._devices[uid].files.close()
        self._devices = devices
        if failure is not None and not devices:
            raise failure
        return [device.info for device in devices.values()]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading of all metrics of a class; see `readings` for the files."""
        device = self._device(uid)
        if not device.files.folder.exists():
            self._forget(uid)
            raise DeviceLost("its folder is gone", vendor=VENDOR, device=uid, call="discover")
        readings = device.readings.get(metric_class, ())
        if not device.files.is_awake():
            return tuple(_ASLEEP for reading in readings for _ in reading.ids)
        values: list[Value] = []
        failures: list[DeviceError] = []
        for reading in readings:
            try:
                values.extend(reading.read())
            except DeviceLost:
                self._forget(uid)
                raise
            except DeviceError as error:
                failures.append(error)
                values.extend((Absent(f"{error.call} failed"),) * len(reading.ids))
        if failures and len(failures) == sum(not reading.is_aside for reading in readings):
            raise failures[0]
        return values

    def poll(self, uid: str) -> None:
        """Nothing: see `capabilities`."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """The processes that have memory on a device."""
        return self._device(uid).holders.read()

    def close(self) -> None:
        """Closes the files."""
        for uid in list(self._devices):
            self._forget(uid)

    def _device(self, uid: str) -> KnownDevice:
        device = self._devices.get(uid)
        if device is None:
            raise DeviceLost("is not on this node", vendor=VENDOR, device=uid, call="discover")
        return device

    def _forget(self, uid: str) -> None:
        self._devices.pop(uid).files.close()

    def _describe(
        self, files: DeviceFiles, identity: Identity, index: int, boards: Counter[str], nodes: tuple[KfdNode, ...]
    ) -> KnownDevice:
        if not files.is_awake():
            message = "sleeps and is not woken to be looked at; it is described once something uses it"
            raise DeviceError(message, vendor=VENDOR, device=files.address, call="power/runtime_status")
        readings = dict(plan(files, self._clock))
        holders = Holders(nodes, self._sys, self._proc, self._clock)
        if nodes:
            readings["processes"] = (Reading((PROCESSES,), holders.count),)
        if holders.has_occupancy:
            readings["fast"] = (*readings["fast"], Reading((CORE_OCCUPANCY,), holders.occupancy, is_aside=True))
        metrics = {name: tuple(i for reading in group for i in reading.ids) for name, group in readings.items()}
        chip = self._chips.match(identity.name)
        is_gcd = chip is not None and chip.per == "gcd"
        info = DeviceInfo(
            uid=identity.uid,
            vendor=VENDOR,
            kind="gpu",
            name=identity.name,
            metrics=metrics,
            chip=chip.name if chip is not None else "",
            part="gcd" if is_gcd else "package",
            package_uid=f"board-{identity.board}" if is_gcd and boards[identity.board] > 1 else "",
            index=index,
            pci_address=identity.pci_address,
            numa_node=identity.numa_node,
            memory_bytes=identity.memory_bytes,
            driver_version=driver_version(self._sys),
            power_scope=_power_scope(metrics["fast"], is_gcd=is_gcd),
            notes=_notes(metrics["fast"], is_gcd=is_gcd),
        )
        return KnownDevice(info, files, readings, holders)


def _power_scope(fast: tuple[int, ...], *, is_gcd: bool) -> Literal["", "device", "package"]:
    if POWER not in fast:
        return ""
    return "package" if is_gcd else "device"


def _notes(fast: tuple[int, ...], *, is_gcd: bool) -> dict[str, str]:
    notes: dict[str, str] = {}
    if ENERGY in fast:
        notes["energy_mj"] = ENERGY_NOTE
    if THROTTLE_POWER in fast:
        notes |= dict.fromkeys(("throttle_power_ns", "throttle_thermal_ns", "throttle_hw_ns"), THROTTLE_NOTE)
    if is_gcd and POWER in fast:
        notes["power_w"] = _PACKAGE_NOTE
    if CORE_OCCUPANCY in fast:
        notes["core_occupancy"] = OCCUPANCY_NOTE
    return notes
