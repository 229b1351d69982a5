"""One file of the ring: which messages it holds, by kind."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from steelyard_agent.spool.record import Damage, Frame, read_frames
from steelyard_proto.v1 import batch_pb2, ingest_pb2


@dataclass(slots=True)
class Span:
    """The messages of one kind in a segment: sequence numbers and times, both inclusive."""

    seq_from: int
    seq_to: int
    from_ms: int
    to_ms: int


@dataclass(slots=True)
class Segment:
    """A file of frames, the first of which is a Hello."""

    number: int
    path: Path
    size: int = 0
    spans: dict[int, Span] = field(default_factory=dict)

    def note(self, kind: int, seq: int, from_ms: int, to_ms: int) -> None:
        """Takes a message of this segment into account."""
        span = self.spans.get(kind)
        if span is None:
            self.spans[kind] = Span(seq, seq, from_ms, to_ms)
            return
        span.seq_to = seq
        span.from_ms = min(span.from_ms, from_ms)
        span.to_ms = max(span.to_ms, to_ms)

    def is_committed(self, committed: dict[int, int]) -> bool:
        """Whether the collector holds all of it."""
        return all(span.seq_to <= committed.get(kind, 0) for kind, span in self.spans.items())


@dataclass(frozen=True, slots=True)
class Position:
    """Which message this is: its kind, its number, its first and last time."""

    kind: int
    seq: int
    from_ms: int
    to_ms: int


def position(message: ingest_pb2.AgentMessage, kinds: dict[int, int]) -> Position | None:
    """Reads a message's place in its sequence; None for Hello, Describe and Lost, which have none.

    Args:
        message: as it stood in a frame.
        kinds: layout id to kind.
    """
    which = message.WhichOneof("message")
    if which == "batch":
        batch = message.batch
        stamps = batch.ts_ms
        first = int.from_bytes(stamps[:8], "little", signed=True)
        last = int.from_bytes(stamps[-8:], "little", signed=True)
        return Position(kinds.get(batch.layout, 0), batch.seq, first, last)
    if which == "records":
        records = message.records
        # A message has rows of one type.
        rows = records.processes or records.events or records.job_intervals or records.steps or records.trainings
        stamps_ms = [row.ts_ms for row in rows] or [0]
        return Position(records.kind, records.seq, min(stamps_ms), max(stamps_ms))
    return None


@dataclass(slots=True)
class Scan:
    """What reading a segment from end to end has shown."""

    segment: Segment
    hello: ingest_pb2.Hello | None = None
    damages: list[Damage] = field(default_factory=list)
    end: int = 0


def scan_segment(number: int, path: Path, kinds: dict[int, int]) -> Scan:
    """Reads a segment after a start: what it holds, and where it is damaged; fills `kinds` from its layouts."""
    scan = Scan(Segment(number, path))
    with path.open("rb") as file:
        for item in read_frames(file):
            if isinstance(item, Damage):
                scan.damages.append(item)
                if item.is_torn_tail:
                    break
            else:
                _take(scan, item, kinds)
            scan.end = item.end
    scan.segment.size = scan.end
    return scan


def uncommitted_spans(segment: Segment, kinds: dict[int, int], committed: dict[int, int]) -> dict[int, Span]:
    """What of a segment the collector doesn't hold; reads the file where it holds a part of a kind."""
    left = {kind: span for kind, span in segment.spans.items() if span.seq_to > committed.get(kind, 0)}
    if all(span.seq_from > committed.get(kind, 0) for kind, span in left.items()):
        return left
    rest = Segment(segment.number, segment.path)
    with segment.path.open("rb") as file:
        for item in read_frames(file):
            if isinstance(item, Damage):
                continue
            where = position(ingest_pb2.AgentMessage.FromString(item.payload), kinds)
            if where is not None and where.seq > committed.get(where.kind, 0):
                rest.note(where.kind, where.seq, where.from_ms, where.to_ms)
    # A frame that can't be read is lost as well, and only the numbers around it tell.
    for kind, span in left.items():
        first = max(span.seq_from, committed.get(kind, 0) + 1)
        span = rest.spans.setdefault(kind, Span(first, span.seq_to, span.from_ms, span.to_ms))
        span.seq_from, span.seq_to = first, left[kind].seq_to
    return rest.spans


def _take(scan: Scan, item: Frame, kinds: dict[int, int]) -> None:
    message = ingest_pb2.AgentMessage.FromString(item.payload)
    which = message.WhichOneof("message")
    if which == "hello":
        scan.hello = message.hello
        learn_layouts(kinds, message.hello.layouts)
    elif which == "describe":
        learn_layouts(kinds, message.describe.layouts)
        if scan.hello is not None:
            scan.hello.devices.extend(message.describe.devices)
            scan.hello.layouts.extend(message.describe.layouts)
    elif (where := position(message, kinds)) is not None:
        scan.segment.note(where.kind, where.seq, where.from_ms, where.to_ms)


def learn_layouts(kinds: dict[int, int], layouts: Iterable[batch_pb2.Layout]) -> None:
    """Remembers which kind each layout's batches are of."""
    for layout in layouts:
        kinds[layout.id] = layout.kind
