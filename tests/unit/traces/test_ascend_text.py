"""Text exports of Ascend: exact sums in every generation of columns, and clear words where nothing can be read."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_text import vendor_sums_ns
from steelyard_traces.decimal_time import WholeNanoseconds
from steelyard_traces.profile import Profile
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import KERNELS, write_run, write_summary, write_table

OUTPUT = "ASCEND_PROFILER_OUTPUT"


def _check_totals(profile: Profile) -> None:
    split = profile.split
    assert split is not None
    assert (profile.kernels, profile.kernels_ns, profile.window_ns) == (5, 230_001, 220_000)
    assert (split.compute_ns, split.communication_ns, split.overlapped_ns) == (130_001, 100_000, 30_000)
    assert (split.exposed_ns, split.idle_ns, split.memory_copy_ns) == (70_000, 19_999, 0)
    assert {part.name: part.duration_ns for part in profile.parts} == {
        "format conversion": 50_001,
        "matmul": 40_000,
        "all-reduce": 70_000,
        "optimizer": 30_000,
        "unmatched": 10_000,
        "idle": 19_999,
    }
    assert profile.unmatched_ns == 10_000


@pytest.mark.parametrize("newer", [False, True], ids=["first columns", "newer columns"])
def test_columns_are_found_by_name(tmp_path: Path, newer: bool) -> None:
    run = write_run(tmp_path, newer=newer)
    for path in (run, run / OUTPUT, tmp_path, run / OUTPUT / "kernel_details.csv"):
        profile = read_recording(path).profile
        _check_totals(profile)
        assert (profile.rank, profile.step_count) == ("3", 1)
        assert [step.name for step in profile.steps] == ["50"]
    cores = {work.name: work.total_ns for work in profile.cores}
    assert cores["COMMUNICATION" if newer else "HCCL"] == 100_000
    assert sum(stack.duration_ns for stack in read_recording(run).stacks()) == 230_001


def test_a_summary_of_msprof_has_the_same_under_other_names(tmp_path: Path) -> None:
    export = write_summary(tmp_path)
    for path in (tmp_path, export):
        profile = read_recording(path).profile
        _check_totals(profile)
        assert (profile.rank, profile.step_count) == ("", None)


def test_level0_has_no_types_and_is_told_by_names(tmp_path: Path) -> None:
    level0 = [(name, "N/A", "HCCL" if core == "HCCL" else "N/A", start, ns) for name, _, core, start, ns in KERNELS]
    profile = read_recording(write_run(tmp_path, level0)).profile
    _check_totals(profile)
    assert {work.name for work in profile.types} == {name for name, *_ in KERNELS}


def test_operators_are_those_of_torch_where_the_export_has_them(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    columns = ("Name", "Call Stack", "Host Self Duration(us)", "Host Total Duration(us)", "Device Self Duration(us)")
    rows = [
        ("aten::mm", '"a;\nb"', "1.5", "4", "40.0004"),
        ("aten::mm", "", "2.5", "3", "0"),
        ("aclnnForeachAddListV2", "", "1", "1", "30.0004"),
        ("aclnnMatmul", "", "1", "1", "10.0004"),
    ]
    write_table(run / OUTPUT / "operator_details.csv", columns, [dict(zip(columns, r, strict=True)) for r in rows])
    profile = read_recording(run).profile
    assert [(c.name, c.count, c.total_ns, c.self_ns, c.max_ns) for c in profile.calls[:1]] == [
        ("aten::mm", 2, 7000, 4000, 4000)
    ]
    assert [(w.name, w.class_name, w.count) for w in profile.operators] == [
        ("aten::mm", "matmul", 1),
        ("aclnnForeachAddListV2", "optimizer", 1),
        ("aclnnMatmul", "matmul", 1),
    ]
    assert sum(w.total_ns for w in profile.operators) == 80_001, "what is below a nanosecond is not lost from the sum"


def test_what_the_vendor_says_of_the_steps_is_read(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    assert vendor_sums_ns(run / OUTPUT) is None
    columns = ("Step", "Computing", "Communication(Not Overlapped)", "Overlapped", "Communication", "Free")
    rows = [dict(zip(columns, ("50", "130.001", "70", "30.0000000000175", "100", "19.999"), strict=True))]
    write_table(run / OUTPUT / "step_trace_time.csv", columns, rows)
    assert vendor_sums_ns(run / OUTPUT) == {"computing": 130_001, "overlapped": 30_000, "communication": 100_000}
    assert read_recording(run).profile.notes == ()
    write_table(run / OUTPUT / "step_trace_time.csv", columns, [{**rows[0], "Overlapped": "35.1"}])
    assert read_recording(run).profile.notes == ("the export itself says 0.035 ms overlapped, the kernels 0.030 ms",)


def test_rows_without_a_time_are_left_out_and_counted(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    table = run / OUTPUT / "kernel_details.csv"
    with table.open("a", encoding="utf-8") as file:
        file.write("50,aclnnX,X,AI_CORE,N/A,5,0,1\n50,cut")
    profile = read_recording(run).profile
    _check_totals(profile)
    assert profile.notes == ("2 rows without a usable time were left out",)


def test_folders_without_a_readable_export_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no recording in it"):
        read_recording(tmp_path)
    raw = tmp_path / "raw_ascend_pt"
    (raw / "FRAMEWORK").mkdir(parents=True)
    with pytest.raises(TraceError, match=r"not parsed yet.*analyse"):
        read_recording(raw)
    write_run(tmp_path)
    with pytest.raises(TraceError, match="2 recordings are in it; name one"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no column `Name` or `Op Name`.*the file is empty"),
        (b"Step Id,Name,Duration(us)\n", "no column `Start Time.us.` or .*it has Step Id, Name"),
        (b"Name,Start Time(us),Duration(us)\n\xff\xfe,1,2\n", "not UTF-8"),
        (b'Name,Start Time(us),Duration(us)\n"' + b"a" * 200_000 + b'",1,2\n', "line 2: no CSV"),
        (b"Name,Start Time(us),Duration(us)\n", "no kernel in its tables"),
        (b"Name,Start Time(us),Duration(us)\na,1,N/A\nb,1,N/A\n", "none of its tables' 2 rows has a usable time"),
    ],
    ids=["empty", "renamed", "encoding", "endless field", "no rows", "no times"],
)
def test_a_table_that_can_not_be_read_says_why(tmp_path: Path, text: bytes, said: str) -> None:
    run = write_run(tmp_path)
    (run / OUTPUT / "kernel_details.csv").write_bytes(text)
    with pytest.raises(TraceError, match=said) as caught:
        read_recording(run)
    assert str(run) in str(caught.value)


@settings(deadline=None)
@given(st.lists(st.decimals(0, 10**6, places=6), max_size=30))
def test_rounding_one_after_the_other_keeps_the_sum(values: list[Decimal]) -> None:
    rounding = WholeNanoseconds()
    whole = [rounding.take(str(value)) or 0 for value in values]
    assert abs(sum(whole) - sum(values) * 1000) <= Decimal("0.5")
    assert all(abs(ns - value * 1000) <= 1 for ns, value in zip(whole, values, strict=True))


def test_a_table_of_all_tasks_has_waits_that_are_no_kernels(tmp_path: Path) -> None:
    columns = ("Device_id", "kernel_name", "kernel_type", "stream_id", "task_id", "task_time(us)", "task_start(us)")
    rows = [
        ("trans_TransData_0", "KERNEL_AIVEC", "50.001", "0"),
        ("aclnnMatmul_MatMulV2_MatMulV2", "KERNEL_AICORE", "40", "60"),
        ("aclnnArgMax_ArgMax_ArgMax", "KERNEL_AICPU", "10", "110"),
        ("EVENT_WAIT", "EVENT_WAIT_SQE", "900", "0"),
        ("Notify Wait", "NOTIFY_WAIT", "500", "0"),
        ("MEMCPY_ASYNC", "SDMA_SQE", "2", "130"),
    ]
    at = [
        dict(zip(columns, ("0", name, kind, "2", "7", time, f"{1736408883000000 + int(start)}.000\t"), strict=True))
        for name, kind, time, start in rows
    ]
    export = tmp_path / "PROF_000001_20250109154803_ABC" / "mindstudio_profiler_output"
    export.mkdir(parents=True)
    write_table(export / "task_time_20250109154900.csv", columns, at)
    for path in (tmp_path, export / "task_time_20250109154900.csv"):
        profile = read_recording(path).profile
        assert (profile.kernels, profile.kernels_ns) == (3, 100_001)
        parts = {part.name: part.duration_ns for part in profile.parts if part.layer != "idle"}
        assert parts == {
            "format conversion": 50_001,
            "matmul": 40_000,
            "reduction": 10_000,
            "memory movement": 2_000,
        }
        assert "no collectives" in profile.notes[0]
