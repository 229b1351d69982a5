"""A recording as a track in time: which devices it is about, and what was seen last at any moment of it."""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.model import Absent, Entity, Value
from steelyard_agent.sampling.batch import INT64_MIN
from steelyard_agent.spool.record import read_recording
from steelyard_proto.errors import SpoolError
from steelyard_proto.v1 import batch_pb2, ingest_pb2

# Messages stand in the order of their flush: what was seen at one time is spread over the longest flush at most.
_READ_AHEAD_MS: Final = 120_000
# A figure that wasn't renewed for so many of its periods was absent.
_STALE_PERIODS: Final = 2.5

_ENTITIES: Final[dict[int, Entity]] = {
    batch_pb2.KIND_DEVICE_SAMPLES: "device",
    batch_pb2.KIND_HOST_SAMPLES: "host",
    batch_pb2.KIND_AGENT_SAMPLES: "agent",
}
_NOTHING: Final = Absent("the recording has none here")


@dataclass(frozen=True, slots=True)
class _Matrix:
    """One batch, decoded, and the places of its metrics and rows."""

    layout: "_Layout"
    stamps: "array[int]"
    gauges: "array[float]"
    counters: "array[int]"


@dataclass(slots=True)
class _Layout:
    """A layout and how far its ticks have been played."""

    entity: Entity
    period_ms: int
    gauges: dict[int, int]
    counters: dict[int, int]
    rows: dict[int, int]
    waiting: deque[tuple[int, _Matrix, int]]
    current: tuple[int, _Matrix, int] | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """What a recording is about.

    Attributes:
        hello: the first Hello.
        devices: by key, as last declared.
        metrics: by entity and device key (0 for host and agent), the ids that some batch carries.
        first_ms: the first sample.
        last_ms: the last one.
    """

    hello: ingest_pb2.Hello
    devices: dict[int, batch_pb2.Device]
    metrics: dict[tuple[Entity, int], tuple[int, ...]]
    first_ms: int
    last_ms: int


class Track:
    """Played forwards only."""

    def __init__(self, path: Path) -> None:
        """Reads the whole recording once, for its devices and times.

        Raises:
            SpoolError: it can't be read, is no recording, or has no samples.
        """
        self.path = path
        self.index = _index(path)
        self._messages = _messages(path)
        self._layouts: dict[int, _Layout] = {}
        self._read_to_ms = 0
        self._is_read = False
        self._processes: deque[batch_pb2.Process] = deque()
        self._intervals: deque[batch_pb2.JobInterval] = deque()
        self.holders: dict[int, list[batch_pb2.Process]] = {}
        self.jobs: dict[str, batch_pb2.JobInterval] = {}
        self._at_ms = 0

    def move_to(self, at_ms: int) -> None:
        """Plays up to a moment; one before the present moment changes nothing."""
        if at_ms <= self._at_ms:
            return
        self._at_ms = at_ms
        while not self._is_read and self._read_to_ms < at_ms + _READ_AHEAD_MS:
            self._read_one()
        for layout in self._layouts.values():
            while layout.waiting and layout.waiting[0][0] <= at_ms:
                layout.current = layout.waiting.popleft()
        self._move_rows(at_ms)

    def values(self, entity: Entity, key: int, metrics: Sequence[int]) -> list[Value]:
        """What was seen last of a device (key 0: the host or the agent), aligned with the metrics."""
        values: dict[int, Value] = {}
        for layout in self._layouts.values():
            current = layout.current
            if current is None or layout.entity != entity or key not in layout.rows:
                continue
            if self._at_ms - current[0] <= _STALE_PERIODS * layout.period_ms:
                values.update(_row(current[1], layout.rows[key], current[2]))
        return [values.get(metric, _NOTHING) for metric in metrics]

    def _read_one(self) -> None:
        message = next(self._messages, None)
        if message is None:
            self._is_read = True
            return
        which = message.WhichOneof("message")
        if which == "hello":
            self._learn(message.hello.layouts)
        elif which == "describe":
            self._learn(message.describe.layouts)
        elif which == "batch":
            self._take_batch(message.batch)
        elif which == "records":
            self._processes.extend(message.records.processes)
            self._intervals.extend(message.records.job_intervals)

    def _learn(self, layouts: Iterable[batch_pb2.Layout]) -> None:
        for layout in layouts:
            if layout.id not in self._layouts and layout.kind in _ENTITIES:
                self._layouts[layout.id] = _Layout(
                    entity=_ENTITIES[layout.kind],
                    period_ms=layout.period_ms,
                    gauges={metric: place for place, metric in enumerate(layout.gauges)},
                    counters={metric: place for place, metric in enumerate(layout.counters)},
                    rows={key: place for place, key in enumerate(layout.devices or (0,))},
                    waiting=deque(),
                )

    def _take_batch(self, batch: batch_pb2.Batch) -> None:
        layout = self._layouts.get(batch.layout)
        if layout is None:
            return
        matrix = _Matrix(layout, array("q", batch.ts_ms), array("f", batch.gauges), array("q", batch.counters))
        layout.waiting.extend((stamp, matrix, tick) for tick, stamp in enumerate(matrix.stamps))
        self._read_to_ms = max(self._read_to_ms, matrix.stamps[-1])

    def _move_rows(self, at_ms: int) -> None:
        looks: dict[int, int] = {}
        while self._processes and self._processes[0].ts_ms <= at_ms:
            row = self._processes.popleft()
            if looks.get(row.device) != row.ts_ms:
                looks[row.device] = row.ts_ms
                self.holders[row.device] = []
            self.holders[row.device].append(row)
        while self._intervals and self._intervals[0].ts_ms <= at_ms:
            interval = self._intervals.popleft()
            self.jobs[interval.job] = interval
            if interval.closed:
                self.holders[interval.device] = [
                    row for row in self.holders.get(interval.device, []) if row.job != interval.job
                ]


