"""Profiles of a fleet as blocks of their tables: each job has its own operators, and each window its own noise.

Sizes of a window are those that real traces of three steps without Python's frames had: 115 operators and 230 paths of
calls; as many types of kernels as operators are assumed, and as many calls. A class of operators has a time that
differs by factors from job to job, by 3 % from window to window for its sum, and by less for its shortest call; counts
are a job's own and stay.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from steelyard_collector.ingest.record_blocks import SCHEMAS
from steelyard_proto.v1 import batch_pb2

NODES, JOBS, PERIOD_MS = 400, 40, 600_000
_CLASSES: Final = (
    "matmul", "attention", "norm", "elementwise", "optimizer", "embedding", "reduction", "memory movement",
    "all-reduce", "all-gather", "reduce-scatter", "unmatched",
)  # fmt: skip
_OPERATORS, _TYPES, _CALLS, _CORES, _PATHS = 115, 115, 115, 3, 230
# Of all models of a fleet together.
_NAMES: Final = 2_000
_DEPTH: Final = 9


@dataclass(frozen=True, slots=True)
class Job:
    """What all windows of a job have in common, an entry a row: parts, operators, types, cores, calls."""

    by: pa.Array
    names: pa.Array
    classes: pa.Array
    counts: np.ndarray
    mean_ns: np.ndarray
    paths: list[list[str]]
    path_ns: np.ndarray


def make_jobs(seed: int = 11) -> list[Job]:
    """The jobs of the fleet."""
    chance = np.random.default_rng(seed)
    operators = [f"aten::operator_{n}_{'backward' * (n % 2)}" for n in range(_NAMES)]
    kernels = [f"void kernel_{n}<bf16, {n % 8}, {2 << n % 9}>(TensorInfo, at::Functor_{n % 97})" for n in range(_NAMES)]
    return [_job(chance, operators, kernels) for _ in range(JOBS)]


def _job(chance: np.random.Generator, operators: list[str], kernels: list[str]) -> Job:
    chosen = [operators[n] for n in chance.choice(_NAMES, _CALLS, replace=False)]
    names = [
        *_CLASSES, *chosen[:_OPERATORS], *(kernels[n] for n in chance.choice(_NAMES, _TYPES, replace=False)),
        *(f"stream {n}" for n in range(_CORES)), *chosen,
    ]  # fmt: skip
    sizes = {"part": len(_CLASSES), "operator": _OPERATORS, "type": _TYPES, "core": _CORES, "call": _CALLS}
    by = [kind for kind, count in sizes.items() for _ in range(count)]
    classes = ["" if kind in ("part", "core") else _CLASSES[chance.integers(len(_CLASSES))] for kind in by]
    counts = np.where(np.array(by) == "part", 0, 3 * chance.integers(1, 200, len(by)))
    mean_ns = np.exp(chance.normal(10, 1.8, len(by)))
    tree = [f"model.py({n}): forward_{n}" for n in range(40)]
    paths = [
        [*(tree[n] for n in chance.integers(0, 40, _DEPTH - 2)), chosen[n % _CALLS], names[len(_CLASSES) + n % 200]]
        for n in range(_PATHS)
    ]
    return Job(
        pa.array(by), pa.array(names), pa.array(classes), counts, mean_ns, paths, np.exp(chance.normal(11, 2, _PATHS))
    )


def rounds(jobs: list[Job], start_ms: int, count: int, seed: int = 12) -> Iterator[dict[int, pa.Table]]:
    """A block of each kind for one window of every node, again and again; nodes of a job are neighbours."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        stamps = start_ms + number * PERIOD_MS + chance.integers(0, PERIOD_MS, NODES)
        ids = [str(uuid.UUID(int=int.from_bytes(chance.bytes(16)), version=4)) for _ in range(NODES)]
        windows = [(node, jobs[node * JOBS // NODES], int(stamps[node]), ids[node]) for node in range(NODES)]
        told = [_rows(chance, number, *window) for window in windows]
        yield {
            batch_pb2.KIND_PROFILE: pa.concat_tables([one[0] for one in told]).combine_chunks(),
            batch_pb2.KIND_PROFILE_ROW: pa.concat_tables([one[1] for one in told]).combine_chunks(),
            batch_pb2.KIND_STACK: pa.concat_tables([one[2] for one in told]).combine_chunks(),
        }


def _rows(
    chance: np.random.Generator, number: int, node: int, job: Job, ts_ms: int, window: str
) -> tuple[pa.Table, pa.Table, pa.Table]:
    name, rank = f"{48_000 + node * JOBS // NODES}", 8 * node + number % 8
    key = {
        "agent": node + 1, "device_id": 8 * node + number % 8 + 1, "ts": ts_ms, "epoch": 1_764_000_000,
        "seq": number + 1, "job": name, "rank": rank,
    }  # fmt: skip
    count = len(job.counts)
    calls = np.maximum(job.counts, 1)
    totals = (job.mean_ns * calls * chance.normal(1, 0.03, count)).astype(np.uint64)
    is_call, is_part = pa.compute.equal(job.by, "call"), pa.compute.equal(job.by, "part")
    nothing = pa.scalar(None, pa.uint64())
    least = pa.array((job.mean_ns * 0.7 * chance.normal(1, 0.01, count)).astype(np.uint64))
    most = pa.array((job.mean_ns * 2 * np.exp(chance.normal(0, 0.2, count))).astype(np.uint64))
    own = pa.array((totals * 0.6).astype(np.uint64) + chance.integers(0, 1000, count).astype(np.uint64))
    sums = {
        "profile": window, "by": job.by, "layer": pa.compute.if_else(is_part, "compute", ""), "name": job.names,
        "class_name": job.classes, "core": pa.compute.if_else(is_call, "", "stream 7"), "count": job.counts,
        "total_ns": totals, "self_ns": pa.compute.if_else(is_call, own, nothing),
        "min_ns": pa.compute.if_else(is_part, nothing, least), "max_ns": pa.compute.if_else(is_part, nothing, most),
        "shapes": "", "flops": pa.nulls(count, pa.float64()),
    }  # fmt: skip
    path_ns = (job.path_ns * chance.normal(1, 0.03, _PATHS)).astype(np.uint64)
    stacks = {
        "profile": window,
        "kind": "device",
        "frames": job.paths,
        "duration_ns": path_ns,
        "waits": "",
        "thread": "",
    }
    split = dict(zip(("compute_ns", "communication_ns", "overlapped_ns", "idle_ns"), map(int, totals[:4]), strict=True))
    profile = {
        "id": window, "written_ts": ts_ms + 60_000, "pid": 4000 + node % 1000, "run": name, "world_size": 80,
        "profiler": "kineto", "cause": "continuous", "state": "stored", "reason": "", "to_ts": ts_ms + 900,
        "format": "torch.profiler", "chip": "NVIDIA H100 80GB HBM3", "devices": 1, "steps": 3,
        "window_ns": sum(split.values()), **split, "memory_copy_ns": 10**6,
        "data_wait_ns": int(totals[5]), "kernels": 4000, "kernels_ns": int(totals[6]),
        "gaps": 900, "longest_gap_ns": int(totals[7]), "loss_s": float(chance.normal(0.02, 0.01)),
        "loss_low_s": float(chance.normal(0, 0.01)), "loss_high_s": float(chance.normal(0.05, 0.01)),
        "with_stacks": False, "with_shapes": False, "trace_bytes": int(chance.integers(10**6, 10**7)), "notes": [],
    }  # fmt: skip
    return (
        _table(batch_pb2.KIND_PROFILE, 1, {**key, **{column: [value] for column, value in profile.items()}}),
        _table(batch_pb2.KIND_PROFILE_ROW, count, {**key, **sums}),
        _table(batch_pb2.KIND_STACK, _PATHS, {**key, **stacks}),
    )


def _table(kind: int, rows: int, columns: dict[str, object]) -> pa.Table:
    """A block with its columns in order; one value stands for all rows, and what is not named is absent."""
    arrays = []
    for field in SCHEMAS[kind]:
        value = columns.get(field.name)
        if value is None or isinstance(value, int | str | float):
            # Text is never absent: it is empty.
            value = [("" if value is None and field.type == pa.string() else value)] * rows
        array = value if isinstance(value, pa.Array) else pa.array(value)
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMAS[kind])
