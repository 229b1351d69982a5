"""AMD GPUs through the files of the amdgpu driver."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from steelyard_agent.devices.amdgpu.accumulated import ENERGY_NOTE, THROTTLE_NOTE
from steelyard_agent.devices.amdgpu.binding import DeviceFiles
from steelyard_agent.devices.amdgpu.describe import Identity, driver_version, find_devices, identify
from steelyard_agent.devices.amdgpu.errors import VENDOR, driver_missing
from steelyard_agent.devices.amdgpu.kfd import KfdNode, kfd_nodes, nodes_of
from steelyard_agent.devices.amdgpu.partitions import PartitionTable, plan_partition
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

Readings = Mapping[MetricClass, tuple[Reading, ...]]

_ASLEEP: Final = Absent("the device sleeps and is not woken for a reading")
_PACKAGE_NOTE: Final = "of the whole package, told by one of its GCDs; the other has none"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device, and how it is read.

    Attributes:
        files: a partition has its GPU's.
        nodes: the compute driver's: several of a GPU that is cut.
        holders: None of a GPU that is cut: its processes are those of its partitions.
    """

    info: DeviceInfo
    files: DeviceFiles
    readings: Readings
    nodes: tuple[KfdNode, ...]
    holders: Holders | None = None


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
            known = self._still_known(identity.uid, mine)
            try:
                device = known or self._describe(files, identity, index, boards, mine)
                parts = list(self._partitions(device)) if device.holders is None else []
            except DeviceError as error:
                failure = error
                self._complaints.setdefault(str(error), error)
                files.close()
                continue
            if device is known:
                files.close()
            devices.update((one.info.uid, one) for one in (device, *parts))
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
        """The processes that have memory on a device; on a GPU that is cut, they are on its partitions."""
        holders = self._device(uid).holders
        return () if holders is None else holders.read()

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

    def _still_known(self, uid: str, nodes: tuple[KfdNode, ...]) -> KnownDevice | None:
        """A device that is known, if its GPU wasn't cut anew since the last look."""
        known = self._devices.get(uid)
        if known is None or known.nodes == nodes:
            return known
        self._forget(uid)
        return None

    def _partitions(self, gpu: KnownDevice) -> Iterator[KnownDevice]:
        """Those of a GPU that is cut."""
        table = PartitionTable(gpu.files, gpu.nodes, self._sys, self._clock)
        for number, node in enumerate(gpu.nodes):
            uid = f"{gpu.info.uid}-{number}"
            yield self._still_known(uid, (node,)) or self._describe_partition(gpu, uid, table, number)

    def _describe_partition(self, gpu: KnownDevice, uid: str, table: PartitionTable, number: int) -> KnownDevice:
        node = gpu.nodes[number]
        holders = Holders((node,), self._sys, self._proc, self._clock)
        readings = _with_holders(plan_partition(table, number, node), holders)
        metrics = _ids_of(readings)
        info = DeviceInfo(
            uid=uid,
            vendor=VENDOR,
            kind="gpu",
            name=f"{gpu.info.name} partition {number}",
            metrics=metrics,
            part="partition",
            package_uid=gpu.info.uid,
            index=gpu.info.index,
            pci_address=gpu.info.pci_address,
            numa_node=gpu.info.numa_node,
            memory_bytes=node.memory_bytes,
            driver_version=gpu.info.driver_version,
            notes=_notes(metrics["fast"], is_gcd=False),
        )
        return KnownDevice(info, gpu.files, readings, gpu.nodes[number : number + 1], holders)

    def _describe(
        self, files: DeviceFiles, identity: Identity, index: int, boards: Counter[str], nodes: tuple[KfdNode, ...]
    ) -> KnownDevice:
        if not files.is_awake():
            message = "sleeps and is not woken to be looked at; it is described once something uses it"
            raise DeviceError(message, vendor=VENDOR, device=files.address, call="power/runtime_status")
        readings = plan(files, self._clock)
        holders = Holders(nodes, self._sys, self._proc, self._clock) if len(nodes) < 2 else None
        readings = _with_holders(readings, holders) if holders is not None and nodes else readings
        metrics = _ids_of(readings)
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
        return KnownDevice(info, files, readings, nodes, holders)


def _with_holders(readings: Readings, holders: Holders) -> Readings:
    """What the compute driver tells of the processes, beside the readings of a device."""
    fast = readings["fast"]
    if holders.has_occupancy:
        fast = (*fast, Reading((CORE_OCCUPANCY,), holders.occupancy, is_aside=True))
    return {**readings, "fast": fast, "processes": (Reading((PROCESSES,), holders.count),)}


def _ids_of(readings: Readings) -> dict[MetricClass, tuple[int, ...]]:
    """The metrics of the readings, in order."""
    return {name: tuple(number for reading in group for number in reading.ids) for name, group in readings.items()}


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
