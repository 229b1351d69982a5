"""`steelyard ops --file`: each format, from a trace alone."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.units import ABSENT
from steelyard_tui.cli import main
from tests.standins.kineto_trace import call, kernel, launch, trace_text
from tests.standins.msprof import write_sampling

SHORT_GEMM = "ampere_sgemm_32x128_nt"
LONG = "void at::native::(anonymous namespace)::" + "very_long_name_" * 20


@pytest.fixture
def trace(tmp_path: Path) -> str:
    events = [
        call("ProfilerStep#1", 0, 100_000, "user_annotation"),
        call("aten::addmm;odd", 1_000, 5_000),
        launch(2_000, 500, 1),
        launch(3_000, 500, 2),
        kernel(SHORT_GEMM, 10_000, 40_000, 1),
        kernel(LONG, 50_000, 20_001, 2),
        kernel("ncclDevKernel_AllGather_RING_LL", 60_000, 30_000, 9),
    ]
    path = tmp_path / "trace.json"
    path.write_text(
        trace_text(events, facts={"deviceProperties": [{"id": 0, "name": "NVIDIA H100"}]}), encoding="utf-8"
    )
    return str(path)


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["ops", *arguments]) == 0
    return capsys.readouterr().out


def test_of_a_device_that_was_sampled_the_rates_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write_sampling(tmp_path))
    out = _said(capsys, "--file", path)
    lines = [line.split() for line in out.splitlines()]
    assert out.splitlines()[0].endswith(": msprof, system sampling")
    assert ["device", "moved", "GB/s", "least", "most"] in lines
    assert ["3", "hbm", "0", "read", "0.839", "0.734", "0.944"] in lines
    assert ["3", "pcie", "non-posted", "received", "0.002", "0.000", "0.005"] in lines
    assert "where the time went" not in out
    told = json.loads(_said(capsys, "--file", path, "--format", "json"))
    assert told["rates"][0]["mean_bytes_per_s"] == 800 * (1 << 20)
    assert _said(capsys, "--file", path, "--format", "csv") == ""


def test_the_table_says_where_the_time_went(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "--file", trace]) == 0
    said = capsys.readouterr()
    assert "NVIDIA H100, 1 step, 0.080 ms each" in said.out
    assert "matmul" in said.out
    assert "exposed all-gather" in said.out
    assert "communication hidden behind compute: 0.010 ms" in said.out
    assert "unmatched: operators that no class knows, 25.0% of the time" in said.out
    assert "launched before the recording began" in said.err


def test_the_rows_can_be_chosen_and_cut(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    by_type = _said(capsys, "--file", trace, "--by", "type", "--top", "2")
    assert "1 more; --top 3 shows all" in by_type
    assert max(len(line) for line in by_type.splitlines()[1:]) < 160
    assert "kernel" in _said(capsys, "--file", trace, "--by", "core")
    assert "cudaLaunchKernel" in _said(capsys, "--file", trace, "--by", "call")


def test_json_has_totals_in_integer_nanoseconds(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(_said(capsys, "--file", trace, "--format", "json"))
    totals = document["totals"]
    assert totals["kernels"] == 3
    assert totals["kernels_ns"] == 90_001
    assert totals["compute_ns"] == 60_001
    assert (totals["communication_ns"], totals["overlapped_ns"], totals["exposed_ns"]) == (30_000, 10_001, 19_999)
    assert (totals["window_ns"], totals["idle_ns"], totals["memory_copy_ns"]) == (80_000, 0, 0)
    assert sum(row["total_ns"] for row in document["by_class"]) == totals["window_ns"]
    for rows in ("by_operator", "by_type", "by_core"):
        assert sum(row["total_ns"] for row in document[rows]) == totals["kernels_ns"]
    assert [step["step"] for step in document["by_step"]] == ["1"]


def test_csv_has_a_row_for_each(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(_said(capsys, "--file", trace, "--format", "csv", "--by", "type"))))
    assert (rows[0]["name"], rows[0]["total_ns"]) == (SHORT_GEMM, "40000")
    assert len(rows) == 3


def test_flame_graphs_have_the_same_sums(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _said(capsys, "--file", trace, "--format", "collapsed").splitlines()
    assert f"ProfilerStep#1;aten::addmm,odd;cudaLaunchKernel;{SHORT_GEMM} 40000" in lines
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == 90_001
    scope = json.loads(_said(capsys, "--file", trace, "--format", "speedscope"))
    (profile,) = scope["profiles"]
    assert sum(profile["weights"]) == profile["endValue"] == 90_001
    frames = [frame["name"] for frame in scope["shared"]["frames"]]
    assert [frames[i] for i in profile["samples"][0]][-1] == SHORT_GEMM


def test_without_a_device_calls_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cpu.json"
    path.write_text(trace_text([call("aten::mm", 0, 5_000), call("aten::add", 1_000, 1_000)]), encoding="utf-8")
    said = _said(capsys, "--file", str(path))
    assert "no device: the host's busiest thread, no steps marked" in said
    assert "self ms" in said
    assert json.loads(_said(capsys, "--file", str(path), "--format", "json"))["totals"]["compute_ns"] is None


def test_faults_are_exit_code_1_and_name_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "none.json")
    assert main(["ops", "--file", missing]) == 1
    assert missing in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "steelyard_traces.reading", None)
    assert main(["ops", "--file", missing]) == 1
    assert "pip install 'steelyard[traces]'" in capsys.readouterr().err


def test_rates_stand_beside_matmuls_whose_shapes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dims = {"Input Dims": [[4096, 4096], [4096, 4096]], "Input type": ["c10::BFloat16", "c10::BFloat16"]}
    events = [
        call("aten::mm", 0, 5_000, **dims),
        launch(1_000, 500, 1),
        call("aten::add", 6_000, 5_000),
        launch(7_000, 500, 2),
        kernel(SHORT_GEMM, 10_000, 200_000, 1),
        kernel("vectorized_elementwise_kernel", 210_000, 100_000, 2),
    ]
    path = tmp_path / "shapes.json"
    facts = {"deviceProperties": [{"id": 0, "name": "NVIDIA H100 80GB HBM3"}]}
    path.write_text(trace_text(events, facts=facts), encoding="utf-8")
    lines = _said(capsys, "--file", str(path)).splitlines()
    (head,) = (line for line in lines if "TFLOP/s" in line)
    assert head.endswith("TFLOP/s  of peak")
    (matmul,) = (line for line in lines if "aten::mm" in line)
    assert matmul.split()[-2:] == ["687.2", "69.5%"], "2 x 4096^3 in 200 us, of 989"
    (add,) = (line for line in lines if "aten::add" in line)
    assert add.split()[-2:] == [ABSENT, ABSENT]
    path.write_text(trace_text(events), encoding="utf-8")
    said = _said(capsys, "--file", str(path))
    assert "TFLOP/s" in said
    assert "of peak" not in said, "an unknown chip has no peak"
