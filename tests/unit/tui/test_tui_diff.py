"""`steelyard diff --file A --file B`: the class that makes the gap, in points that add up to it."""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_traces.difference import difference_of
from steelyard_traces.profile import Part, Profile
from steelyard_tui.cli import main
from steelyard_tui.present.profile_diff import rounded_points
from tests.standins.kineto_trace import call, kernel, trace_text

GEMM, REDUCE = "ampere_sgemm_32x128_nt", "ncclDevKernel_AllReduce_Sum_f32"
LOADER = "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"


def _training(folder: Path, name: str, steps: int, loader_ns: int) -> str:
    """A training on the CPU of so many steps, which waits so long for each batch."""
    events, at = [], 0
    for step in range(steps):
        length = 10_000 + loader_ns
        events += [
            call(f"ProfilerStep#{step}", at, length, "user_annotation"),
            call(LOADER, at, loader_ns, "user_annotation"),
            call("aten::addmm", at + loader_ns, 6_000),
            call("aten::add", at + loader_ns + 6_000, 3_000),
        ]
        at += length
    path = folder / name
    path.write_text(trace_text(events), encoding="utf-8")
    return str(path)


def _device(folder: Path, name: str, spans: list[tuple[str, int, int]]) -> str:
    path = folder / name
    path.write_text(trace_text(kernel(*span, i + 1) for i, span in enumerate(spans)), encoding="utf-8")
    return str(path)


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["diff", *arguments]) == 0
    return capsys.readouterr().out


def test_a_slow_data_loader_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = _training(tmp_path, "a.json", 3, 1_000), _training(tmp_path, "b.json", 5, 8_000)
    said = _said(capsys, "--file", a, "--file", b)
    assert "B takes 63.6 % more time a step than A; of these points are 63.6 data wait\n" in said
    document = json.loads(_said(capsys, "--file", a, "--file", b, "--format", "json"))
    assert document["per"] == "step"
    assert document["a"]["each_ns"] == 11_000
    assert sum(row["points"] for row in document["by_class"]) == pytest.approx(document["gap_percent"])
    rows = list(csv.DictReader(io.StringIO(_said(capsys, "--file", a, "--file", b, "--format", "csv"))))
    assert (rows[0]["class"], rows[0]["a_each_ns"], rows[0]["b_each_ns"]) == ("data wait", "1000.0", "8000.0")


def test_exposed_communication_counts_and_hidden_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = _device(tmp_path, "a.json", [(GEMM, 0, 80_000), (REDUCE, 40_000, 40_000), (GEMM, 80_000, 20_000)])
    b = _device(tmp_path, "b.json", [(GEMM, 0, 80_000), (REDUCE, 70_000, 40_000), (GEMM, 110_000, 20_000)])
    said = _said(capsys, "--file", a, "--file", b, "--steps", "2")
    assert "B takes 30.0 % more time a step than A; of these points are 30.0 exposed all-reduce" in said
    per_token = _said(
        capsys, "--file", a, "--file", b, "--steps", "2", "--tokens-per-step", "100", "--tokens-per-step", "200"
    )
    assert "B takes 35.0 % less time a token than A; of these points are 50.0 matmul" in per_token
    assert "exposed all-reduce goes the other way by 15.0" in per_token
    assert "no steps are marked" in _said(capsys, "--file", a, "--file", b)


def test_what_can_not_be_compared_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = _training(tmp_path, "host.json", 1, 500)
    device = _device(tmp_path, "device.json", [(GEMM, 0, 80_000)])
    bare = tmp_path / "bare.json"
    bare.write_text(trace_text([call("aten::mm", 0, 50)]), encoding="utf-8")
    for arguments, reason in [
        (["--file", host], "1 recordings; give two"),
        (["--file", host, "--file", device], "has work of a device and"),
        (["--file", host, "--file", str(bare)], "marks no steps; say how many"),
        (["--file", host, "--file", host, "--steps", "0"], "above 0"),
        (["--file", device, "--file", device, "--tokens-per-step", "5"], "add --steps N"),
    ]:
        assert main(["diff", *arguments]) == 2, arguments
        assert reason in capsys.readouterr().err


PARTS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 10**9)), min_size=1, max_size=8)


def _profile(parts: list[tuple[str, int]], steps: int) -> Profile:
    rows = tuple(Part("compute", name, duration_ns) for name, duration_ns in parts)
    total_ns = sum(duration_ns for _, duration_ns in parts)
    return Profile("p", "f", "", "", 1, total_ns, steps, (), False, 0, total_ns, None, rows, (), (), (), (), ())


@given(PARTS, PARTS, st.integers(1, 9), st.integers(1, 9))
def test_points_add_up_exactly_and_as_printed(
    a: list[tuple[str, int]], b: list[tuple[str, int]], a_steps: int, b_steps: int
) -> None:
    a, b = [("a", 1), *a], [("b", 1), *b]
    difference = difference_of(_profile(a, a_steps), _profile(b, b_steps), (None, None), None)
    assert sum(change.points for change in difference.changes) == difference.gap
    tenths = rounded_points([change.points for change in difference.changes], difference.gap)
    assert sum(tenths) == round(difference.gap * 10)
    assert all(abs(Fraction(t) - c.points * 10) <= 1 for t, c in zip(tenths, difference.changes, strict=True))
