"""The seam between the agent and whatever gives figures: a vendor's library, the host, a recording, a simulator.

A source is called by one thread at a time, not always the same one (devices/crew.py). It may be left behind while a
call hangs; calls for other devices then go on from another. So a source keeps per-device state apart and holds no
lock across a vendor's call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Entity, Event, Value
from steelyard_proto.errors import DeviceError
from steelyard_proto.metrics import MetricClass

# The code of an event after which devices are looked for at once.
DEVICES_CHANGED: Final = "devices_changed"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source can tell and needs.

    Attributes:
        entity: what its samples describe; a host source has one pseudo-device with the uid "host".
        poll_period_s: call `poll` this often (power integration); None for never. A sample of the class `fast`
            stands for a poll.
        has_processes: `processes` may be called.
    """

    entity: Entity = "device"
    poll_period_s: float | None = None
    has_processes: bool = False


class Source(Protocol):
    """One vendor's devices on this node."""

    @property
    def name(self) -> str:
        """The registry's name of it: nvml, dcmi, amdgpu, scrape, cpu, host, replay, simulate."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Known once `discover` has returned."""
        ...

    def discover(self) -> Sequence[DeviceInfo]:
        """Opens the library if need be and lists the devices; called again after a loss and every few minutes.

        Raises:
            LibraryMissing: this node has no such library; ask again rarely.
            DeviceError: the library is there but refuses.
        """
        ...

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading of a device, aligned with its `DeviceInfo.metrics[metric_class]`.

        A metric that fails alone is `Absent(reason)`.

        Raises:
            DeviceLost: the device is gone; it is looked for again by `discover`.
            DeviceError: nothing could be read this time.
        """
        ...

    def poll(self, uid: str) -> None:
        """Takes an inner reading between samples, for example of power; see `Capabilities.poll_period_s`."""
        ...

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """Who holds the device; `Absent` where that can't be known (a container without the host's pids)."""
        ...

    def close(self) -> None:
        """Gives everything back; no call follows."""
        ...


@runtime_checkable
class ComplaintSource(Protocol):
    """A source that says which devices are there and can't be described; they hide no other."""

    @property
    def complaints(self) -> Sequence[DeviceError]:
        """All so far, in order, each once."""
        ...


@runtime_checkable
class PatientSource(Protocol):
    """A source that makes calls in threads of its own, and goes on without those that don't return."""

    def under_way_s(self) -> Sequence[float]:
        """How long each of these calls has taken so far; called by any thread, and waits for nothing.

        While there is any after a look for devices, the next look comes soon: it may have more to tell.
        """
        ...


@runtime_checkable
class OutdatedSource(Protocol):
    """A source whose library can't be loaded anew in the same process."""

    def why_outdated(self) -> str:
        """Why only a new process can read the devices; empty while this one can. Called by any thread."""
        ...


@runtime_checkable
class LatencySource(Protocol):
    """A source whose driver says how long it takes over single figures."""

    def latencies_us(self, uid: str) -> Mapping[int, float]:
        """By metric, of a device's newest reading, in microseconds; only those that the driver tells."""
        ...


@runtime_checkable
class EventSource(Protocol):
    """A source whose devices tell something by themselves, for example XIDs; it gathers that in a thread of its own.

    An event with the code `DEVICES_CHANGED` makes the guard look for devices at once.
    """

    def events(self) -> Sequence[Event]:
        """What was told since the last call; called by any thread, waits for nothing and raises nothing."""
        ...
