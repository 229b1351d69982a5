"""Large traces as Kineto prints them: steps, Python frames, operators with arguments, launches and kernels."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_THREADS = 8
_FRAMES = [f"torch/nn/modules/module.py({1500 + i}): _call_impl" for i in range(110)]
_OPERATORS = [f"aten::{name}" for name in ("mm", "addmm", "add_", "mul", "copy_", "gelu", "native_layer_norm", "sum")]
_OPERATORS += [f"aten::operator_{i}" for i in range(140)]
_KERNELS = [f"void at::native::vectorized_elementwise_kernel<4, Functor_{i}<float>>(int)" for i in range(30)]
_KERNELS += [f"ampere_sgemm_{i}x128_nt" for i in range(16)]
_COLLECTIVES = [
    "ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevKernelArgs)",
    "ncclDevKernel_AllGather_RING_LL(ncclArgs)",
]
_BASE_NS = 4_203_669_604_595_407
_STEP_NS = 400_000_000
_HEAD = """{
  "schemaVersion": 1,
  "deviceProperties": [
    {"id": 0, "name": "NVIDIA A100-SXM4-80GB"}
  ],
  "displayTimeUnit": "ms",
  "baseTimeNanoseconds": 1775908662000000000,
  "traceEvents": [
"""
_TAIL = """
  ],
  "traceName": "/tmp/trace.json",
  "distributedInfo": {"backend": "nccl", "rank": "3", "world_size": 8}
}
"""


@dataclass(frozen=True, slots=True)
class TraceSize:
    """What was written."""

    events: int
    names: int
    size_bytes: int


def write_trace(path: Path, size_bytes: int, seed: int = 5) -> TraceSize:
    """Writes steps until the file is as large."""
    chance = random.Random(seed)
    written = events = 0
    names: set[str] = set()
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD)
        step = 0
        while written < size_bytes:
            rows = list(_step(step, chance))
            names.update(name for name, _ in rows)
            text = ",\n".join(row for _, row in rows)
            file.write(",\n" + text if step else text)
            written += len(text) + 2
            events += len(rows)
            step += 1
        file.write(_TAIL)
    return TraceSize(events, len(names), path.stat().st_size)


def _step(step: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    begin = _BASE_NS + step * _STEP_NS
    name = f"ProfilerStep#{step % 3}"
    yield name, _event("user_annotation", name, "597913", 597913, begin, _STEP_NS - 1_000, f'"Ev Idx": {step}')
    device_free = [begin + 50_000, begin + 60_000]
    for thread in range(_THREADS):
        at = begin + 1_000
        while at < begin + _STEP_NS // 40:
            length = chance.randrange(200_000, 900_000)
            yield from _frame(597913 + thread, at, length, 0, chance, device_free, step)
            at += length + chance.randrange(500)


def _frame(
    tid: int, at: int, length: int, depth: int, chance: random.Random, device_free: list[int], step: int
) -> Iterator[tuple[str, str]]:
    is_python = depth < 3 or chance.random() < 0.25
    name = chance.choice(_FRAMES if is_python else _OPERATORS)
    if is_python:
        own, parent = chance.randrange(10**6), chance.randrange(10**6)
        arguments = f'"Python id": {own},"Python parent id": {parent},"Ev Idx": {at % 10**6}'
        yield name, _event("python_function", name, "597913", tid, at, length, arguments)
    else:
        arguments = (
            f'"External id": {at % 10**6},"Sequence number": {step}, '
            '"Input type": ["float", "float"], "Input Dims": [[32, 128], [128, 64]]'
        )
        yield name, _event("cpu_op", name, "597913", tid, at, length, arguments)
    if depth >= 9 or length < 4_000:
        if not is_python and length > 800 and tid == 597913:
            yield from _launch(tid, at + 100, chance, device_free)
        return
    inner, end = at + chance.randrange(100, 400), at + length
    for _ in range(chance.randrange(1, 5)):
        share = chance.randrange(400, max(401, length // 3))
        if inner + share >= end:
            break
        yield from _frame(tid, inner, share, depth + 1, chance, device_free, step)
        inner += share + chance.randrange(300)


def _launch(tid: int, at: int, chance: random.Random, device_free: list[int]) -> Iterator[tuple[str, str]]:
    correlation = at % 10**9
    yield (
        "cudaLaunchKernel",
        _event(
            "cuda_runtime", "cudaLaunchKernel", "597913", tid, at, 500, f'"correlation": {correlation}, "cbid": 211'
        ),
    )
    stream = int(chance.random() < 0.1)
    name = chance.choice(_COLLECTIVES if stream else _KERNELS)
    length = chance.randrange(2_000, 90_000)
    start = max(device_free[stream], at + 2_000)
    device_free[stream] = start + length + chance.randrange(3_000)
    arguments = (
        f'"External id": 7, "queued": 0, "device": 0, "context": 1, "stream": {7 + stream}, '
        f'"correlation": {correlation}, '
        '"registers per thread": 40, "shared memory": 400, "grid": [512, 1, 1], "block": [512, 1, 1]'
    )
    yield name, _event("kernel", name, "0", 7 + stream, start, length, arguments)


def _event(category: str, name: str, pid: str, tid: int, start: int, length: int, arguments: str) -> str:
    return (
        f'  {{\n    "ph": "X", "cat": "{category}", "name": "{name}", "pid": {pid}, "tid": {tid},\n'
        f'    "ts": {start // 1000}.{start % 1000:03d}, "dur": {length // 1000}.{length % 1000:03d},\n'
        f'    "args": {{\n      {arguments}\n    }}\n  }}'
    )
