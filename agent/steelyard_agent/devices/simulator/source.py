"""Simulated devices as a source like any other: the daemon samples them as it would real ones."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.simulator.device import SimulatedDevice
from steelyard_agent.devices.simulator.faults import Fault, FaultKind, active, ecc_errors
from steelyard_agent.devices.simulator.profile import VENDORS, Profile, profile_of, without_power
from steelyard_agent.devices.simulator.workload import Workload
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.chips import Chip, ChipTable, load_chips
from steelyard_proto.errors import ConfigError, DeviceLost
from steelyard_proto.metrics import Catalogue, MetricClass, catalogue

VENDOR: Final = "simulator"
_FIRST_PID: Final = 20_000
_GROUP: Final = re.compile(r"(?:(\d{1,4})x)?(\S+)")
_MOST_DEVICES: Final = 1024


@dataclass(frozen=True, slots=True)
class SimulatedGroup:
    """Devices of one chip on one node, all of them in the same job.

    Attributes:
        chip: its name in the chip table.
        count: how many devices; dies where a device is a die.
        workload: the job; None for devices at rest.
        faults: of these devices, by their index on the node.
    """

    chip: str
    count: int
    workload: Workload | None = field(default_factory=Workload)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Member:
    info: DeviceInfo
    names: Mapping[MetricClass, tuple[str, ...]]
    device: SimulatedDevice
    group: SimulatedGroup


class SimulatorSource:
    """The simulated devices of one node; see devices/base.py for what each method promises."""

    def __init__(
        self,
        groups: Sequence[SimulatedGroup],
        *,
        node: str,
        seed: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        zero_s: float | None = None,
        start_ms: int = 0,
        chips: ChipTable | None = None,
        metrics: Catalogue | None = None,
    ) -> None:
        """Makes the devices.

        Args:
            groups: what there is.
            node: the node's name; part of the devices' uids.
            seed: the same seed and the same times give the same figures.
            clock: seconds that never jump.
            sleep: what a call to a hung device does.
            zero_s: when the simulation's clock begins, so that nodes can share it; now by default.
            start_ms: Unix time at which the processes were started.
            chips: the chip table; the shipped one by default.
            metrics: the catalogue; the shipped one by default.

        Raises:
            ConfigError: the table has no such chip, or it is none of a vendor that can be simulated.
        """
        self._node = node
        self._start_ms = start_ms
        self._seed = seed
        self._clock = clock
        self._sleep = sleep
        self._zero_s = clock() if zero_s is None else zero_s
        self._members: dict[str, _Member] = {}
        table, known = chips or load_chips(), metrics or catalogue()
        for group in groups:
            self._add(group, profile_of(find_chip(table, group.chip), known), known)

    @property
    def name(self) -> str:
        """The registry's name."""
        return "simulate"

    @property
    def capabilities(self) -> Capabilities:
        """Processes are told."""
        return Capabilities(has_processes=True)

    def discover(self) -> Sequence[DeviceInfo]:
        """The devices that are on the bus."""
        return [member.info for member in self._members.values() if "lost" not in self.faults_of(member.info.uid)]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading; a hung device keeps the caller until it is well again."""
        member = self._members.get(uid)
        faults = self.faults_of(uid)
        if member is None or "lost" in faults:
            raise DeviceLost("is off the bus", vendor=VENDOR, device=uid, call="sample")
        if "hung" in faults:
            self._sleep(max(0.0, faults["hung"].to_s - self.now_s()))
        if metric_class == "fast":
            member.device.advance(self.now_s(), member.group.workload, self.faults_of(uid))
        errors = ecc_errors(member.group.faults, member.info.index, self.now_s())
        readings = {**member.device.readings(), "ecc_uncorrected": errors, "ecc_uncorrected_hbm": errors}
        return [readings[name] for name in member.names[metric_class]]

    def poll(self, uid: str) -> None:
        """Nothing: the energy comes with the samples."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """One process on each device that has work, with a pid that no process of this machine need have."""
        member = self._members.get(uid)
        if member is None:
            raise DeviceLost("is off the bus", vendor=VENDOR, device=uid, call="processes")
        workload, at_s = member.group.workload, self.now_s()
        if workload is None or not workload.from_s <= at_s < workload.to_s:
            return []
        return [DeviceProcess(pid_of(member.info.index), member.device.hbm_used_bytes)]

    def read(self, pid: int) -> ProcessFacts | None:
        """What would be known of the process on a device: all of the node is one job."""
        index = index_of_pid(pid)
        if not 0 <= index < len(self._members):
            return None
        return ProcessFacts(
            pid=pid,
            start_ms=self._start_ms,
            command="python3",
            user="",
            container="",
            job=JobIdentity(f"simulated:{self._node}", "declared", "simulated"),
            ranks=Ranks(index, index, len(self._members)),
        )

    def end_look(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing to give back."""

    def all_devices(self) -> list[DeviceInfo]:
        """The devices, those that are off the bus as well."""
        return [member.info for member in self._members.values()]

    def running_share(self) -> float:
        """Share of the devices that worked at their last sample."""
        running = sum(member.device.is_running for member in self._members.values())
        return running / max(1, len(self._members))

    def now_s(self) -> float:
        """The simulation's clock."""
        return self._clock() - self._zero_s

    def faults_of(self, uid: str) -> dict[FaultKind, Fault]:
        """What is wrong with a device now."""
        member = self._members.get(uid)
        return active(member.group.faults, member.info.index, self.now_s()) if member is not None else {}

    def _add(self, group: SimulatedGroup, profile: Profile, known: Catalogue) -> None:
        dies = profile.chip.dies
        for _ in range(group.count):
            index = len(self._members)
            # A package's power stands on its first die alone, as a 910C's driver shows it.
            is_first_die = index % dies == 0
            names = profile.metrics if is_first_die else without_power(profile)
            uid = uid_of(self._node, index)
            info = DeviceInfo(
                uid=uid,
                vendor=profile.chip.vendor,
                kind=profile.vendor.kind,
                name=profile.name,
                metrics={
                    metric_class: tuple(known.by_name[name].id for name in of_class)
                    for metric_class, of_class in names.items()
                },
                chip=profile.chip.name,
                part=profile.chip.per,
                package_uid=f"sim:{self._node}:package-{index // dies}" if dies > 1 else "",
                index=index,
                pci_address=f"0000:{0x10 + 8 * (index % 30):02x}:00.0",
                numa_node=0 if index < 4 else 1,
                memory_bytes=profile.memory_bytes,
                driver_version=profile.vendor.driver_version,
                power_scope="package" if dies > 1 else "device",
                origin="simulated",
                notes=profile.notes,
            )
            scope_factor = float(dies) if is_first_die else 1.0
            device = SimulatedDevice(profile, f"{self._seed}/{uid}", scope_factor=scope_factor)
            self._members[uid] = _Member(info, names, device, group)


