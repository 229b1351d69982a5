"""Floating point operations of matrix products and attention, from the shapes of their inputs.

A product of [m, k] and [k, n] is 2 m k n operations. Attention is its two products (backward: five of that
size), counted in full where a mask lets a kernel skip some, as torch's own counter does. What isn't certain is None.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Final

Shape = tuple[int, ...]
Shapes = Sequence[Shape]

_BACKWARD: Final = 2.5
_STATISTICS: Final = 8
"""The last dimension of the sums that CANN's attention gives to its backward: [batch, heads, queries, 8]."""


def flops_of_call(name: str, inputs: Shapes) -> float | None:
    """Of one call of a torch operator; None for operators that aren't counted."""
    counter = _CALLS.get(name)
    try:
        return counter(inputs) if counter else None
    except (IndexError, ValueError):
        return None


def flops_of_cann(kind: str, inputs: Shapes, outputs: Shapes) -> float | None:
    """Of one task of an NPU, whose inputs may lie transposed."""
    try:
        if kind.startswith("FlashAttentionScore"):
            return _cann_attention(kind, inputs, outputs)
        return _cann_product(inputs[0], inputs[1], outputs[0]) if kind in _CANN_PRODUCTS else None
    except (IndexError, ValueError):
        return None


def _product(a: Shape, b: Shape) -> float | None:
    """Of [..., m, k] and [..., k, n] with the same leading dimensions."""
    (*lead, m, k), (*other, inner, n) = a, b
    return float(2 * prod(lead) * m * k * n) if inner == k and lead == other else None


def _linear(inputs: Shapes) -> float | None:
    (*lead, k), (n, inner) = inputs[0], inputs[1]
    return float(2 * prod(lead) * k * n) if lead and inner == k else None


def _attention(q: Shape, k: Shape, v: Shape, length: int) -> float | None:
    """Of three tensors with four dimensions, of which `length` is that of queries or keys."""
    heads = 3 - length
    if min(len(q), len(k), len(v)) != 4 or max(len(q), len(k), len(v)) != 4 or q[3] != k[3] or q[0] != k[0]:
        return None
    return float(2 * q[0] * q[heads] * q[length] * k[length] * (q[3] + v[3]))


def _head_first(inputs: Shapes) -> float | None:
    return _attention(inputs[0], inputs[1], inputs[2], 2)


def _head_first_backward(inputs: Shapes) -> float | None:
    forward = _attention(inputs[1], inputs[2], inputs[3], 2)
    return None if forward is None else _BACKWARD * forward


def _length_first(inputs: Shapes) -> float | None:
    """Sequences of several lengths in one come with their bounds, and what they take isn't in the shapes."""
    is_packed = any(inputs[3:6]) and any(len(shape) == 1 for shape in inputs[3:6])
    return None if is_packed else _attention(inputs[0], inputs[1], inputs[2], 1)


def _length_first_backward(inputs: Shapes) -> float | None:
    forward = _attention(inputs[1], inputs[2], inputs[3], 1)
    is_packed = any(len(shape) == 1 and shape[0] > 1 for shape in inputs[6:10])
    return None if forward is None or is_packed else _BACKWARD * forward


_CALLS: Final[dict[str, Callable[[Shapes], float | None]]] = {
    **dict.fromkeys(
        ("aten::mm", "aten::bmm", "aten::_scaled_mm", "aten::mm_out", "aten::bmm_out"), lambda x: _product(x[0], x[1])
    ),
    **dict.fromkeys(("aten::addmm", "aten::baddbmm", "aten::_addmm_activation"), lambda x: _product(x[1], x[2])),
    "aten::linear": _linear,
    "aten::mkldnn_linear": _linear,
    **dict.fromkeys(
        (
            "aten::_scaled_dot_product_flash_attention",
            "aten::_scaled_dot_product_efficient_attention",
            "aten::_scaled_dot_product_cudnn_attention",
            "aten::_scaled_dot_product_flash_attention_for_cpu",
        ),
        _head_first,
    ),
    **dict.fromkeys(
        (
            "aten::_scaled_dot_product_flash_attention_backward",
            "aten::_scaled_dot_product_efficient_attention_backward",
            "aten::_scaled_dot_product_cudnn_attention_backward",
            "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
        ),
        _head_first_backward,
    ),
    "aten::_flash_attention_forward": _length_first,
    "aten::_efficient_attention_forward": _length_first,
    "flash_attn::_flash_attn_forward": _length_first,
    "aten::_flash_attention_backward": _length_first_backward,
    "aten::_efficient_attention_backward": _length_first_backward,
}
COUNTED: Final = frozenset(_CALLS)
_CANN_PRODUCTS: Final = frozenset({
    "MatMul", "MatMulV2", "MatMulV3", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "TransposeBatchMatMul",
})  # fmt: skip


def _cann_product(a: Shape, b: Shape, out: Shape) -> float | None:
    """The inner dimension is what is left of the first input; the second must agree."""
    (*lead, m, n) = out
    rows = prod(lead) * m
    if not rows or not n or prod(a) % rows:
        return None
    k = prod(a) // rows
    is_product = prod(b) in (k * n, prod(lead) * k * n) and k in a and k in b
    return float(2 * rows * k * n) if is_product else None


def _cann_attention(kind: str, inputs: Shapes, outputs: Shapes) -> float | None:
    q, k = inputs[0], inputs[1]
    is_backward = kind.endswith("Grad")
    statistics = [s for s in (inputs if is_backward else outputs) if len(s) == 4 and s[3] == _STATISTICS]
    if not statistics or len(q) != len(k):
        return None
    batch, heads, queries, _ = statistics[0]
    depth, rest = divmod(prod(q), batch * heads * queries)
    # The dimension in which queries and keys have their lengths: it may stand first, second or third.
    layouts = (
        (batch, queries, heads * depth), (queries, batch, heads * depth),
        (batch, heads, queries, depth), (batch, queries, heads, depth),
    )  # fmt: skip
    places: dict[Shape, int] = {
        layout: layout.index(queries) if layout.count(queries) == 1 else -1 for layout in layouts
    }
    place = places.get(q, -1)
    if rest or place < 0:
        return None
    forward = float(4 * batch * heads * queries * k[place] * depth)
    return _BACKWARD * forward if is_backward else forward
