"""What an export sums up itself: told where it adds something, and where it says something else than the kernels."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_summaries import read_collectives
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import KERNELS, write_run, write_table


def _operation(elapsed_ms: float, transit_ms: float, wait_ms: float) -> dict[str, Any]:
    return {
        "Communication Time Info": {
            "Start Timestamp(us)": 1736408883732241.5, "Elapse Time(ms)": elapsed_ms, "Transit Time(ms)": transit_ms,
            "Wait Time(ms)": wait_ms, "Wait Time Ratio": 0.5,
        },
        "Communication Bandwidth Info": {
            "HCCS": {"Transit Size(MB)": 1.5, "Transit Time(ms)": 0.02, "Bandwidth(GB/s)": 75.0},
            "RDMA": {"Transit Size(MB)": 0, "Transit Time(ms)": 0},
        },
    }  # fmt: skip


def _collectives(path: Path, elapsed_ms: float = 0.1) -> None:
    one = _operation(elapsed_ms, 0.02, 0.07)
    groups = {"p2p": {}, "collective": {"hcom_allReduce__586_0_1@17": one, "Total Op Info": one}}
    path.write_text(json.dumps({"step50": groups}), encoding="utf-8")


def _statistic(path: Path, **others: str) -> None:
    columns = ("OP Type", "Core Type", "Count", "Total Time(us)")
    lengths = {kind: f"{length / 1000:.3f}" for _, kind, core, _, length in KERNELS if core != "HCCL"}
    rows = [(kind, "AI_CORE", "1", total) for kind, total in {**lengths, **others}.items()]
    write_table(path, columns, [dict(zip(columns, row, strict=True)) for row in rows])


def test_collectives_tell_what_they_waited_for(tmp_path: Path) -> None:
    output = write_run(tmp_path) / "ASCEND_PROFILER_OUTPUT"
    _collectives(output / "communication.json")
    _statistic(output / "op_statistic.csv")
    sums = read_collectives(output / "communication.json")
    assert (sums.count, sums.elapsed_ns, sums.transit_ns, sums.wait_ns) == (1, 100_000, 20_000, 70_000)
    assert sums.links["HCCS"] == (1_500_000, 20_000)
    assert read_recording(output).profile.notes == (
        "1 collective took 0.100 ms: 0.020 moved data, 0.070 waited for other ranks, 0.010 neither",
        "HCCS moved 1.5 MB at 75.0 GB/s",
    )


def test_sums_that_differ_are_told(tmp_path: Path) -> None:
    output = write_run(tmp_path) / "ASCEND_PROFILER_OUTPUT"
    _collectives(output / "communication.json", 0.2)
    _statistic(output / "op_statistic.csv", TransData="60", MatMulV2="41.5")
    types, *_, collectives = read_recording(output).profile.notes
    assert types == "op_statistic.csv says 0.060 ms of TransData, the kernels 0.050 ms (2 types differ)"
    assert collectives == "communication.json says 0.200 ms of them, the kernels 0.100 ms"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"step": {"collective": {"a": {"Communication Time Info": 3}}}}'])
def test_a_damaged_summary_takes_nothing_from_the_kernels(tmp_path: Path, text: str) -> None:
    output = write_run(tmp_path) / "ASCEND_PROFILER_OUTPUT"
    (output / "communication.json").write_text(text, encoding="utf-8")
    profile = read_recording(output).profile
    assert profile.kernels_ns == 230_001
    assert all(note.startswith("communication.json was left out: ") for note in profile.notes)


@pytest.mark.parametrize("name", ["communication.json", "op_statistic_20250109.csv", "step_trace_time.csv"])
def test_a_summary_alone_says_what_to_name_instead(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(TraceError, match=r"sums alone.*kernel_details.csv"):
        read_recording(tmp_path / name)
