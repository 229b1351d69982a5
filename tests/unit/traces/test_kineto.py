"""Traces of torch.profiler: exact totals in every layout, and links from kernels to operators."""

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_traces.json_events import EventReader
from steelyard_traces.profile import Profile
from steelyard_traces.reading import read_recording
from steelyard_traces.trace_file import TraceText
from tests.standins.kineto_trace import call, kernel, launch, trace_text

EPOCH_NS = 1_736_408_883_704_643_217
GEMM, REDUCE = "ampere_sgemm_32x128_nt", "ncclDevKernel_AllReduce_Sum_f32_RING_LL(...)"
ADD = "void at::native::vectorized_elementwise_kernel<4, CUDAFunctor_add<float>>"


def _step(begin_ns: int = 0) -> list[dict[str, Any]]:
    """A step of 100 us: two matmuls, one collective half hidden, a copy, and a kernel that nobody launched here."""
    b = begin_ns
    return [
        call("ProfilerStep#7", b, 100_000, "user_annotation"),
        call("aten::linear", b + 1_000, 20_000),
        call("aten::addmm", b + 2_000, 15_000),
        launch(b + 3_000, 2_001, 11),
        launch(b + 6_000, 1_000, 12),
        call("c10d::allreduce_", b + 30_000, 9_000),
        launch(b + 31_000, 500, 13),
        call("aten::copy_", b + 45_000, 3_000),
        launch(b + 45_500, 100, 14),
        kernel(GEMM, b + 10_000, 20_003, 11),
        kernel(GEMM, b + 30_003, 9_997, 12),
        kernel(REDUCE, b + 35_000, 20_000, 13),
        kernel("Memcpy HtoD (Pageable -> Device)", b + 50_000, 10_000, 14, "gpu_memcpy"),
        kernel(ADD, b + 70_000, 1_000, 99),
    ]


def _read(tmp_path: Path, text: str | bytes, name: str = "trace.json") -> Profile:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_recording(path).profile


BEHIND = {"distributedInfo": {"rank": "3", "pg": [{"a": 1}, {"a": 2}]}}
NO_EVENTS = [{"ph": "X", "name": ["a"], "ts": 1, "dur": 1}, {"ph": "i", "name": "x"}]
LAYOUTS = {
    "as Kineto prints it": lambda e: trace_text(e),
    "compact": lambda e: trace_text(e, pretty=False),
    "facts behind the events": lambda e: trace_text(e, facts_behind=True, facts=BEHIND),
    "a bare list": lambda e: trace_text(e).partition('"traceEvents": ')[2][:-1],
    "with a mark of UTF-8": lambda e: b"\xef\xbb\xbf" + trace_text(e).encode(),
    "packed": lambda e: gzip.compress(trace_text(e).encode()),
    "with a NaN": lambda e: trace_text(e).replace('"device": 0', '"device": 0, "est. achieved occupancy %": NaN', 1),
    "with events that are none": lambda e: trace_text([*e, *NO_EVENTS]),
}  # fmt: skip


