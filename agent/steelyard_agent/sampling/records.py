"""Puts rows into Records, none of which crosses a UTC day."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Protocol, TypeVar

from steelyard_agent.model import Event
from steelyard_proto.v1 import batch_pb2, ingest_pb2

_DAY_MS: Final = 86_400_000
# So that a message stays far below any collector's limit.
_MAX_ROWS: Final = 1000
_MAX_STACKS: Final = 100

Framed = tuple[ingest_pb2.AgentMessage, int, int]


def event_records(events: Iterable[Event], find_key: Callable[[str], int | None]) -> Iterator[Framed]:
    """Messages of the kind EVENT, each with its first and last time.

    Args:
        events: by rising time.
        find_key: a device's key by its uid; None where it was never declared.
    """
    rows = [_event(event, find_key) for event in events]
    for part in by_day(rows):
        records = batch_pb2.Records(kind=batch_pb2.KIND_EVENT, events=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def process_records(rows: Iterable[batch_pb2.Process]) -> Iterator[Framed]:
    """Messages of the kind PROCESS."""
    for part in by_day(list(rows)):
        records = batch_pb2.Records(kind=batch_pb2.KIND_PROCESS, processes=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def interval_records(rows: Iterable[batch_pb2.JobInterval]) -> Iterator[Framed]:
    """Messages of the kind JOB_INTERVAL."""
    for part in by_day(list(rows)):
        records = batch_pb2.Records(kind=batch_pb2.KIND_JOB_INTERVAL, job_intervals=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def step_records(rows: Iterable[batch_pb2.Step]) -> Iterator[Framed]:
    """Messages of the kind STEP."""
    for part in by_day(list(rows)):
        records = batch_pb2.Records(kind=batch_pb2.KIND_STEP, steps=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def training_records(rows: Iterable[batch_pb2.Training]) -> Iterator[Framed]:
    """Messages of the kind TRAINING."""
    for part in by_day(list(rows)):
        records = batch_pb2.Records(kind=batch_pb2.KIND_TRAINING, trainings=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def profile_records(rows: Iterable[batch_pb2.Profile]) -> Iterator[Framed]:
    """Messages of the kind PROFILE."""
    for part in by_day(list(rows)):
        records = batch_pb2.Records(kind=batch_pb2.KIND_PROFILE, profiles=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def profile_row_records(rows: Iterable[batch_pb2.ProfileRow]) -> Iterator[Framed]:
    """Messages of the kind PROFILE_ROW."""
    for part in by_day(list(rows)):
        records = batch_pb2.Records(kind=batch_pb2.KIND_PROFILE_ROW, profile_rows=part)
        yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


def stack_records(rows: Iterable[batch_pb2.Stack]) -> Iterator[Framed]:
    """Messages of the kind STACK; fewer a message, for each has many names."""
    for day in by_day(list(rows)):
        for start in range(0, len(day), _MAX_STACKS):
            part = day[start : start + _MAX_STACKS]
            records = batch_pb2.Records(kind=batch_pb2.KIND_STACK, stacks=part)
            yield ingest_pb2.AgentMessage(records=records), part[0].ts_ms, part[-1].ts_ms


class _Stamped(Protocol):
    """A row with a time."""

    ts_ms: int


_Row = TypeVar("_Row", bound=_Stamped)


def by_day(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Cuts rows at midnight, and where they are many."""
    for _, group in groupby(rows, key=lambda row: row.ts_ms // _DAY_MS):
        day = list(group)
        for start in range(0, len(day), _MAX_ROWS):
            yield day[start : start + _MAX_ROWS]


def _event(event: Event, find_key: Callable[[str], int | None]) -> batch_pb2.Event:
    row = batch_pb2.Event(
        ts_ms=event.ts_ms, severity=event.severity, code=event.code, text=event.text, source=event.source
    )
    key = find_key(event.uid) if event.uid else None
    if key is not None:
        row.device = key
    return row
