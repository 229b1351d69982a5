"""Sorts a tick's readings into batches by their shape, declares new devices and layouts, and spools what is full."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from steelyard_agent.directory import Directory, Extent
from steelyard_agent.model import Absent, DeviceInfo, Entity, Value
from steelyard_agent.sampling.batch import KIND_OF_ENTITY, BatchBuilder, Cut, columns_of
from steelyard_agent.sampling.records import Stamped, framed
from steelyard_proto.metrics import Catalogue, MetricClass
from steelyard_proto.v1 import batch_pb2, ingest_pb2

Row = tuple[DeviceInfo, Sequence[Value]]


class Sink(Protocol):
    """Where messages go: the ring, or a recording."""

    def put(self, kind: int, message: ingest_pb2.AgentMessage, from_ms: int, to_ms: int) -> int:
        """Takes a batch or records, and gives it its number."""
        ...

    def describe(self, message: ingest_pb2.Describe) -> None:
        """Takes new devices and layouts, ahead of the batches that need them."""
        ...


class _Key(NamedTuple):
    """What keeps matrices apart that happen to have the same columns: each source has its own devices as rows."""

    entity: Entity
    source: str
    metric_class: MetricClass
    metrics: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """The builder of one matrix and the devices that are its rows."""

    builder: BatchBuilder
    infos: tuple[DeviceInfo, ...]


class Gatherer:
    """Holds what has been sampled and isn't spooled yet. Used by the sampling thread alone."""

    def __init__(self, directory: Directory, catalogue: Catalogue, sink: Sink) -> None:
        """Begins with nothing; `directory` may hold devices and layouts of an earlier run, which `sink` knows."""
        self._directory = directory
        self._catalogue = catalogue
        self._sink = sink
        self._extent = directory.size()
        self._shapes: dict[_Key, _Shape] = {}

    def add_devices(
        self, source: str, metric_class: MetricClass, period_ms: int, ts_ms: int, rows: Iterable[Row]
    ) -> None:
        """Takes one tick of a source's devices.

        A device that gave nothing at all has no row: it is the rows' end that shows it as gone.
        """
        by_metrics: dict[tuple[int, ...], list[Row]] = {}
        for info, values in rows:
            if not _is_nothing(values):
                by_metrics.setdefault(tuple(info.metrics[metric_class]), []).append((info, values))
        for metrics, group in by_metrics.items():
            key = _Key("device", source, metric_class, metrics)
            shape = self._shape(key, period_ms, tuple(info for info, _ in group))
            self._put(shape.builder.add(ts_ms, [values for _, values in group]))

    def add_node(
        self,
        entity: Entity,
        metric_class: MetricClass,
        period_ms: int,
        ts_ms: int,
        metrics: Sequence[int],
        values: Sequence[Value],
    ) -> None:
        """Takes one tick of what the node has once: the host's or the agent's own figures."""
        if _is_nothing(values):
            return
        shape = self._shape(_Key(entity, entity, metric_class, tuple(metrics)), period_ms, ())
        self._put(shape.builder.add(ts_ms, [values]))

    def put_records(self, kind: batch_pb2.Kind, rows: Iterable[Stamped]) -> None:
        """Spools rows of one kind, by rising time, as they are."""
        self._declare()
        for message, from_ms, to_ms in framed(kind, rows):
            self._sink.put(kind, message, from_ms, to_ms)

    def key_of(self, info: DeviceInfo) -> int:
        """A device's key; a device that is new is declared before the next message."""
        return self._directory.add_device(info)

    def find_key(self, uid: str) -> int | None:
        """The key of a device that has been declared."""
        return self._directory.key_of(uid)

    def flush(self) -> None:
        """Spools everything that waits."""
        for shape in self._shapes.values():
            self._put(shape.builder.flush())

    def _shape(self, key: _Key, period_ms: int, infos: tuple[DeviceInfo, ...]) -> _Shape:
        shape = self._shapes.get(key)
        if shape is not None and shape.infos == infos:
            return shape
        if shape is not None:
            self._put(shape.builder.flush())
        devices = [self._directory.add_device(info) for info in infos]
        columns = columns_of(key.metrics, self._catalogue)
        builder = self._directory.builder(KIND_OF_ENTITY[key.entity], columns, devices, period_ms)
        shape = self._shapes[key] = _Shape(builder, infos)
        return shape

    def _put(self, cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            self._declare()
            self._sink.put(cut.kind, ingest_pb2.AgentMessage(batch=cut.batch), cut.from_ms, cut.to_ms)

    def _declare(self) -> None:
        extent: Extent = self._directory.size()
        if extent != self._extent:
            self._sink.describe(self._directory.since(self._extent))
            self._extent = extent


def _is_nothing(values: Sequence[Value]) -> bool:
    return not values or (isinstance(values[0], Absent) and all(isinstance(value, Absent) for value in values))
