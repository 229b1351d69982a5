"""Profiles, their rows and stacks as rows of their tables."""

from typing import Any, Final

import pyarrow as pa

from steelyard_proto.v1 import batch_pb2

TIME: Final[Any] = pa.timestamp("ms", tz="UTC")

_TEXTS: Final = ("id", "job", "run", "profiler", "cause", "state", "reason", "format", "chip")
_SPLIT: Final = (
    "window_ns", "compute_ns", "communication_ns", "overlapped_ns", "memory_copy_ns", "idle_ns", "data_wait_ns",
    "kernels", "kernels_ns", "gaps", "longest_gap_ns",
)  # fmt: skip
_LOSS: Final = ("loss_s", "loss_low_s", "loss_high_s")
_NAMES: Final = ("profile", "job", "by", "layer", "name", "class_name", "core", "shapes", "precision")

_RATE: Final[list[Any]] = [
    ("index", pa.uint32()), ("link", pa.string()), ("direction", pa.string()), ("part", pa.string()),
    ("mean_bytes_per_s", pa.float64()), ("min_bytes_per_s", pa.float64()), ("max_bytes_per_s", pa.float64()),
    ("samples", pa.uint32()),
]  # fmt: skip

# The columns beside the keys that every record has.
PROFILE_FIELDS: Final[list[Any]] = [
    *((name, pa.string()) for name in _TEXTS), ("written_ts", TIME), ("pid", pa.uint32()), ("start_ts", TIME),
    ("rank", pa.int32()), ("world_size", pa.int32()), ("to_ts", TIME), ("devices", pa.uint32()),
    ("steps", pa.uint32()), *((name, pa.uint64()) for name in _SPLIT), *((name, pa.float64()) for name in _LOSS),
    ("with_stacks", pa.bool_()), ("with_shapes", pa.bool_()), ("trace_bytes", pa.uint64()),
    ("notes", pa.list_(pa.string())), ("samples", pa.uint32()), ("sampled_hz", pa.float64()),
    ("rates", pa.list_(pa.struct(_RATE))),
]  # fmt: skip
PROFILE_ROW_FIELDS: Final[list[Any]] = [
    *((name, pa.string()) for name in _NAMES), ("rank", pa.int32()), ("count", pa.uint64()), ("total_ns", pa.uint64()),
    ("self_ns", pa.uint64()), ("min_ns", pa.uint64()), ("max_ns", pa.uint64()), ("flops", pa.float64()),
]  # fmt: skip
STACK_FIELDS: Final[list[Any]] = [
    ("profile", pa.string()), ("job", pa.string()), ("rank", pa.int32()), ("kind", pa.string()),
    ("frames", pa.list_(pa.string())), ("duration_ns", pa.uint64()), ("samples", pa.uint64()), ("waits", pa.string()),
    ("thread", pa.string()),
]  # fmt: skip


def profile_row(profile: batch_pb2.Profile) -> dict[str, Any]:
    """A profile's columns, without the keys."""
    return {
        **_same(profile, *_TEXTS, "pid", "devices", "with_stacks", "with_shapes", "trace_bytes"),
        **_present(profile, "rank", "world_size", "steps", *_SPLIT, *_LOSS, "samples", "sampled_hz"),
        "written_ts": profile.written_ms or None,
        "start_ts": profile.start_ms or None,
        "to_ts": profile.to_ms or None,
        "notes": list(profile.notes),
        "rates": [_rate(rate) for rate in profile.rates],
    }


def profile_row_row(row: batch_pb2.ProfileRow) -> dict[str, Any]:
    """The columns of a sum of a profile, without the keys."""
    return {
        **_same(row, *_NAMES, "count", "total_ns"),
        **_present(row, "rank", "self_ns", "min_ns", "max_ns", "flops"),
    }


def stack_row(stack: batch_pb2.Stack) -> dict[str, Any]:
    """A stack's columns, without the keys."""
    return {
        **_same(stack, "profile", "job", "kind", "waits", "thread"),
        **_present(stack, "rank", "duration_ns", "samples"),
        "frames": list(stack.frames),
    }


def _rate(rate: batch_pb2.Rate) -> dict[str, Any]:
    return {
        **_same(rate, "index", "link", "direction", "part", "mean_bytes_per_s"),
        **_present(rate, "min_bytes_per_s", "max_bytes_per_s", "samples"),
    }


def _same(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _present(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) if row.HasField(name) else None for name in names}
