"""Reads messages back out of the spool's segments, for sending."""

import logging
from dataclasses import dataclass
from typing import BinaryIO

from steelyard_agent.spool.record import Damage, Frame, read_frame
from steelyard_agent.spool.segment import Segment, position
from steelyard_proto.v1 import ingest_pb2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A message read back for sending."""

    kind: int
    seq: int
    from_ms: int
    to_ms: int
    message: ingest_pb2.AgentMessage


@dataclass(slots=True)
class Cursor:
    """Where reading goes on; a new one stands at the oldest message."""

    segment: int = 0
    offset: int = 0


def read_some(
    segment: Segment, cursor: Cursor, limit_bytes: int, kinds: dict[int, int], committed: dict[int, int]
) -> list[tuple[int, Spooled]]:
    """The next messages of a segment, each with its size.

    Args:
        segment: the one that the cursor stands in.
        cursor: where to begin; it moves along.
        limit_bytes: the message that goes beyond is the last.
        kinds: which kind each layout's batches are of.
        committed: by kind, what the collector holds already; left out.

    Returns:
        nothing at the segment's end; where a torn tail begins is its end too.
    """
    items: list[tuple[int, Spooled]] = []
    if cursor.offset >= segment.size:
        return items
    with segment.path.open("rb") as file:
        while limit_bytes > 0 and (frame := _next_frame(file, cursor, segment)) is not None:
            message = ingest_pb2.AgentMessage.FromString(frame.payload)
            where = position(message, kinds)
            if where is not None and where.seq > committed.get(where.kind, 0):
                size = len(frame.payload)
                items.append((size, Spooled(where.kind, where.seq, where.from_ms, where.to_ms, message)))
                limit_bytes -= size
    return items


def _next_frame(file: BinaryIO, cursor: Cursor, segment: Segment) -> Frame | None:
    while True:
        item = read_frame(file, cursor.offset)
        if item is None or (isinstance(item, Damage) and item.is_torn_tail):
            return None
        cursor.offset = item.end
        if isinstance(item, Frame):
            return item
        log.warning("%s: byte %d: %s", segment.path, item.offset, item.reason)
