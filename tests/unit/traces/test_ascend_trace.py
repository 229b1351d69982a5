"""Timelines of Ascend alone, without their tables: waits are no kernels, and kernels belong to their operators."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import TraceError
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import KERNELS, write_run
from tests.standins.ascend_timeline import write_timeline
from tests.standins.kineto_trace import call, trace_text


@pytest.mark.parametrize("newer", [False, True], ids=["first names", "newer names"])
def test_the_sums_are_those_of_the_tables(tmp_path: Path, newer: bool) -> None:
    text = read_recording(write_run(tmp_path / "text")).profile
    recording = read_recording(write_timeline(tmp_path / "trace_view.json", newer=newer))
    profile, split = recording.profile, recording.profile.split
    assert split is not None
    assert text.split is not None
    assert (profile.format, profile.devices, profile.notes) == ("Ascend", 1, ())
    assert (profile.kernels, profile.kernels_ns) == (text.kernels, text.kernels_ns)
    assert (split.compute_ns, split.communication_ns) == (text.split.compute_ns, text.split.communication_ns)
    assert (split.overlapped_ns, split.memory_copy_ns) == (text.split.overlapped_ns, 5_000)
    ours = {part.name: part.duration_ns for part in profile.parts if part.layer in ("compute", "communication")}
    assert ours == {part.name: part.duration_ns for part in text.parts if part.layer != "idle"}
    assert profile.data_wait_ns == 4_000
    assert [(step.name, step.wall_ns) for step in profile.steps] == [("50", 200_000)]


def test_work_stands_under_the_operators_that_launched_it(tmp_path: Path) -> None:
    recording = read_recording(write_timeline(tmp_path / "trace_view.json"))
    operators = {work.name: work.total_ns for work in recording.profile.operators}
    launched = {f"aten::op{index}": length for index, (*_, length) in enumerate(KERNELS)}
    assert operators == {**launched, "MEMCPY_ASYNC": 5_000}
    stacks = {stack.frames: stack.duration_ns for stack in recording.stacks()}
    assert stacks["train.py(7): step", "aten::outer1", "aten::op1", "aclnnMatmul_MatMulV2"] == 40_000
    assert sum(stacks.values()) == 235_001
    calls = {row.name: (row.total_ns, row.self_ns) for row in recording.profile.calls}
    assert (calls["aten::outer1"], calls["aten::op1"]) == ((800, 300), (500, 500))


def test_one_of_msprof_has_no_host(tmp_path: Path) -> None:
    profile = read_recording(write_timeline(tmp_path / "msprof_2025.json", has_host=False)).profile
    assert (profile.kernels_ns, profile.step_count, profile.data_wait_ns, profile.calls) == (230_001, None, None, ())
    assert "aclnnMatmul_MatMulV2" in {work.name for work in profile.operators}


def test_what_the_vendor_sums_up_otherwise_is_told(tmp_path: Path) -> None:
    path = write_timeline(tmp_path / "trace_view.json")
    events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    next(event for event in events if event["name"] == "Computing")["dur"] = 90.001
    path.write_text(json.dumps(events), encoding="utf-8")
    assert "0.170 ms computing" in read_recording(path).profile.notes[0]


def test_a_list_of_somebody_else_is_no_timeline_of_ascend(tmp_path: Path) -> None:
    text = trace_text([call("aten::mm", 0, 50)])
    path = tmp_path / "list.json"
    path.write_text(text[text.index("[") : text.rindex("]") + 1], encoding="utf-8")
    assert read_recording(path).profile.format == "torch.profiler"
    path.write_text(json.dumps([{"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "CANN"}}]))
    with pytest.raises(TraceError, match="no kernel in it"):
        read_recording(path)
