"""The reader as a program of its own: one JSON document whatever happens, and as little of everything as asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_traces.__main__ import NOT_INSTALLED, TOO_LARGE, UNFORESEEN, UNREADABLE, document_or_error, main
from steelyard_traces.document import stacks_document
from steelyard_traces.profile import Stack
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import write_run
from tests.standins.kineto_trace import call, kernel, launch, trace_text


def _events() -> list[dict[str, Any]]:
    """Three kernels under three operators, one of them while the data loader was waited for, and one on device 1."""
    events = [call("enumerate(DataLoader)#_Iter.__next__", 300, 500, "user_annotation")]
    for index, (begin, length) in enumerate(((100, 100), (900, 50), (1_000, 200)), start=1):
        launched = launch(begin - 50, 5, index)
        events += [call(f"aten::op{index}", begin - 60, 40), launched, kernel("gemm", begin, length, index)]
    return [*events, kernel("gemm", 150, 1_050, 9, device=1)]


def _run(path: Path, *options: str) -> tuple[dict[str, Any], int]:
    program = [sys.executable, "-P", "-m", "steelyard_traces", str(path), *options]
    done = subprocess.run(program, capture_output=True, check=False, timeout=60)
    assert not done.stderr, done.stderr
    assert done.stdout.count(b"\n") == 1
    document: dict[str, Any] = json.loads(done.stdout)
    return document, done.returncode


def test_one_document_holds_all_that_records_need(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(trace_text(_events()), encoding="utf-8")
    document, code = _run(path, "--stacks", "1")
    assert code == 0
    totals = document["totals"]
    # Device 0 is idle from 200 to 900 and from 950 to 1000, device 1 from 100 to 150.
    assert (totals["gaps"], totals["longest_gap_ns"], totals["idle_ns"]) == (3, 700, 800)
    assert totals["data_wait_ns"] == 500
    assert (document["devices"], totals["kernels"]) == (2, 4)
    assert [one["duration_ns"] for one in document["stacks"]] == [1_050, 350]
    assert document["stacks"][1]["frames"] == ["(other paths)"]
    assert (document["stacks"][1]["kind"], document["stacks_summed"]) == ("device", 3)


def test_all_paths_are_told_where_there_is_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.json"
    path.write_text(trace_text(e for e in _events() if e["cat"] == "cpu_op"), encoding="utf-8")
    assert main([str(path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["frames"] for one in document["stacks"]] == [["aten::op1"], ["aten::op2"], ["aten::op3"]]
    assert {one["kind"] for one in document["stacks"]} == {"host"}
    assert (document["stacks_summed"], document["totals"]["gaps"]) == (0, None)


def test_very_deep_paths_leave_room_for_all_else() -> None:
    deep = [Stack(tuple(f"{'f' * 100}{index}" for _ in range(1_000)), 5) for index in range(400)]
    told = stacks_document(deep, 0, 2_000)
    assert len(json.dumps(told)) < 16_000_000
    assert 100 < len(told["stacks"]) < 400
    assert told["stacks"][-1]["frames"] == ["(other paths)"]
    assert told["stacks_summed"] == 401 - len(told["stacks"])
    assert sum(one["duration_ns"] for one in told["stacks"]) == 2_000


def test_an_export_without_a_timeline_tells_no_data_wait(tmp_path: Path) -> None:
    profile = read_recording(write_run(tmp_path)).profile
    assert profile.data_wait_ns is None
    assert profile.split is not None
    assert (profile.split.gaps, profile.split.longest_gap_ns) == (2, 10_000)


def test_a_file_that_is_no_trace_is_an_answer_too(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(trace_text(_events())[:-40], encoding="utf-8")
    document, code = _run(path)
    assert code == UNREADABLE
    error = document["error"]
    assert (error["kind"], error["path"]) == ("unreadable", str(path))
    assert error["place"].startswith("byte ")
    assert "died" in error["reason"]
    assert str(path) not in error["reason"]


LIMITED = """
import resource, sys
import steelyard_traces.document, steelyard_traces.reading
from steelyard_traces.__main__ import main
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (24 << 20),) * 2)
sys.exit(main([sys.argv[1]]))
"""


def test_the_end_of_its_memory_is_told(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_text(trace_text([call("aten::mm", 100, 50, stack="x" * (40 << 20))]), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, check=False, timeout=60)
    assert (json.loads(done.stdout)["error"]["kind"], done.returncode) == ("too_large", TOO_LARGE)


def _fails(error: Exception) -> Any:
    raise error


def test_what_lacks_and_what_nobody_foresaw_are_told_apart() -> None:
    document, code = document_or_error(lambda: _fails(ModuleNotFoundError("No module named 'msgspec'")))
    assert (document["error"]["kind"], code) == ("not_installed", NOT_INSTALLED)
    document, code = document_or_error(lambda: _fails(IndexError("7")))
    assert (document["error"]["kind"], code) == ("unforeseen", UNFORESEEN)
    assert "IndexError" in document["error"]["reason"]


def test_nothing_of_the_agent_comes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(trace_text(_events()), encoding="utf-8")
    code = (
        "import sys; from steelyard_traces.__main__ import main; main([sys.argv[1]]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert not {"steelyard_agent", "steelyard_tui", "grpc", "google", "psutil"} & set(done.stderr.split())