@pytest.mark.parametrize("begin_ns", [0, 4_203_669_604_595_407_123, EPOCH_NS], ids=["near 0", "since a base", "epoch"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_exact_totals(tmp_path: Path, layout: str, begin_ns: int) -> None:
    begin_ns %= 2**61
    profile = _read(tmp_path, LAYOUTS[layout](_step(begin_ns)))
    split = profile.split
    assert split is not None
    assert (profile.kernels, profile.kernels_ns) == (4, 51_000)
    assert (split.compute_ns, split.communication_ns, split.overlapped_ns) == (31_000, 20_000, 5_000)
    assert (split.exposed_ns, split.memory_copy_ns) == (15_000, 5_000)
    assert (split.window_ns, split.idle_ns) == (61_000, 61_000 - 31_000 - 15_000 - 5_000)
    parts = {(part.layer, part.name): part.duration_ns for part in profile.parts}
    assert parts == {
        ("compute", "matmul"): 30_000,
        ("compute", "elementwise"): 1_000,
        ("communication", "all-reduce"): 15_000,
        ("memory copy", "memory movement"): 5_000,
        ("idle", "idle"): 10_000,
    }
    assert sum(parts.values()) == profile.window_ns
    by_operator = {work.name: (work.count, work.total_ns) for work in profile.operators}
    assert by_operator["aten::addmm"] == (2, 30_000)
    assert by_operator["c10d::allreduce_"] == (1, 20_000)
    assert by_operator["(no operator known)"] == (1, 1_000)
    calls = {row.name: (row.total_ns, row.self_ns) for row in profile.calls}
    assert calls["aten::linear"] == (20_000, 5_000)
    assert calls["aten::addmm"] == (15_000, 15_000 - 3_001)
    assert any("launched before the recording began" in note for note in profile.notes)
    assert any("left out" in note for note in profile.notes) == (layout == "with events that are none")


def test_a_step_has_the_work_that_was_launched_in_it(tmp_path: Path) -> None:
    events = [
        call("ProfilerStep#1", 0, 1_000, "user_annotation"),
        call("aten::mm", 100, 300),
        launch(200, 50, 1),
        call("ProfilerStep#2", 1_000, 1_000, "user_annotation"),
        call("aten::mm", 1_100, 300),
        launch(1_200, 50, 2),
        call("ProfilerStep#3", 2_000, 5, "user_annotation"),
        kernel(GEMM, 1_500, 400, 1),
        kernel(GEMM, 1_900, 500, 2),
    ]
    profile = _read(tmp_path, trace_text(events))
    assert [(step.name, step.wall_ns, step.split and step.split.compute_ns) for step in profile.steps] == [
        ("1", 1_000, 400),
        ("2", 1_000, 500),
    ]
    assert profile.step_count == 2


def test_waits_for_data_are_told_from_other_idle_time(tmp_path: Path) -> None:
    loader = "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__"
    events = [
        call("aten::mm", 0, 90),
        launch(10, 5, 1),
        launch(50, 5, 2),
        kernel(GEMM, 100, 100, 1),
        call(loader, 150, 150, "user_annotation"),
        kernel(GEMM, 400, 100, 2),
    ]
    parts = {part.name: part.duration_ns for part in _read(tmp_path, trace_text(events)).parts}
    assert parts == {"matmul": 200, "data wait": 100, "idle": 100}


def test_without_a_device_the_busiest_thread_is_told(tmp_path: Path) -> None:
    events = [
        call("train.py(10): main", -1_000, 9_000, "python_function"),
        call("enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__", 0, 300, "user_annotation"),
        call("aten::addmm", 400, 300),
        call("aten::copy_", 450, 100),
        call("Optimizer.step#AdamW.step", 800, 100, "user_annotation"),
        call("aten::mm", 0, 50, tid=2),
    ]
    profile = _read(tmp_path, trace_text(events))
    assert (profile.devices, profile.split, profile.kernels_ns, profile.step_count) == (0, None, None, 1)
    parts = {part.name: part.duration_ns for part in profile.parts}
    assert parts == {
        "data wait": 300,
        "matmul": 200,
        "memory movement": 100,
        "optimizer": 100,
        "outside operators": 1_200,
    }
    assert sum(parts.values()) == profile.window_ns == 1_900


def test_python_frames_are_the_time_of_the_call_that_they_are_in(tmp_path: Path) -> None:
    events = [
        call("train.py(10): main", -1_000, 9_000, "python_function"),
        call("enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__", 0, 300, "user_annotation"),
        call("data.py(7): __getitem__", 10, 280, "python_function"),
        call("<built-in function sleep>", 20, 260, "python_function"),
        call("aten::stack", 20, 5),
        call("aten::mm", 400, 300),
    ]
    parts = {part.name: part.duration_ns for part in _read(tmp_path, trace_text(events)).parts}
    assert parts == {"data wait": 295, "memory movement": 5, "matmul": 300, "outside operators": 9_000 - 600}


def test_old_traces_have_other_names_for_the_same(tmp_path: Path) -> None:
    events = [
        call("aten::mm", 0, 90_000, "Operator"),
        call("cudaLaunchKernel", 10_000, 5_000, "Runtime", correlation=5),
        kernel(GEMM, 20_000, 9_000, 5, "Kernel"),
    ]
    profile = _read(tmp_path, trace_text(events))
    assert [(work.name, work.core, work.total_ns) for work in profile.operators] == [("aten::mm", "kernel", 9_000)]


def test_a_collective_is_told_by_what_the_kernel_says(tmp_path: Path) -> None:
    generic = "ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)"
    events = [kernel(generic, 0, 10, 1, **{"Collective name": "_reduce_scatter_base"}), kernel(generic, 20, 30, 2)]
    names = {part.name for part in _read(tmp_path, trace_text(events)).parts}
    assert names == {"reduce-scatter", "other collective", "idle"}


def test_a_kernel_of_two_operators_is_one_row_by_type(tmp_path: Path) -> None:
    events = [
        call("aten::mm", 0, 90),
        launch(10, 5, 1),
        call("aten::addmm", 100, 90),
        launch(110, 5, 2),
        kernel(GEMM, 200, 40, 1),
        kernel(GEMM, 300, 60, 2),
        kernel("nobody_knows_it", 400, 1, 3, **{"Collective name": ["odd"]}),
    ]
    profile = _read(tmp_path, trace_text(events))
    assert [(work.name, work.count, work.total_ns) for work in profile.types] == [(GEMM, 2, 100)]
    assert {work.name: work.total_ns for work in profile.operators} == {"aten::mm": 40, "aten::addmm": 60}
    assert "1 events without a usable time or length were left out" in profile.notes


def test_two_devices_count_each_their_own_time(tmp_path: Path) -> None:
    events = [kernel(GEMM, 0, 100, 1, device=0), kernel(GEMM, 0, 60, 2, device=1)]
    profile = _read(tmp_path, trace_text(events, facts={"deviceProperties": [{"id": 0, "name": "NVIDIA H100"}]}))
    assert (profile.devices, profile.window_ns, profile.chip) == (2, 200, "NVIDIA H100")
    assert profile.split is not None
    assert (profile.split.compute_ns, profile.split.idle_ns) == (160, 40)


def test_stacks_lead_from_the_outermost_call_to_the_kernel(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(trace_text(_step()), encoding="utf-8")
    stacks = {stack.frames: stack.duration_ns for stack in read_recording(path).stacks()}
    assert stacks["ProfilerStep#7", "aten::linear", "aten::addmm", "cudaLaunchKernel", GEMM] == 30_000
    assert stacks["(launched before the recording began)", ADD] == 1_000
    assert sum(stacks.values()) == 61_000
    path.write_text(trace_text(e for e in _step() if e["cat"] == "cpu_op"), encoding="utf-8")
    host = {stack.frames: stack.duration_ns for stack in read_recording(path).stacks()}
    assert host["aten::linear", "aten::addmm"] == 15_000
    assert host["aten::linear",] == 5_000


NAMES = st.sampled_from(["aten::mm", "aten::add", 'with "quotes" and \\ and };,{', "\u7b97\u5b50", "a\nb"])
EVENTS = st.lists(
    st.builds(
        lambda name, start, length, nested: call(name, start, length, **nested),
        NAMES,
        st.integers(-10_000_000, 2**60),
        st.integers(0, 10**9),
        st.sampled_from([{}, {"a": [{"b": 1}, {"c": "},{"}]}, {"Input Dims": [[1, 2], []]}]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(1, 600), st.booleans())
def test_blocks_of_any_size_give_all_events_once(events: list[dict[str, Any]], size: int, pretty: bool) -> None:
    text = trace_text(events, pretty=pretty, facts_behind=pretty, facts={"x": [{"y": 1}, {"z": 2}]})
    reader = EventReader(TraceText(Path("t.json"), io.BytesIO(text.encode()), None), block_bytes=max(size, 60))
    blocks = list(reader.blocks())
    assert [event.name for block in blocks for event in block.events] == [event["name"] for event in events]
    digits = [pair for block in blocks for pair in block.digits()]
    assert [int(Decimal(ts.decode()) * 1000) for ts, _ in digits] == [event["ts"] for event in events]
    assert reader.facts["x"] == [{"y": 1}, {"z": 2}]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**63 // 1000 - 1), st.integers(0, 2**40)), min_size=1, max_size=20))
def test_sums_are_those_of_exact_decimals(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("traces") / "trace.json"
    events = [kernel(GEMM, start % 2**60, length, i + 1) for i, (start, length) in enumerate(spans)]
    path.write_text(trace_text(events), encoding="utf-8")
    read = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)["traceEvents"]
    profile = read_recording(path).profile
    assert profile.kernels_ns == sum(int(event["dur"] * 1000) for event in read)
    ends = [int((event["ts"] + event["dur"]) * 1000) for event in read]
    assert profile.window_ns == max(ends) - min(int(event["ts"] * 1000) for event in read)
