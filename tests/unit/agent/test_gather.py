from dataclasses import replace

import pytest

from steelyard_agent.directory import Directory, Identity
from steelyard_agent.model import Absent, DeviceInfo
from steelyard_agent.sampling.gather import Gatherer
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.agent_parts import DAY_MS, START_MS, a_device


class Kept:
    """A sink that keeps what it is given, and sees that layouts come first."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, batch_pb2.Batch]] = []
        self.layouts: dict[int, batch_pb2.Layout] = {}
        self.devices: list[batch_pb2.Device] = []

    def put(self, kind: int, message: ingest_pb2.AgentMessage, from_ms: int, to_ms: int) -> int:
        batch = message.batch
        assert batch.layout in self.layouts
        assert from_ms <= to_ms
        self.batches.append((kind, batch))
        return len(self.batches)

    def describe(self, message: ingest_pb2.Describe) -> None:
        self.devices += message.devices
        self.layouts |= {layout.id: layout for layout in message.layouts}


@pytest.fixture
def sink() -> Kept:
    return Kept()


@pytest.fixture
def gatherer(sink: Kept) -> Gatherer:
    return Gatherer(Directory(Identity("a", "0", ingest_pb2.Node())), catalogue(), sink)


def tick(gatherer: Gatherer, at: int, infos: list[DeviceInfo], source: str = "s") -> None:
    gatherer.add_devices(source, "fast", 1000, START_MS + at, [(info, (0.5, 7)) for info in infos])


def test_ticks_of_one_shape_become_one_batch(gatherer: Gatherer, sink: Kept) -> None:
    for at in range(0, 5000, 1000):
        tick(gatherer, at, [a_device(0), a_device(1)])
    assert sink.batches == []
    gatherer.flush()
    [(kind, batch)] = sink.batches
    assert kind == batch_pb2.KIND_DEVICE_SAMPLES
    assert len(batch.ts_ms) == 5 * 8
    assert len(batch.gauges) == 5 * 2 * 4
    assert len(batch.counters) == 5 * 2 * 8
    assert list(sink.layouts[batch.layout].devices) == [1, 2]
    gatherer.flush()
    assert len(sink.batches) == 1


def test_a_device_without_any_value_has_no_row(gatherer: Gatherer, sink: Kept) -> None:
    gone = (a_device(1), (Absent("gone"), Absent("gone")))
    tick(gatherer, 0, [a_device(0), a_device(1)])
    gatherer.add_devices("s", "fast", 1000, START_MS + 1000, [(a_device(0), (0.5, Absent("x"))), gone])
    tick(gatherer, 2000, [a_device(0), a_device(1)])
    gatherer.flush()
    assert [list(sink.layouts[batch.layout].devices) for _, batch in sink.batches] == [[1, 2], [1], [1, 2]]
    assert len(sink.layouts) == 2, "a shape that comes back keeps its layout"


def test_nothing_at_all_gives_no_batch(gatherer: Gatherer, sink: Kept) -> None:
    gatherer.add_devices("s", "fast", 1000, START_MS, [(a_device(0), (Absent("x"), Absent("x")))])
    gatherer.add_node("host", "fast", 1000, START_MS, (100,), (Absent("x"),))
    gatherer.flush()
    assert sink.batches == []


def test_two_sources_of_one_shape_are_kept_apart(gatherer: Gatherer, sink: Kept) -> None:
    for at in (0, 1000):
        tick(gatherer, at, [a_device(0)], "one")
        tick(gatherer, at, [a_device(1)], "two")
    gatherer.flush()
    assert [len(batch.ts_ms) // 8 for _, batch in sink.batches] == [2, 2]


def test_different_metrics_are_different_batches(gatherer: Gatherer, sink: Kept) -> None:
    other = a_device(1, metrics={"fast": (1,)})
    gatherer.add_devices("s", "fast", 1000, START_MS, [(a_device(0), (0.5, 7)), (other, (0.1,))])
    gatherer.flush()
    assert [list(sink.layouts[b.layout].gauges) for _, b in sink.batches] == [[1], [1]]
    assert [list(sink.layouts[b.layout].counters) for _, b in sink.batches] == [[25], []]


def test_a_batch_ends_at_midnight(gatherer: Gatherer, sink: Kept) -> None:
    for at in (DAY_MS - 1000, DAY_MS, DAY_MS + 1000):
        tick(gatherer, at, [a_device(0)])
    gatherer.flush()
    assert [len(batch.ts_ms) // 8 for _, batch in sink.batches] == [1, 2]


def test_a_changed_device_is_declared_again_under_its_key(gatherer: Gatherer, sink: Kept) -> None:
    tick(gatherer, 0, [a_device(0)])
    tick(gatherer, 1000, [replace(a_device(0), driver_version="2")])
    gatherer.flush()
    assert [(device.key, device.driver_version) for device in sink.devices] == [(1, ""), (1, "2")]


def test_host_and_agent_have_kinds_of_their_own(gatherer: Gatherer, sink: Kept) -> None:
    gatherer.add_node("host", "fast", 1000, START_MS, (100, 101), (0.1, 0.2))
    gatherer.add_node("agent", "slow", 1000, START_MS, (200, 202), (0.1, 3))
    gatherer.flush()
    kinds = [kind for kind, _ in sink.batches]
    assert kinds == [batch_pb2.KIND_HOST_SAMPLES, batch_pb2.KIND_AGENT_SAMPLES]
    assert sink.devices == []
