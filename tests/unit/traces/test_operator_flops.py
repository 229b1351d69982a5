"""Operations from shapes: worked examples, and nothing where the shapes don't say it."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_traces.document import as_document
from steelyard_traces.operator_flops import Shapes, flops_of_call, flops_of_cann
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import EPOCH_NS, write_table
from tests.standins.kineto_trace import call, kernel, launch, trace_text

Q, K = (2, 8, 128, 64), (2, 8, 256, 64)
FORWARD = 4.0 * 2 * 8 * 128 * 256 * 64
QL, KL = (2, 128, 8, 64), (2, 256, 2, 64)
SUMS = (2, 8, 128, 8)


@pytest.mark.parametrize(
    ("name", "inputs", "flops"),
    [
        ("aten::mm", [(32, 128), (128, 64)], 2.0 * 32 * 128 * 64),
        ("aten::mm", [(32, 128), (64, 128)], None),
        ("aten::mm", [(32, 128)], None),
        ("aten::mm", [], None),
        ("aten::addmm", [(64,), (32, 128), (128, 64), ()], 2.0 * 32 * 128 * 64),
        ("aten::bmm", [(4, 32, 128), (4, 128, 64)], 2.0 * 4 * 32 * 128 * 64),
        ("aten::bmm", [(4, 32, 128), (3, 128, 64)], None),
        ("aten::linear", [(4, 32, 128), (64, 128), (64,)], 2.0 * 4 * 32 * 128 * 64),
        ("aten::add", [(32, 128), (32, 128)], None),
        ("aten::_scaled_dot_product_flash_attention", [Q, K, K], FORWARD),
        ("aten::_scaled_dot_product_flash_attention", [Q, K, (2, 8, 256, 32)], FORWARD * 3 / 4),
        ("aten::_scaled_dot_product_flash_attention_backward", [Q, Q, K, K], FORWARD * 2.5),
        ("aten::_flash_attention_forward", [QL, KL, KL, (), ()], FORWARD),
        ("aten::_flash_attention_forward", [QL, KL, KL, (3,), (3,)], None),
        ("flash_attn::_flash_attn_forward", [(512, 8, 64), (512, 8, 64), (512, 8, 64)], None),
    ],
)
def test_of_torch(name: str, inputs: Shapes, flops: float | None) -> None:
    assert flops_of_call(name, inputs) == flops


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "flops"),
    [
        ("MatMulV2", [(32, 9216), (4096, 9216), (4096,)], [(32, 4096)], 2.0 * 32 * 9216 * 4096),
        ("MatMulV3", [(32, 4096), (32, 9216)], [(4096, 9216)], 2.0 * 32 * 4096 * 9216),
        ("BatchMatMulV2", [(4, 32, 16), (4, 16, 8)], [(4, 32, 8)], 2.0 * 4 * 32 * 16 * 8),
        ("MatMulV2", [(576, 2, 16, 16), (4096, 9216)], [(32, 4096)], None),
        ("MatMulV2", [()], [()], None),
        ("Relu", [(32, 32), (32, 32)], [(32, 32)], None),
        ("FlashAttentionScore", [Q, K, K], [SUMS, SUMS, Q], FORWARD),
        ("FlashAttentionScore", [(2, 128, 512), (2, 256, 512), (2, 256, 512)], [SUMS, SUMS], FORWARD),
        ("FlashAttentionScore", [(128, 2, 512), (256, 2, 512), (256, 2, 512)], [SUMS], FORWARD),
        ("FlashAttentionScoreGrad", [Q, K, K, Q, SUMS, SUMS], [Q, K, K], FORWARD * 2.5),
        ("FlashAttentionScore", [Q, K, K], [Q], None),
        ("FlashAttentionScore", [(512, 8, 64), (512, 8, 64), (512, 8, 64)], [(512, 8, 8)], None),
    ],
)
def test_of_an_npu(kind: str, inputs: Shapes, outputs: Shapes, flops: float | None) -> None:
    assert flops_of_cann(kind, inputs, outputs) == flops


def _matmul(index: int, dims: Any, kind: str = "c10::BFloat16") -> list[dict[str, Any]]:
    """A call that launches a copy, a kernel and one that adds up its parts: 90 us in all, 80 of them kernels."""
    at = index * 100_000
    told = {} if dims is None else {"Input Dims": dims, "Input type": [kind, kind]}
    events = [call("aten::mm", at, 50_000, **told)]
    for piece, (name, length, category) in enumerate(
        (("Memcpy DtoD", 10_000, "gpu_memcpy"), ("nvjet_gemm", 60_000, "kernel"), ("splitKreduce", 20_000, "kernel"))
    ):
        correlation = index * 10 + piece + 1
        events.append(launch(at + piece * 100 + 10, 5, correlation))
        events.append(kernel(name, at + piece * 20_000, length, correlation, category))
    return events


def _operators(path: Path, events: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    path.write_text(trace_text(events, facts={"deviceProperties": [{"id": 0, "name": "NVIDIA H100 80GB HBM3"}]}))
    document = as_document(read_recording(path).profile)
    assert {row["tflops"] for row in document["by_type"]} == {None}, "kernels of one call share its operations"
    return {(row["name"], row["core"]): row for row in document["by_operator"]}


def test_a_call_counts_once_over_all_its_kernels(tmp_path: Path) -> None:
    dims = [[1024, 2048], [2048, 4096]]
    operators = _operators(tmp_path / "t.json", [*_matmul(0, dims), *_matmul(1, dims)])
    row = operators["aten::mm", "kernel"]
    assert row["flops"] == 2 * 2 * 1024 * 2048 * 4096
    assert row["tflops"] == pytest.approx(row["flops"] / 160e-6 / 1e12)
    assert (row["shapes"], row["precision"], row["peak_tflops"]) == ("1024,2048;2048,4096", "bfloat16", 989)
    assert row["peak_share"] == pytest.approx(row["tflops"] / 989)
    assert operators["aten::mm", "gpu_memcpy"]["flops"] is None


def test_what_one_call_does_not_tell_the_sum_does_not(tmp_path: Path) -> None:
    dims = [[8, 8], [8, 8]]
    for other in (None, [[8, 8]], "8;8", [[8, "x"], [8, 8]]):
        row = _operators(tmp_path / "t.json", [*_matmul(0, dims), *_matmul(1, other)])["aten::mm", "kernel"]
        assert (row["flops"], row["tflops"], row["peak_share"]) == (None, None, None)


def test_other_shapes_and_other_numbers_have_no_common_one(tmp_path: Path) -> None:
    events = [*_matmul(0, [[8, 8], [8, 8]]), *_matmul(1, [[8, 16], [16, 8]], "float")]
    row = _operators(tmp_path / "t.json", events)["aten::mm", "kernel"]
    assert (row["flops"], row["shapes"], row["precision"], row["peak_share"]) == (3 * 1024, None, None, None)


def test_an_export_of_an_npu_has_them_by_type(tmp_path: Path) -> None:
    columns = (
        "Name", "Type", "Accelerator Core", "Start Time(us)", "Duration(us)", "Input Shapes", "Input Data Types",
        "Output Shapes",
    )  # fmt: skip
    rows = [
        ("mm", "MatMulV2", "AI_CORE", "0", "100", '"""64,32;128,32"""', "DT_BF16;DT_BF16", '"""64,128"""'),
        ("mm", "MatMulV2", "AI_CORE", "200", "100", '"""64,32;128,32"""', "DT_BF16;DT_BF16", '"""64,128"""'),
        ("add", "Add", "AI_VECTOR_CORE", "400", "10", "N/A", "N/A", "N/A"),
    ]
    at = [
        {**dict(zip(columns, row, strict=True)), "Start Time(us)": f"{EPOCH_NS // 1000 + int(row[3])}"} for row in rows
    ]
    write_table(tmp_path / "kernel_details.csv", columns, at)
    by_type = {work.name: work for work in read_recording(tmp_path).profile.types}
    assert (by_type["MatMulV2"].flops, by_type["MatMulV2"].shapes) == (2 * 2 * 64 * 32 * 128, "64,32;128,32")
    assert (by_type["MatMulV2"].precision, by_type["Add"].flops) == ("bfloat16", None)
