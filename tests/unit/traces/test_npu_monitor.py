"""Lines of npu-monitor: every kind, torn ends, and what is no such file."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import TraceError
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import EPOCH_NS, KERNELS, write_run


def _span(kind: str, start_ns: int, length_ns: int, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "startNs": EPOCH_NS + start_ns, "endNs": EPOCH_NS + start_ns + length_ns, **more}


def _lines() -> list[dict[str, Any]]:
    lines = [
        _span("Communication", start, length, name=name, deviceId=4, commName="g", algType="RING", count=9)
        if core == "HCCL"
        else _span("Kernel", start, length, name=name, deviceId=4, streamId=2, type=core, correlationId=7)
        for name, _, core, start, length in KERNELS
    ]
    return [
        *lines,
        _span("Hccl", 80_000, 100_000, name="hcom_allReduce__586_0_1", deviceId=4),
        _span("MemCpy", 225_000, 5_000, deviceId=4),
        _span("AclAPI", -500, 400, name="aclnnAdd", processId=1, threadId=9, correlationId=7),
        _span("RuntimeAPI", -400, 100, name="rtKernelLaunch", processId=1, threadId=9),
        {"kind": "Marker", "sourceKind": "Host", "domain": "communication", "id": 1, "timestamp": EPOCH_NS},
        {"kind": "parallel_group_info", "value": {"group_name_0": {"group_name": "dp"}}},
        {"kind": "rank_device_map", "rank": 3, "device": [4]},
    ]


def _write(path: Path, lines: Iterable[Mapping[str, Any]], end: str = "") -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + end, encoding="utf-8")
    return path


def test_the_sums_are_those_of_the_tables(tmp_path: Path) -> None:
    text = read_recording(write_run(tmp_path / "text")).profile
    profile = read_recording(_write(tmp_path / "msmonitor_77_2025_3.jsonl", _lines())).profile
    split = profile.split
    assert split is not None
    assert text.split is not None
    assert (profile.kernels, profile.kernels_ns, profile.rank, profile.devices) == (5, text.kernels_ns, "3", 1)
    assert (split.compute_ns, split.communication_ns) == (text.split.compute_ns, text.split.communication_ns)
    assert (split.overlapped_ns, split.memory_copy_ns) == (text.split.overlapped_ns, 5_000)
    ours = {part.name: part.duration_ns for part in profile.parts if part.layer in ("compute", "communication")}
    assert ours == {part.name: part.duration_ns for part in text.parts if part.layer != "idle"}
    assert {row.name: row.self_ns for row in profile.calls} == {"aclnnAdd": 300, "rtKernelLaunch": 100}
    assert (profile.notes, profile.data_wait_ns, profile.step_count) == ((), None, None)


def test_files_of_one_process_are_read_as_one_and_those_of_two_are_not(tmp_path: Path) -> None:
    lines = _lines()
    whole = read_recording(_write(tmp_path / "all.jsonl", lines)).profile
    parts = tmp_path / "parts"
    parts.mkdir()
    _write(parts / "msmonitor_77_20250109154803704_3.jsonl", lines[:2])
    _write(parts / "msmonitor_77_20250109154803705_3.jsonl", lines[2:])
    found = read_recording(parts).profile
    assert (found.split, found.rank, found.operators) == (whole.split, "3", whole.operators)
    _write(parts / "msmonitor_78_20250109154803704_4.jsonl", lines)
    with pytest.raises(TraceError, match="of 2 processes are in it; name a file"):
        read_recording(parts)


def test_collectives_of_an_older_kind_count_where_they_stand_alone(tmp_path: Path) -> None:
    lines = [line for line in _lines() if line["kind"] != "Communication"]
    split = read_recording(_write(tmp_path / "a.jsonl", lines)).profile.split
    assert split is not None
    assert split.communication_ns == 100_000


def test_a_file_that_is_being_written_and_lines_that_are_none(tmp_path: Path) -> None:
    broken = [{"kind": "Kernel", "startNs": "N/A", "endNs": 5}, {"kind": "Kernel", "startNs": 9, "endNs": 5}]
    path = _write(tmp_path / "a.jsonl", [*_lines(), *broken, {"kind": "Later"}], '{"kind": "Kern')
    with path.open("ab") as file:
        file.write(b'"\xff')
    profile = read_recording(path).profile
    assert profile.kernels_ns == 230_001
    cut, skipped, others = profile.notes
    assert "last line is cut off" in cut
    assert "2 lines" in skipped
    assert "Later" in others
    text = path.read_text(encoding="latin-1")
    path.write_text(text.replace("\n", "\nno JSON\n", 1).rpartition("\n")[0], encoding="utf-8")
    assert "3 lines" in read_recording(path).profile.notes[0]


def test_no_kernels_say_what_to_start(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", [line for line in _lines() if line["kind"] == "Marker"])
    with pytest.raises(TraceError, match="libmspti"):
        read_recording(path)
