"""The devices and layouts of an epoch: their numbers, and the Hello that declares them all.

A device keeps its key and a shape its layout id over restarts of the agent, as long as the spool's epoch lasts.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.model import DeviceInfo, Origin
from steelyard_agent.sampling.batch import BatchBuilder, Columns
from steelyard_proto.v1 import batch_pb2, ingest_pb2

ORIGINS: Final[dict[Origin, batch_pb2.Origin]] = {
    "measured": batch_pb2.ORIGIN_MEASURED,
    "replayed": batch_pb2.ORIGIN_REPLAYED,
    "simulated": batch_pb2.ORIGIN_SIMULATED,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: the agent and the node that it stands on."""

    agent_id: str
    version: str
    node: ingest_pb2.Node


class Directory:
    """All devices and layouts so far, in the order in which they came. May be used from any thread."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._lock = threading.Lock()
        self._devices: list[batch_pb2.Device] = []
        # Every device as it was declared, a changed one once more: what a stream that is open has yet to hear.
        self._declared: list[batch_pb2.Device] = []
        self._layouts: list[batch_pb2.Layout] = []
        self._keys: dict[str, int] = {}
        # As it came last: who asks for a device's key mostly brings the same facts as before.
        self._infos: dict[str, DeviceInfo] = {}
        self._positions: dict[int, int] = {}

    def restore(self, hello: ingest_pb2.Hello | None) -> None:
        """Takes over what an earlier run of this epoch has declared; the last word on a device counts."""
        for device in hello.devices if hello is not None else ():
            self._put(device)
        known = {layout.id for layout in self._layouts}
        for layout in hello.layouts if hello is not None else ():
            if layout.id not in known:
                known.add(layout.id)
                self._layouts.append(layout)

    def add_device(self, info: DeviceInfo) -> int:
        """Gives a device its key, the earlier one where it was seen before, and takes over its present facts."""
        with self._lock:
            if self._infos.get(info.uid) is info:
                return self._keys[info.uid]
            key = self._keys.get(info.uid) or max(self._positions, default=0) + 1
            self._put(device_message(key, info))
            self._infos[info.uid] = info
            return key

    def key_of(self, uid: str) -> int | None:
        """The key of a device that was added; None for others."""
        return self._keys.get(uid)

    def builder(self, kind: batch_pb2.Kind, columns: Columns, devices: Sequence[int], period_ms: int) -> BatchBuilder:
        """A batch builder for a shape, whose layout is declared here if it is new."""
        with self._lock:
            probe = BatchBuilder(0, kind, columns, devices).layout(period_ms)
            for layout in self._layouts:
                probe.id = layout.id
                if layout == probe:
                    return BatchBuilder(layout.id, kind, columns, devices)
            probe.id = max((layout.id for layout in self._layouts), default=0) + 1
            self._layouts.append(probe)
            return BatchBuilder(probe.id, kind, columns, devices)

    def hello(self, epoch: int, time_ms: int) -> ingest_pb2.Hello:
        """Everything that there is to declare."""
        with self._lock:
            return ingest_pb2.Hello(
                agent_id=self.identity.agent_id,
                epoch=epoch,
                agent_version=self.identity.version,
                time_ms=time_ms,
                node=self.identity.node,
                devices=self._devices,
                layouts=self._layouts,
            )

    def size(self) -> "Extent":
        """How many declarations of devices and layouts there were so far."""
        with self._lock:
            return Extent(len(self._declared), len(self._layouts))

    def since(self, extent: "Extent") -> ingest_pb2.Describe:
        """What has come since then."""
        with self._lock:
            return ingest_pb2.Describe(
                devices=self._declared[extent.devices :], layouts=self._layouts[extent.layouts :]
            )

    def _put(self, device: batch_pb2.Device) -> None:
        position = self._positions.get(device.key)
        if position is not None and self._devices[position] == device:
            return
        self._declared.append(device)
        if position is None:
            self._positions[device.key] = len(self._devices)
            self._devices.append(device)
        else:
            self._devices[position] = device
        self._keys[device.uid] = device.key


@dataclass(frozen=True, slots=True)
class Extent:
    """A place in the two growing lists of what was declared."""

    devices: int
    layouts: int


def device_message(key: int, info: DeviceInfo) -> batch_pb2.Device:
    """A device's facts as the contract carries them."""
    return batch_pb2.Device(
        key=key,
        uid=info.uid,
        vendor=info.vendor,
        kind=info.kind,
        name=info.name,
        chip=info.chip,
        part=info.part,
        package_uid=info.package_uid,
        index=info.index,
        pci_address=info.pci_address,
        numa_node=info.numa_node,
        memory_bytes=info.memory_bytes,
        driver_version=info.driver_version,
        library_version=info.library_version,
        power_scope=info.power_scope,
        origin=ORIGINS[info.origin],
        notes=dict(info.notes),
    )