def _row(matrix: _Matrix, row: int, tick: int) -> Iterator[tuple[int, Value]]:
    ticks, rows = len(matrix.stamps), len(matrix.layout.rows)
    for metric, place in matrix.layout.gauges.items():
        gauge = matrix.gauges[(place * rows + row) * ticks + tick]
        yield metric, gauge if gauge == gauge else Absent("absent in the recording")
    for metric, place in matrix.layout.counters.items():
        counter = matrix.counters[(place * rows + row) * ticks + tick]
        yield metric, counter if counter != INT64_MIN else Absent("absent in the recording")


def _messages(path: Path) -> Iterator[ingest_pb2.AgentMessage]:
    for payload in read_recording(path):
        yield ingest_pb2.AgentMessage.FromString(payload)


def _index(path: Path) -> Index:
    hello: ingest_pb2.Hello | None = None
    devices: dict[int, batch_pb2.Device] = {}
    layouts: dict[int, batch_pb2.Layout] = {}
    used: set[int] = set()
    stamps: list[int] = []
    for message in _messages(path):
        which = message.WhichOneof("message")
        if which in ("hello", "describe"):
            part = message.hello if which == "hello" else message.describe
            devices |= {device.key: device for device in part.devices}
            layouts |= {layout.id: layout for layout in part.layouts}
            hello = message.hello if which == "hello" and hello is None else hello
        elif which == "batch" and message.batch.ts_ms:
            used.add(message.batch.layout)
            times = array("q", message.batch.ts_ms)
            stamps = [min([*stamps[:1], times[0]]), max([*stamps[1:], times[-1]])]
    if hello is None or not stamps:
        raise SpoolError(f"{path}: has no samples to play; make one with `steelyard-agent record --seconds 60 FILE`")
    metrics = _metrics(layouts[number] for number in sorted(used) if number in layouts)
    return Index(hello, devices, metrics, stamps[0], stamps[1])


def _metrics(layouts: Iterable[batch_pb2.Layout]) -> dict[tuple[Entity, int], tuple[int, ...]]:
    found: dict[tuple[Entity, int], dict[int, None]] = {}
    for layout in layouts:
        entity = _ENTITIES.get(layout.kind)
        if entity is not None:
            for key in layout.devices or (0,):
                found.setdefault((entity, key), {}).update(dict.fromkeys((*layout.gauges, *layout.counters)))
    return {whose: tuple(ids) for whose, ids in found.items()}
