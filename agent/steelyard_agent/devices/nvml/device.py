"""A device as the source keeps it: identity, what it answers, and its MIG instances."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.describe import Identity, identify
from steelyard_agent.devices.nvml.errors import VENDOR
from steelyard_agent.devices.nvml.gpm import GpmSampler, start_gpm
from steelyard_agent.devices.nvml.memory import UNIFIED_NOTE, V1_NOTE, has_v2, total_bytes
from steelyard_agent.devices.nvml.processes import COMPUTE_CALL, Holders
from steelyard_agent.devices.nvml.reading import Reading
from steelyard_agent.devices.nvml.readings import plan
from steelyard_agent.devices.nvml.recovery import recovery_reading
from steelyard_agent.devices.nvml.told import Sink
from steelyard_agent.model import DeviceInfo
from steelyard_proto.chips import ChipTable
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

# Between the two samples of GPM that show whether a device has it; a little more than the driver's refresh.
_GPM_WAIT_S: Final = 0.12
_POWER: Final = 23
_PROCESSES: Final = 67
_REMAPPED: Final = 62
_CUT_NOTE: Final = "absent: the driver does not tell it of a GPU that has MIG instances"
_GPM_NAMES: Final = ("core_active", "tensor_active", "hbm_bw_active")


@dataclass(slots=True)
class KnownDevice:
    """A device and how it is read.

    Attributes:
        info: its facts.
        calls: its handle.
        readings: what it answers.
        parent: the GPU that it is an instance of.
        gpm: the sampler of its GPM, where it has that.
        holders: its processes, where the library tells.
        is_cut: it had MIG instances when it was described.
        is_inside: a call about it is under way, and may never return.
    """

    info: DeviceInfo
    calls: DeviceCalls
    readings: Mapping[MetricClass, tuple[Reading, ...]]
    parent: DeviceCalls | None = None
    gpm: GpmSampler | None = None
    holders: Holders | None = None
    is_cut: bool = False
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
    is_cut: bool = False
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a device is described with.

    Attributes:
        chips: the chip table.
        sys: root of sysfs.
        sees_host_pids: the agent lives in the host's pid namespace.
        clock: monotonic seconds.
        driver_version: of the kernel's driver.
        library_version: of the library.
        sink: where GPUs tell what they want done with them.
    """

    chips: ChipTable
    sys: Path
    sees_host_pids: bool
    clock: Callable[[], float]
    driver_version: str
    library_version: str
    sink: Sink


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
    draft.calls.is_instance = draft.parent is not None
    if gpm is not None:
        readings["fast"] = (*readings["fast"], gpm.reading())
    recovery = recovery_reading(draft.calls, around.sink) if draft.parent is None else None
    if recovery is not None:
        readings["slow"] = (*readings["slow"], recovery)
    holders = _holders(draft.calls, around)
    if holders is not None:
        readings["processes"] = (Reading((_PROCESSES,), holders.count),)
    _note_memory(draft)
    if draft.is_cut and not any(_REMAPPED in reading.ids for reading in readings["slow"]):
        draft.notes["remapped_rows"] = _CUT_NOTE
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
    return KnownDevice(info, draft.calls, readings, draft.parent, gpm, holders, draft.is_cut)


@dataclass(slots=True)
class Seen:
    """What one look at a GPU has found.

    Attributes:
        kept: devices that are known and well.
        new: devices that were described.
        complaints: why others could not be.
    """

    kept: list[KnownDevice] = field(default_factory=list)
    new: list[KnownDevice] = field(default_factory=list)
    complaints: list[DeviceError] = field(default_factory=list)

    @property
    def devices(self) -> list[KnownDevice]:
        """All that are there."""
        return self.kept + self.new

    def close(self) -> None:
        """Gives back what only this look holds."""
        for device in self.new:
            device.close()


class Look:
    """One look at a GPU and its MIG instances."""

    def __init__(self, around: Surroundings) -> None:
        self.seen = Seen()
        self._drafts: list[Draft] = []
        self._around = around

    def start(self, calls: DeviceCalls, parent: DeviceCalls | None, index: int, *, is_cut: bool = False) -> None:
        """Begins to describe a device; raises as `start`."""
        draft = start(calls, parent, index, self._around)
        draft.is_cut = is_cut
        self._drafts.append(draft)

    def finish(self, sleep: Callable[[float], None]) -> None:
        """Describes what was begun to the end."""
        if any(draft.gpm is not None for draft in self._drafts):
            sleep(_GPM_WAIT_S)
        for draft in self._drafts:
            try:
                self.seen.new.append(finish(draft, self._around))
            except DeviceError as error:
                if draft.gpm is not None:
                    draft.gpm.close()
                self.seen.complaints.append(error)


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


def _holders(calls: DeviceCalls, around: Surroundings) -> Holders | None:
    if not calls.library.has(COMPUTE_CALL):
        return None
    holders = Holders(calls, around.clock, sees_host_pids=around.sees_host_pids)
    try:
        holders.read()
    except NotSupported:
        return None
    except DeviceLost:
        raise
    except DeviceError:
        pass
    return holders