def uid_of(node: str, index: int) -> str:
    """The uid of a device."""
    return f"sim:{node}:{index}"


def pid_of(index: int) -> int:
    """The pid of the training process on a device."""
    return _FIRST_PID + index


def index_of_pid(pid: int) -> int:
    """The index of the device that a pid of `pid_of` stands for."""
    return pid - _FIRST_PID


def find_chip(table: ChipTable, name: str) -> Chip:
    """The chip of a name in the table.

    Raises:
        ConfigError: there is none, or none of its vendor can be simulated.
    """
    chip = table.by_name.get(name)
    if chip is None or chip.vendor not in VENDORS:
        known = ", ".join(chip.name for chip in table.by_name.values() if chip.vendor in VENDORS)
        raise ConfigError(f"no chip {name!r} to simulate; known are {known}", key="chip")
    return chip


def open_simulator(argument: str, *, node: str) -> SimulatorSource:
    """The source of a text such as `8xH20` or `4x910B2,2xH100`.

    Raises:
        ConfigError: the text can't be read, or names an unknown chip.
    """
    groups = []
    for part in filter(None, (part.strip() for part in argument.split(","))):
        match = _GROUP.fullmatch(part)
        count = int(match[1] or 1) if match else 0
        if match is None or not 0 < count <= _MOST_DEVICES:
            raise ConfigError(f"is {argument!r}; give it as 8xH20 or 4x910B2,2xH100", key="sources.simulate")
        groups.append(SimulatedGroup(match[2], count))
    if not groups:
        raise ConfigError("is empty; give what to simulate, for example 8xH20", key="sources.simulate")
    return SimulatorSource(groups, node=node, start_ms=time.time_ns() // 1_000_000)
