"""What passes between a source, the sampler and the spool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from steelyard_proto.metrics import MetricClass

Origin = Literal["measured", "replayed", "simulated"]
Entity = Literal["device", "host", "agent"]


@dataclass(frozen=True, slots=True)
class Absent:
    """A value that isn't there, and why. Never 0, never text in a number's place."""

    reason: str


# A gauge is a float, a counter or a bit set an int.
Value = float | int | Absent


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The unchanging facts of one device. Empty text and None mean unknown.

    Attributes:
        uid: the same after a restart and unique in the fleet.
        name: the driver's own string.
        chip: the entry in chips.toml, empty where unknown.
        part: package, die, gcd, mig (NVIDIA's instance of a GPU) or partition (AMD's).
        package_uid: shared by the dies of one package, empty where the device is the package.
        power_scope: what power_w and energy_mj count: device, die, package, module.
        notes: remarks on a metric by its name, for example how energy_mj comes about.
        metrics: ids that the device may give, by class, in the order that `Source.sample` returns them.
    """

    uid: str
    vendor: str
    kind: Literal["gpu", "npu", "cpu"]
    name: str
    metrics: Mapping[MetricClass, tuple[int, ...]]
    chip: str = ""
    part: Literal["package", "die", "gcd", "mig", "partition"] = "package"
    package_uid: str = ""
    index: int = 0
    pci_address: str = ""
    numa_node: int = -1
    memory_bytes: int = 0
    driver_version: str = ""
    library_version: str = ""
    power_scope: Literal["", "device", "die", "package", "module"] = ""
    origin: Origin = "measured"
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceProcess:
    """A process that holds a device, as the vendor's library tells it."""

    pid: int
    hbm_used_bytes: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `uid` is empty where the node is meant."""

    ts_ms: int
    severity: Literal["info", "warning", "error"]
    code: str
    text: str
    source: str
    uid: str = ""
