"""A device as the source keeps it: identity, what it answers, and its MIG instances."""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.devices.nvml.binding import NvmlLibrary
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.describe import Identity, identify
from steelyard_agent.devices.nvml.errors import NOT_FOUND, VENDOR, out_of_range
from steelyard_agent.devices.nvml.gpm import GpmSampler, start_gpm
from steelyard_agent.devices.nvml.memory import UNIFIED_NOTE, V1_NOTE, has_v2, total_bytes
from steelyard_agent.devices.nvml.processes import COMPUTE_CALL, processes_of
from steelyard_agent.devices.nvml.reading import Reading
from steelyard_agent.devices.nvml.readings import plan
from steelyard_agent.model import DeviceInfo, Value
from steelyard_proto.chips import ChipTable
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

MAX_DEVICES: Final = 256
_MAX_INSTANCES: Final = 64
_POWER: Final = 23
_GPM_NAMES: Final = ("core_active", "tensor_active", "hbm_bw_active")


@dataclass(slots=True)
class KnownDevice:
    """A device, how it is read, and whether a call about it is under way."""

    info: DeviceInfo
    calls: DeviceCalls
    readings: Mapping[MetricClass, tuple[Reading, ...]]
    parent: DeviceCalls | None = None
    gpm: GpmSampler | None = None
    is_inside: bool = False

    def close(self) -> None:
        """Gives back what it holds, unless a call that hangs may still use it."""
        if self.gpm is not None and not self.is_inside:
            self.gpm.close()


@dataclass(slots=True)
class Draft:
    """A device that is described but for its GPM, which needs 100 ms between its first two samples."""

    calls: DeviceCalls
    parent: DeviceCalls | None
    index: int
    identity: Identity
    readings: Mapping[MetricClass, tuple[Reading, ...]]
    gpm: GpmSampler | None
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a device is described with.

    Attributes:
        chips: the chip table.
        sys: root of sysfs.
        clock: monotonic seconds.
        driver_version: of the kernel's driver.
        library_version: of the library.
    """

    chips: ChipTable
    sys: Path
    clock: Callable[[], float]
    driver_version: str
    library_version: str


def handles(library: NvmlLibrary) -> Iterator[tuple[int, ctypes.c_void_p | DeviceError]]:
    """The GPUs of this node by index; one that gives no handle tells why.

    Raises:
        DeviceError: the library refuses, or counts more than there can be.
    """
    name = "nvmlDeviceGetCount_v2"
    count = ctypes.c_uint()
    library.call(name, ctypes.byref(count))
    if count.value > MAX_DEVICES:
        raise out_of_range(name, "", "the number of devices", count.value)
    for index in range(count.value):
        handle = ctypes.c_void_p()
        try:
            library.call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle), device=f"GPU {index}")
        except DeviceError as error:
            yield index, error
        else:
            yield index, handle


def instances(calls: DeviceCalls) -> list[DeviceCalls]:
    """The MIG instances of a GPU; none where it is not cut or can't be.

    Raises:
        DeviceLost: the GPU is gone.
    """
    current, pending = ctypes.c_uint(), ctypes.c_uint()
    try:
        calls.call("nvmlDeviceGetMigMode", ctypes.byref(current), ctypes.byref(pending))
        count = min(calls.unsigned("nvmlDeviceGetMaxMigDeviceCount"), _MAX_INSTANCES) if current.value else 0
    except DeviceLost:
        raise
    except DeviceError:
        return []
    found = (_instance(calls, index) for index in range(count))
    return [instance for instance in found if instance is not None]


def _instance(calls: DeviceCalls, index: int) -> DeviceCalls | None:
    handle = ctypes.c_void_p()
    try:
        calls.call("nvmlDeviceGetMigDeviceHandleByIndex", index, ctypes.byref(handle))
    except DeviceError as error:
        if error.code == NOT_FOUND:
            return None  # instances are numbered with holes
        raise
    return DeviceCalls(calls.library, handle, f"{calls.label} instance {index}", is_instance=True)


def start(calls: DeviceCalls, parent: DeviceCalls | None, index: int, around: Surroundings) -> Draft:
    """Describes a device and takes its first GPM sample.

    Raises:
        DeviceError: it doesn't tell its uuid, or went away.
    """
    gpm, reason = start_gpm(calls, parent, around.clock)
    try:
        identity = identify(calls, sys=around.sys)
        draft = Draft(calls, parent, index, identity, plan(calls), gpm)
        if gpm is None:
            draft.notes.update(dict.fromkeys(_GPM_NAMES, f"absent: {reason}"))
    except DeviceError:
        if gpm is not None:
            gpm.close()
        raise
    return draft


def finish(draft: Draft, around: Surroundings) -> KnownDevice:
    """The device, with the GPM figures that it has shown to give.

    Raises:
        DeviceLost: it went away meanwhile.
    """
    readings = dict(draft.readings)
    gpm = _settled(draft)
    if gpm is not None:
        readings["fast"] = (*readings["fast"], gpm.reading())
    if (holders := _holders(draft.calls)) is not None:
        readings["processes"] = (holders,)
    _note_memory(draft)
    identity, is_instance = draft.identity, draft.parent is not None
    chip = None if is_instance else around.chips.match(identity.name)
    metrics = {name: tuple(i for reading in group for i in reading.ids) for name, group in readings.items()}
    info = DeviceInfo(
        uid=identity.uid,
        vendor=VENDOR,
        kind="gpu",
        name=identity.name,
        metrics=metrics,
        chip=chip.name if chip else "",
        part="mig" if is_instance else "package",
        package_uid=draft.parent.label if draft.parent else "",
        index=draft.index,
        pci_address=identity.pci_address,
        numa_node=identity.numa_node,
        memory_bytes=total_bytes(draft.calls),
        driver_version=around.driver_version,
        library_version=around.library_version,
        power_scope="device" if _POWER in metrics["fast"] else "",
        notes=draft.notes,
    )
    return KnownDevice(info, draft.calls, readings, draft.parent, gpm)


def _settled(draft: Draft) -> GpmSampler | None:
    if draft.gpm is None:
        return None
    try:
        draft.gpm.settle()
    except DeviceLost:
        draft.gpm.close()
        raise
    except DeviceError as error:
        draft.gpm.close()
        draft.notes.update(dict.fromkeys(_GPM_NAMES, f"absent: {error}"))
        return None
    return draft.gpm


def _note_memory(draft: Draft) -> None:
    has_memory = any(40 in reading.ids for reading in draft.readings["fast"])
    if not has_memory:
        draft.notes["hbm_used_bytes"] = UNIFIED_NOTE
    elif not has_v2(draft.calls):
        draft.notes["hbm_used_bytes"] = V1_NOTE


def _holders(calls: DeviceCalls) -> Reading | None:
    if not calls.library.has(COMPUTE_CALL):
        return None

    def read() -> tuple[Value, ...]:
        return (float(len(processes_of(calls))),)

    try:
        read()
    except NotSupported:
        return None
    except DeviceLost:
        raise
    except DeviceError:
        pass
    return Reading((67,), read)
