"""Steps, training facts and allocations of a few jobs, for tests of the figures."""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from steelyard_collector.ingest.record_blocks import SCHEMAS
from steelyard_collector.store.base import Store
from steelyard_collector.store.job_facts import put_facts as learn
from steelyard_collector.store.job_rollup import JobRoller
from steelyard_collector.store.rollup import Roller
from steelyard_proto.v1 import batch_pb2

Row = dict[str, Any]

_STEP: Row = {"agent": 1, "epoch": 1, "devices": 1.0, "pid": 1, "run": "", "steps": 1, "token_copies": 1, "mark": "",
              "origin": "inferred", "tokens_origin": "inferred", "tokens_absent": "", "total_steps": 0, "total_s": 0.0,
              "step": 1000}  # fmt: skip
_FACTS: Row = {"agent": 1, "epoch": 1, "pid": 1, "run": "", "model": "llama-7b", "architecture": "", "optimizer": "",
               "precision": "bfloat16", "task": "", "sequence_length": 4096, "currency": "", "software": [],
               "origins": [], "absent": []}  # fmt: skip
_HELD: Row = {"agent": 1, "epoch": 1, "closed": 0, "scheduler": "slurm", "user": "ines", "name": "", "ranks": []}


_MINUTE: Row = {"agent": 1, "vendor": "nvidia", "chip": "H100", "part": "package", "run": "", "n": 1, "ranks": 1,
                "devices": 1.0, "steps": 20, "nonpad_tokens": None, "loss_tokens": None, "checkpoint_steps": 0,
                "checkpoint_device_s": 0.0, "checkpoint_tokens": None, "wall_s": None, "energy_j": None,
                "held_devices": 0, "tensor_clock_sum": 0.0, "tensor_clock_n": 0, "origin": "inferred",
                "tokens_origin": "declared", "tokens_absent": "", "ver": 1}  # fmt: skip
_TYPED: dict[str, Any] = {
    "bucket": pa.timestamp("s", tz="UTC"),
    "step_hist": pa.map_(pa.int16(), pa.uint64()),
}
_TABLES = ("step", "training", "job_interval", "live_job", "raw_device", "live_device", "roll_10s", "roll_1m",
           "roll_1h", "roll_state", "job_minute", "job_hour", "job_fact", "live_efficiency")  # fmt: skip


def empty(store: Store) -> None:
    """Drops what tests put into a store that they share, but for its agents and devices."""
    for table in _TABLES:
        store.command(f"TRUNCATE TABLE steelyard_store.{table}")
    store.load_fleet()
    store.dirty.take(1 << 31)
    store.dirty_jobs.take(1 << 31)
    store.told_jobs.take()


def put_steps(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each row gives job, ts (Unix ms), step_time_s, tokens and what differs; seq counts on."""
    _put(store, "step", batch_pb2.KIND_STEP, [{"seq": n, **_STEP, **row} for n, row in enumerate(rows, 1)])


def tell_facts(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each row gives job, ts, start_ts and what differs; the next rollup learns them."""
    whole = [{"seq": n, **_FACTS, **row} for n, row in enumerate(rows, 1)]
    _put(store, "training", batch_pb2.KIND_TRAINING, whole)


def put_facts(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same as a rollup has learnt them."""
    tell_facts(store, rows)
    learn(store, store.told_jobs.take(), time.time_ns())


def put_held(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each row gives job, device_id, from_ts, to_ts and what differs."""
    whole = [{"seq": n, "ts": row["to_ts"], **_HELD, **row} for n, row in enumerate(rows, 1)]
    _put(store, "job_interval", batch_pb2.KIND_JOB_INTERVAL, whole)


def put_minutes(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of job_minute as a rollup would have made them: each gives job, bucket (Unix s) and what differs."""
    whole = [{**_MINUTE, **row} for row in rows]
    table = pa.Table.from_pylist([{name: row[name] for name in row if name not in _TYPED} for row in whole])
    for name, kind in _TYPED.items():
        if name in whole[0]:
            table = table.append_column(name, pa.array([row[name] for row in whole], kind))
    store.insert("job_minute", table, token=uuid.uuid4().hex)


def put_process(store: Store, job: str, device: int, now_s: int, **figures: int) -> None:
    """A process of the job on a device, as seen at that time."""
    row = {"agent": 1, "device_id": device, "ts": now_s * 1000, "epoch": 1, "seq": device, "pid": device, "job": job,
           "user": "ines", "container": "", "command": "python3", **figures}  # fmt: skip
    schema = SCHEMAS[batch_pb2.KIND_PROCESS]
    whole = {name: row.get(name) for name in schema.names}
    table = pa.Table.from_pylist([whole], schema).drop_columns([name for name in schema.names if whole[name] is None])
    store.insert("process", table, token=uuid.uuid4().hex)


class Rollers:
    """Both rollups as upkeep runs them."""

    def __init__(self, store: Store) -> None:
        self.devices = Roller(store, store.dirty)
        self.jobs = JobRoller(store, self.devices.rolled)

    def run(self, now_ms: int) -> int:
        self.devices.run_once(now_ms)
        return self.jobs.run_once(now_ms)


def _put(store: Store, table: str, kind: int, rows: Sequence[Row]) -> None:
    store.insert(table, pa.Table.from_pylist(list(rows), SCHEMAS[kind]), token=uuid.uuid4().hex)
