"""What calls are counted at: operations, the shapes of their inputs and the precision they have in common."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from steelyard_traces.intervals import Ints
from steelyard_traces.operator_flops import Shape, flops_of_call, flops_of_cann

NO_SIGNATURE: Final = -1
_PRECISIONS: Final = {
    "c10::bfloat16": "bfloat16", "bfloat16": "bfloat16", "dt_bf16": "bfloat16", "bf16": "bfloat16",
    "c10::half": "float16", "half": "float16", "float16": "float16", "dt_float16": "float16", "fp16": "float16",
    "float": "float32", "float32": "float32", "dt_float": "float32", "fp32": "float32",
}  # fmt: skip

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs of a call: `32,128;128,64`, and what their numbers are; empty where they differ or aren't told."""

    shapes: str
    precision: str


@dataclass(frozen=True, slots=True)
class Counts:
    """For pieces of work, as columns.

    Attributes:
        flops: NaN where it isn't known, so that a sum with one such piece isn't either.
        signature: an index into `signatures`; `NO_SIGNATURE` where there is none.
    """

    flops: Floats
    signature: Ints
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What several pieces have in common, and their sum."""

    flops: float | None = None
    shapes: str = ""
    precision: str = ""


def counted(counts: Counts | None, index: Ints, rows: int) -> list[Counted]:
    """One for each of so many rows; `index` says to which row a piece belongs."""
    if counts is None or not len(index):
        return [Counted()] * rows
    sums = np.bincount(index, weights=counts.flops, minlength=rows)
    told: list[list[Signature]] = [[] for _ in range(rows)]
    base = len(counts.signatures) + 1
    for pair in np.unique(index * base + counts.signature + 1).tolist():
        row, signature = divmod(pair, base)
        if signature:
            told[row].append(counts.signatures[signature - 1])
    return [_counted(float(flops), signatures) for flops, signatures in zip(sums, told, strict=True)]


def _counted(flops: float, signatures: list[Signature]) -> Counted:
    if not flops > 0:
        return Counted()
    precisions = {one.precision for one in signatures}
    return Counted(
        flops, signatures[0].shapes if len(signatures) == 1 else "", precisions.pop() if len(precisions) == 1 else ""
    )


def flops_and_signature(name: str, dims: bytes, types: bytes) -> tuple[float, Signature]:
    """What Kineto's `Input Dims` and `Input type` of a call say; NaN where that isn't enough."""
    try:
        told, kinds = msgspec.json.decode(dims), msgspec.json.decode(types or b"[]")
        shapes = [_shape(one) for one in told]
        flops = flops_of_call(name, shapes)
        precisions = {precision_of(str(kind)) for kind, shape in zip(kinds, shapes, strict=False) if shape}
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError):
        return float("nan"), Signature("", "")
    text = ";".join(",".join(map(str, shape)) for shape in shapes if shape)
    precision = precisions.pop() if len(precisions) == 1 else ""
    return float("nan") if flops is None else flops, Signature(text, precision)


@lru_cache(maxsize=4096)
def flops_and_signature_of_cann(kind: str, inputs: str, outputs: str, types: str) -> tuple[float, Signature]:
    """The same for a task of an NPU, whose shapes are written `"32,128;128,64"`."""
    shapes = [_sizes(one) for one in inputs.strip(' "').split(";")]
    flops = flops_of_cann(kind, shapes, [_sizes(one) for one in outputs.strip(' "').split(";")])
    if flops is None:
        return float("nan"), Signature("", "")
    text = ";".join(",".join(map(str, shape)) for shape in shapes if shape)
    told = zip(types.strip(' "').split(";"), shapes, strict=False)
    precisions = {precision_of(one) for one, shape in told if shape}
    return flops, Signature(text, precisions.pop() if len(precisions) == 1 else "")


def precision_of(kind: str) -> str:
    """A type of numbers in words of ours; empty for one that has no peak of its own."""
    return _PRECISIONS.get(kind.strip().lower(), "")


def _sizes(text: str) -> Shape:
    sizes = [size.strip() for size in text.split(",")]
    return tuple(map(int, sizes)) if all(size.isdecimal() for size in sizes) else ()


def _shape(value: Any) -> Shape:
    """A tensor's; nothing for a scalar, and for a list of tensors."""
    return tuple(value) if isinstance(value, list) and all(isinstance(size, int) for size in value) else ()
