"""Accepted records, gaps and registry rows as Arrow blocks of their tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.ingest.accepted import Gap, Rows
from steelyard_collector.ingest.profile_blocks import (
    PROFILE_FIELDS,
    PROFILE_ROW_FIELDS,
    STACK_FIELDS,
    profile_row,
    profile_row_row,
    stack_row,
)
from steelyard_collector.ingest.training_blocks import STEP_FIELDS, TRAINING_FIELDS, step_row, training_row
from steelyard_collector.ingest.validate import BOUND_KINDS
from steelyard_proto.v1 import batch_pb2

TIME: Final[Any] = pa.timestamp("ms", tz="UTC")
Row = dict[str, Any]

_PROCESS_FIGURES: Final = (
    "hbm_used_bytes", "rank", "local_rank", "world_size", "cpu_share", "rss_bytes", "threads", "voluntary_switches",
    "involuntary_switches", "read_bytes",
)  # fmt: skip

_KEYS: Final[list[Any]] = [("agent", pa.uint32()), ("device_id", pa.uint32()), ("ts", TIME), ("epoch", pa.uint32())]
SCHEMAS: Final[Mapping[int, pa.Schema]] = {
    batch_pb2.KIND_PROCESS: pa.schema(
        [*_KEYS, ("seq", pa.uint32()), ("pid", pa.uint32()), ("start_ts", TIME), ("hbm_used_bytes", pa.uint64()),
         ("rank", pa.int32()), ("local_rank", pa.int32()), ("world_size", pa.int32()), ("job", pa.string()),
         ("user", pa.string()), ("container", pa.string()), ("command", pa.string()), ("cpu_share", pa.float32()),
         ("rss_bytes", pa.uint64()), ("threads", pa.uint32()), ("voluntary_switches", pa.uint64()),
         ("involuntary_switches", pa.uint64()), ("read_bytes", pa.uint64())]
    ),
    batch_pb2.KIND_EVENT: pa.schema(
        [*_KEYS, ("seq", pa.uint32()), ("severity", pa.string()), ("code", pa.string()), ("text", pa.string()),
         ("source", pa.string())]
    ),
    batch_pb2.KIND_JOB_INTERVAL: pa.schema(
        [*_KEYS, ("seq", pa.uint32()), ("job", pa.string()), ("from_ts", TIME), ("to_ts", TIME),
         ("closed", pa.uint8()), ("scheduler", pa.string()), ("user", pa.string()), ("name", pa.string()),
         ("world_size", pa.int32()), ("ranks", pa.list_(pa.int32()))]
    ),
    batch_pb2.KIND_STEP: pa.schema([*_KEYS, ("seq", pa.uint32()), *STEP_FIELDS]),
    batch_pb2.KIND_TRAINING: pa.schema([*_KEYS, ("seq", pa.uint32()), *TRAINING_FIELDS]),
    batch_pb2.KIND_PROFILE: pa.schema([*_KEYS, ("seq", pa.uint32()), *PROFILE_FIELDS]),
    batch_pb2.KIND_PROFILE_ROW: pa.schema([*_KEYS, ("seq", pa.uint32()), *PROFILE_ROW_FIELDS]),
    batch_pb2.KIND_STACK: pa.schema([*_KEYS, ("seq", pa.uint32()), *STACK_FIELDS]),
}  # fmt: skip
GAP_SCHEMA: Final = pa.schema(
    [("agent", pa.uint32()), ("epoch", pa.uint32()), ("kind", pa.uint8()), ("seq_from", pa.uint64()),
     ("seq_to", pa.uint64()), ("from_ts", TIME), ("to_ts", TIME), ("reason", pa.string())]
)  # fmt: skip


def record_block(messages: Sequence[Rows]) -> pa.Table:
    """One block of one records table; all messages are of one kind and one UTC day."""
    kind = messages[0].origin.kind
    columns = _COLUMNS[kind]
    rows = [{**_keys(message, row), **columns(row)} for message in messages for row in message.all]
    return pa.Table.from_pylist(rows, SCHEMAS[kind])


def gap_block(gaps: Sequence[Gap]) -> pa.Table:
    """Rows of the gap table."""
    rows = [
        {
            "agent": gap.origin.agent,
            "epoch": gap.origin.epoch,
            "kind": gap.origin.kind,
            "seq_from": gap.lost.seq_from,
            "seq_to": gap.lost.seq_to,
            "from_ts": gap.lost.from_ms or None,
            "to_ts": gap.lost.to_ms or None,
            "reason": gap.lost.reason,
        }
        for gap in gaps
    ]
    return pa.Table.from_pylist(rows, GAP_SCHEMA)


def _process(process: batch_pb2.Process) -> Row:
    return {
        "pid": process.pid,
        "start_ts": process.start_ms or None,
        **_present(process, *_PROCESS_FIGURES),
        "job": process.job,
        "user": process.user,
        "container": process.container,
        "command": process.command,
    }


def _event(event: batch_pb2.Event) -> Row:
    return {"severity": event.severity, "code": event.code, "text": event.text, "source": event.source}


def _job_interval(interval: batch_pb2.JobInterval) -> Row:
    return {
        "job": interval.job,
        "from_ts": interval.from_ms,
        "to_ts": interval.to_ms,
        "closed": int(interval.closed),
        "scheduler": interval.scheduler,
        "user": interval.user,
        "name": interval.name,
        **_present(interval, "world_size"),
        "ranks": list(interval.ranks),
    }


# Without the keys.
_COLUMNS: Final[Mapping[int, Callable[[Any], Row]]] = {
    batch_pb2.KIND_PROCESS: _process,
    batch_pb2.KIND_EVENT: _event,
    batch_pb2.KIND_JOB_INTERVAL: _job_interval,
    batch_pb2.KIND_STEP: step_row,
    batch_pb2.KIND_TRAINING: training_row,
    batch_pb2.KIND_PROFILE: profile_row,
    batch_pb2.KIND_PROFILE_ROW: profile_row_row,
    batch_pb2.KIND_STACK: stack_row,
}


def _keys(message: Rows, row: Any) -> Row:
    origin = message.origin
    has_device = origin.kind in BOUND_KINDS or row.HasField("device")
    device_id = message.device_ids[row.device] if has_device else None
    return {"agent": origin.agent, "device_id": device_id, "ts": row.ts_ms, "epoch": origin.epoch, "seq": origin.seq}


def _present(row: Any, *names: str) -> Row:
    return {name: getattr(row, name) if row.HasField(name) else None for name in names}
