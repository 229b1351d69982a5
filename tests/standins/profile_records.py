"""Profiles as an agent tells them: a window, its rows and its stacks."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from steelyard_proto.v1 import batch_pb2

# By layer, class and nanoseconds: what a window of three steps of a small model comes to.
PARTS: Final = (
    ("compute", "matmul", 60_000_000),
    ("compute", "attention", 12_000_000),
    ("communication", "all-reduce", 9_000_000),
    ("memory copy", "memory copy", 1_000_000),
    ("idle", "data wait", 6_000_000),
    ("idle", "idle", 2_000_000),
)


def profile_id(number: int) -> str:
    """The same UUID for the same number."""
    return str(uuid.UUID(int=number, version=4))


def profile(ts_ms: int, number: int = 1, parts: Sequence[tuple[str, str, int]] = PARTS, **more: Any) -> Any:
    """A window that was stored; its split is that of its parts."""

    def of(layer: str, name: str = "") -> int:
        return sum(ns for at, part, ns in parts if at == layer and name in ("", part))

    fields: dict[str, Any] = {
        "device": 1, "pid": 4711, "start_ms": ts_ms - 600_000, "job": "17", "rank": 0, "world_size": 8,
        "profiler": "kineto", "cause": "continuous", "state": "stored", "to_ms": ts_ms + 900, "format": "Kineto",
        "chip": "NVIDIA H100", "devices": 1, "steps": 3, "window_ns": sum(ns for *_, ns in parts),
        "compute_ns": of("compute"), "communication_ns": of("communication") + 4_000_000, "overlapped_ns": 4_000_000,
        "memory_copy_ns": of("memory copy"), "idle_ns": of("idle"), "data_wait_ns": of("idle", "data wait"),
        "kernels": 900, "kernels_ns": 86_000_000, "gaps": 40, "longest_gap_ns": 500_000, "trace_bytes": 1_200_000,
    }  # fmt: skip
    return batch_pb2.Profile(ts_ms=ts_ms, id=profile_id(number), **{**fields, **more})


def rows(ts_ms: int, number: int = 1, parts: Sequence[tuple[str, str, int]] = PARTS, **more: Any) -> list[Any]:
    """The parts of a window, an operator and its kernel, a core and a call."""
    key: dict[str, Any] = {"ts_ms": ts_ms, "device": 1, "profile": profile_id(number), "job": "17", "rank": 0, **more}
    made = [batch_pb2.ProfileRow(by="part", layer=layer, name=name, total_ns=ns, **key) for layer, name, ns in parts]
    work: dict[str, Any] = {"count": 300, "total_ns": 60_000_000, "min_ns": 100_000, "max_ns": 400_000}
    matmul = "nvjet_hsh_128x256_64x4_2x1_v_bz_coopA_NNT"
    made += [
        batch_pb2.ProfileRow(by="operator", name="aten::mm", class_name="matmul", core="stream 7",
                             shapes="[[4096, 4096], [4096, 4096]]", flops=3e13, precision="bfloat16", **work, **key),
        batch_pb2.ProfileRow(by="type", name=matmul, class_name="matmul", core="stream 7", **work, **key),
        batch_pb2.ProfileRow(by="core", name="stream 7", core="stream 7", **work, **key),
        batch_pb2.ProfileRow(by="call", name="aten::mm", class_name="matmul", core="cpu_op", self_ns=5_000_000, **work,
                             **key),
    ]  # fmt: skip
    return made


def stacks(ts_ms: int, number: int = 1, **more: Any) -> list[Any]:
    """A path on the device, one on the host, and one that py-spy saw waiting."""
    key: dict[str, Any] = {"ts_ms": ts_ms, "device": 1, "profile": profile_id(number), "job": "17", "rank": 0, **more}
    return [
        batch_pb2.Stack(kind="device", frames=["aten::linear", "aten::mm", "nvjet"], duration_ns=60_000_000, **key),
        batch_pb2.Stack(kind="host", frames=["aten::linear"], duration_ns=7_000_000, **key),
        batch_pb2.Stack(kind="sampled", frames=["train", "next", "_get_data"], samples=12, waits="data",
                        thread="MainThread", **key),
    ]  # fmt: skip
