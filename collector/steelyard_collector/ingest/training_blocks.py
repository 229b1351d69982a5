"""Steps and training facts as rows of their tables."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from steelyard_proto.v1 import batch_pb2

TIME: Final[Any] = pa.timestamp("ms", tz="UTC")
TEXTS: Final[Any] = pa.map_(pa.string(), pa.string())

_COUNTS: Final = ("tokens", "nonpad_tokens", "loss_tokens", "samples")
_SIZES: Final = (
    "layers", "heads", "hidden", "head_size", "experts", "active_experts", "sequence_length", "global_batch",
    "data_parallel", "tensor_parallel", "pipeline_parallel", "context_parallel", "expert_parallel",
)  # fmt: skip
_PARAMETERS: Final = ("parameters", "trainable_parameters", "matmul_parameters", "active_parameters")
_NAMES: Final = ("model", "architecture", "optimizer", "precision", "task")

# The columns beside the keys that every record has.
STEP_FIELDS: Final[list[Any]] = [
    ("devices", pa.float64()), ("pid", pa.uint32()), ("start_ts", TIME), ("begin_ts", TIME), ("job", pa.string()),
    ("run", pa.string()), ("rank", pa.int32()), ("local_rank", pa.int32()), ("world_size", pa.int32()),
    ("data_parallel", pa.int32()), ("step", pa.uint64()), ("steps", pa.uint32()), ("step_time_s", pa.float64()),
    *((name, pa.uint64()) for name in _COUNTS), ("token_copies", pa.uint32()), ("host_gap_s", pa.float64()),
    ("mark", pa.string()), ("origin", pa.string()), ("tokens_origin", pa.string()), ("tokens_absent", pa.string()),
    ("total_steps", pa.uint64()), ("total_tokens", pa.uint64()), ("total_s", pa.float64()), ("loss", pa.float64()),
]  # fmt: skip
TRAINING_FIELDS: Final[list[Any]] = [
    ("pid", pa.uint32()), ("start_ts", TIME), ("job", pa.string()), ("run", pa.string()), ("rank", pa.int32()),
    ("world_size", pa.int32()), *((name, pa.string()) for name in _NAMES),
    *((name, pa.uint64()) for name in _PARAMETERS),
    *((name, pa.uint32()) for name in _SIZES), ("declared_tokens_per_step", pa.uint64()),
    ("price_per_device_hour", pa.float64()), ("currency", pa.string()), ("recompute", pa.bool_()),
    ("software", TEXTS), ("origins", TEXTS), ("absent", TEXTS),
]  # fmt: skip


def step_row(step: batch_pb2.Step) -> dict[str, Any]:
    """A step's columns, without the keys."""
    return {
        **_present(step, "devices", "rank", "local_rank", "world_size", "data_parallel", "step_time_s"),
        **_present(step, *_COUNTS, "host_gap_s", "total_tokens", "loss"),
        **_same(step, "pid", "job", "run", "step", "steps", "mark", "origin", "tokens_origin", "tokens_absent"),
        **_same(step, "total_steps", "total_s"),
        "start_ts": step.start_ms or None,
        "begin_ts": step.begin_ms or None,
        "token_copies": step.token_copies or 1,
    }


def training_row(training: batch_pb2.Training) -> dict[str, Any]:
    """A training's columns, without the keys."""
    return {
        **_present(training, "rank", "world_size", *_PARAMETERS, *_SIZES),
        **_present(training, "declared_tokens_per_step", "price_per_device_hour", "recompute"),
        **_same(training, "pid", "job", "run", *_NAMES, "currency"),
        "start_ts": training.start_ms,
        **{name: _sorted(getattr(training, name)) for name in ("software", "origins", "absent")},
    }


def _sorted(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(texts.items())


def _same(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _present(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) if row.HasField(name) else None for name in names}
