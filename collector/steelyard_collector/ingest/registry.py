"""Who is known: agents and their devices, with the small numbers that rows carry. Used by the event loop only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.ingest.accepted import Shape
from steelyard_collector.ingest.resume import Resumed
from steelyard_collector.ingest.validate import (
    MAX_DEVICES,
    MAX_KIND,
    MAX_LAYOUTS,
    check_devices,
    check_layout,
    is_of_later_version,
)
from steelyard_proto.chips import ChipTable, load_chips
from steelyard_proto.errors import ContractError
from steelyard_proto.v1 import batch_pb2, ingest_pb2

TIME: Final[Any] = pa.timestamp("ms", tz="UTC")
LABELS: Final[Any] = pa.map_(pa.string(), pa.string())
AGENT_SCHEMA: Final = pa.schema(
    [("agent", pa.uint32()), ("agent_id", pa.string()), ("node", pa.string()), ("version", pa.string()),
     ("origin", pa.string()), ("epoch", pa.uint32()), ("os", pa.string()), ("kernel", pa.string()),
     ("arch", pa.string()), ("cpus", pa.uint32()), ("memory_bytes", pa.uint64()), ("labels", LABELS),
     ("first_seen", TIME), ("last_seen", TIME), ("ver", pa.uint64())]
)  # fmt: skip
DEVICE_SCHEMA: Final = pa.schema(
    [("device_id", pa.uint32()), ("agent", pa.uint32()), ("epoch", pa.uint32()), ("key", pa.uint32()),
     ("uid", pa.string()), ("vendor", pa.string()), ("kind", pa.string()), ("name", pa.string()),
     ("chip", pa.string()), ("part", pa.string()), ("package_uid", pa.string()), ("device_index", pa.uint32()),
     ("pci_address", pa.string()), ("numa_node", pa.int32()), ("memory_bytes", pa.uint64()),
     ("driver_version", pa.string()), ("library_version", pa.string()), ("power_scope", pa.string()),
     ("origin", pa.string()), ("notes", LABELS), ("first_seen", TIME), ("ver", pa.uint64())]
)  # fmt: skip
ORIGINS: Final[Mapping[int, str]] = {
    batch_pb2.ORIGIN_UNSPECIFIED: "measured",
    batch_pb2.ORIGIN_MEASURED: "measured",
    batch_pb2.ORIGIN_REPLAYED: "replayed",
    batch_pb2.ORIGIN_SIMULATED: "simulated",
}
Row = dict[str, Any]


@dataclass(slots=True)
class Agent:
    """An agent that has spoken in this process's time.

    Attributes:
        number: as rows carry it.
        epoch: of its spool.
        accepted: the last message taken, by kind.
        committed: the last message committed, by kind.
        device_ids: the store's number of each device key of this epoch.
        layouts: declared layouts of this epoch.
        stream: which stream speaks for it now; a newer one replaces it.
        offset_ms: its clock less ours, when it said Hello.
        last_ms: time of its newest sample.
        flush_ms: how long it was asked to gather.
    """

    number: int
    epoch: int = 0
    accepted: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    device_ids: dict[int, int] = field(default_factory=dict)
    layouts: dict[int, tuple[batch_pb2.Layout, Shape]] = field(default_factory=dict)
    stream: object | None = None
    offset_ms: float | None = None
    last_ms: int = 0
    flush_ms: int = 0


class Registry:
    """All agents and devices that were ever seen."""

    def __init__(self, resumed: Resumed, chips: ChipTable | None = None) -> None:
        """Args: what was committed before; the chips to know drivers' names by."""
        self._chips = chips or load_chips()
        self._numbers = {agent_id: number for agent_id, (number, _) in resumed.agents.items()}
        self._agent_rows = {agent_id: row for agent_id, (_, row) in resumed.agents.items()}
        self._device_ids = {key: number for key, (number, _) in resumed.devices.items()}
        self._device_rows = {key: row for key, (_, row) in resumed.devices.items()}
        self._committed = resumed.committed
        self._next_agent = max(self._numbers.values(), default=0) + 1
        self._next_device = max(self._device_ids.values(), default=0) + 1
        self.agents: dict[int, Agent] = {}

    def greet(self, hello: ingest_pb2.Hello, now_ms: int) -> tuple[Agent, list[Row], list[Row]]:
        """Takes a Hello in; returns the agent, and the rows of the agent and device tables that are new or changed.

        Raises:
            ContractError: a device or layout breaks the contract.
        """
        number = self._numbers.get(hello.agent_id)
        if number is None:
            number = self._numbers[hello.agent_id] = self._next_agent
            self._next_agent += 1
        agent = self.agents.setdefault(number, Agent(number))
        if agent.epoch != hello.epoch:
            # A stream of the epoch before may still hold messages, which must not pass for this one's.
            agent.stream = None
            agent.epoch = hello.epoch
            agent.device_ids, agent.layouts = {}, {}
            agent.committed = self._committed_of(number, hello.epoch)
            agent.accepted = dict(agent.committed)
        agent.offset_ms = float(hello.time_ms - now_ms) if hello.time_ms else None
        devices = self.describe(agent, list(hello.devices), list(hello.layouts), now_ms, field="hello")
        row = _agent_row(number, hello, now_ms)
        known = self._agent_rows.get(hello.agent_id)
        if known is not None:
            _succeed(row, known)
        if known is None or _differs(row, known):
            self._agent_rows[hello.agent_id] = row
            return agent, [row], devices
        return agent, [], devices

    def describe(
        self, agent: Agent, devices: list[batch_pb2.Device], layouts: list[batch_pb2.Layout], now_ms: int, field: str
    ) -> list[Row]:
        """Takes devices and layouts in; returns the rows of the device table that are new or changed.

        Raises:
            ContractError: one of them breaks the contract, or a layout's id has another meaning now.
        """
        check_devices(devices, f"{field}.devices")
        keys = agent.device_ids.keys() | {device.key for device in devices}
        if len(keys) > MAX_DEVICES:
            raise ContractError(f"{field}.devices", f"more than {MAX_DEVICES} devices in one epoch")
        for index, device in enumerate(devices):
            known_id = agent.device_ids.get(device.key)
            if known_id is not None and known_id != self._device_ids.get((agent.number, device.uid)):
                raise ContractError(f"{field}.devices[{index}].key", f"{device.key} is another device's in this epoch")
        if len(agent.layouts.keys() | {layout.id for layout in layouts}) > MAX_LAYOUTS:
            raise ContractError(f"{field}.layouts", f"more than {MAX_LAYOUTS} layouts in one epoch")
        for index, layout in enumerate(layouts):
            known = agent.layouts.get(layout.id)
            if known is not None and known[0] != layout:
                raise ContractError(f"{field}.layouts[{index}].id", f"{layout.id} was declared with another order")
            check_layout(layout, keys, f"{field}.layouts[{index}]")
        rows = [row for device in devices if (row := self._device_row(agent, device, now_ms)) is not None]
        for layout in layouts:
            keys_of = () if is_of_later_version(layout.kind) else layout.devices
            entities = tuple(agent.device_ids[key] for key in keys_of) or (agent.number,)
            shape = Shape(layout.kind, tuple(layout.gauges), tuple(layout.counters), entities)
            agent.layouts[layout.id] = (layout, shape)
        return rows

    def note_commit(self, number: int, epoch: int, kind: int, seq: int) -> Agent | None:
        """Remembers what is committed; returns the agent if it speaks in this epoch."""
        self._committed[number, epoch, kind] = seq
        agent = self.agents.get(number)
        if agent is None or agent.epoch != epoch:
            return None
        agent.committed[kind] = seq
        return agent

    def _committed_of(self, number: int, epoch: int) -> dict[int, int]:
        kinds = range(1, MAX_KIND + 1)
        return {
            kind: self._committed[number, epoch, kind] for kind in kinds if (number, epoch, kind) in self._committed
        }

    def _device_row(self, agent: Agent, device: batch_pb2.Device, now_ms: int) -> Row | None:
        key = (agent.number, device.uid)
        device_id = self._device_ids.get(key)
        if device_id is None:
            device_id = self._device_ids[key] = self._next_device
            self._next_device += 1
        agent.device_ids[device.key] = device_id
        row = self._row_of(device_id, agent, device, now_ms)
        known = self._device_rows.get(key)
        if known is not None:
            _succeed(row, known)
            if not _differs(row, known):
                return None
        self._device_rows[key] = row
        return row

    def _row_of(self, device_id: int, agent: Agent, device: batch_pb2.Device, now_ms: int) -> Row:
        chip = device.chip
        if not chip and (match := self._chips.match(device.name)) is not None:
            chip = match.name
        return {
            "device_id": device_id,
            "agent": agent.number,
            "epoch": agent.epoch,
            "key": device.key,
            "uid": device.uid,
            "vendor": device.vendor,
            "kind": device.kind,
            "name": device.name,
            "chip": chip,
            "part": device.part or "package",
            "package_uid": device.package_uid,
            "device_index": device.index,
            "pci_address": device.pci_address,
            "numa_node": device.numa_node,
            "memory_bytes": device.memory_bytes,
            "driver_version": device.driver_version,
            "library_version": device.library_version,
            "power_scope": device.power_scope,
            "origin": ORIGINS.get(device.origin, "measured"),
            "notes": sorted(device.notes.items()),
            "first_seen": now_ms,
            "ver": now_ms,
        }


def _agent_row(number: int, hello: ingest_pb2.Hello, now_ms: int) -> Row:
    node = hello.node
    return {
        "agent": number,
        "agent_id": hello.agent_id,
        "node": node.name,
        "version": hello.agent_version,
        "origin": ORIGINS.get(node.origin, "measured"),
        "epoch": hello.epoch,
        "os": node.os,
        "kernel": node.kernel,
        "arch": node.arch,
        "cpus": node.cpus,
        "memory_bytes": node.memory_bytes,
        "labels": sorted(node.labels.items()),
        "first_seen": now_ms,
        "last_seen": now_ms,
        "ver": now_ms,
    }


def _succeed(row: Row, known: Row) -> None:
    """Makes a row the next version of one that is known, also where the clock has gone back since."""
    row["first_seen"] = known["first_seen"]
    row["ver"] = max(row["ver"], known["ver"] + 1)


def _differs(row: Row, known: Row) -> bool:
    """Whether a registry row says something else than the one before; times alone don't count."""
    times = ("first_seen", "last_seen", "ver")
    return any(value != known.get(name) for name, value in row.items() if name not in times)
