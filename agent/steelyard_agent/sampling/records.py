"""Puts rows into Records, none of which crosses a UTC day."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final, Protocol

from steelyard_agent.model import Event
from steelyard_proto.records import FIELDS
from steelyard_proto.v1 import batch_pb2, ingest_pb2

_DAY_MS: Final = 86_400_000
# So that a message stays far below any collector's limit; a stack has many names.
_MAX_ROWS: Final = 1000
_MAX_STACKS: Final = 100

Framed = tuple[ingest_pb2.AgentMessage, int, int]


class Stamped(Protocol):
    """A row with a time."""

    ts_ms: int


def framed(kind: batch_pb2.Kind, rows: Iterable[Stamped]) -> Iterator[Framed]:
    """Messages of rows of one kind, by rising time; each with its first and last time."""
    most = _MAX_STACKS if kind == batch_pb2.KIND_STACK else _MAX_ROWS
    for _, group in groupby(rows, key=lambda row: row.ts_ms // _DAY_MS):
        day = list(group)
        for start in range(0, len(day), most):
            part = day[start : start + most]
            records = batch_pb2.Records(kind=kind, **{FIELDS[kind]: part})  # type: ignore[arg-type]
            yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def event_rows(events: Iterable[Event], find_key: Callable[[str], int | None]) -> list[batch_pb2.Event]:
    """Rows of the kind EVENT.

    Args:
        events: by rising time.
        find_key: a device's key by its uid; None where it was never declared.
    """
    return [_event(event, find_key) for event in events]


def _event(event: Event, find_key: Callable[[str], int | None]) -> batch_pb2.Event:
    row = batch_pb2.Event(
        ts_ms=event.ts_ms, severity=event.severity, code=event.code, text=event.text, source=event.source
    )
    key = find_key(event.uid) if event.uid else None
    if key is not None:
        row.device = key
    return row
