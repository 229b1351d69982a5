"""Small timelines as torch_npu and msprof write them: a list of events, moments as texts, lengths as numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.standins.ascend_export import EPOCH_NS, KERNELS, Kernel

DEVICE = 4
HOST = 77
HARDWARE, GROUPS, OVERLAP = ((HOST << 10) | (layer << 5) | DEVICE for layer in (1, 2, 3))
NO_KERNELS = (
    ("EVENT_WAIT", "EVENT_WAIT_SQE", -50_000, 500_000),
    ("Notify Wait", "Notify Wait", 80_000, 90_000),
    ("SDMA", "SDMA", 80_000, 90_000),
    ("EVENT_RECORD", "EVENT_RECORD_SQE", 230_000, 20),
)
COPY = ("MEMCPY_ASYNC", "PCIE_DMA_SQE", 225_000, 5_000)
COMPUTING = ((0, 50_001), (60_000, 40_000), (170_000, 30_000), (210_000, 10_000))


def write_timeline(
    path: Path, kernels: Sequence[Kernel] = KERNELS, *, newer: bool = False, has_host: bool = True
) -> Path:
    """A timeline of one step in which each kernel is launched by an operator of its own."""
    events: list[dict[str, Any]] = []
    names = {HARDWARE: "Ascend Hardware", GROUPS: "Communication" if newer else "HCCL", OVERLAP: "Overlap Analysis"}
    for index, (name, _, core, start_ns, length_ns) in enumerate(kernels):
        is_collective = core == "HCCL"
        place = {"pid": GROUPS if is_collective else HARDWARE, "tid": 0 if is_collective else 2}
        # The timeline says AI_CORE also of what the tables know better.
        arguments = {} if is_collective else {"Task Type": "AI_CORE" if core.startswith("AI_V") else core}
        events.append({**_span(name, start_ns, length_ns), **place, "args": arguments})
        if has_host:
            events += _launch(index, place, start_ns)
    if has_host:
        events.append({**_span("ProfilerStep#50", -90_000, 200_000), "pid": HOST, "tid": 1, "cat": "cpu_op"})
        wait = _span("enumerate(DataLoader)#_Iter.__next__", 201_000, 4_000)
        events.append({**wait, "pid": HOST, "tid": 1, "cat": "cpu_op"})
    for name, core, start_ns, length_ns in (*NO_KERNELS, COPY):
        events.append({**_span(name, start_ns, length_ns), "pid": HARDWARE, "tid": 3, "args": {"Task Type": core}})
    events.append({**_span("Notify_Wait", 80_000, 90_000), "pid": GROUPS, "tid": 1, "args": {}})
    for name, spans in (
        ("Computing", COMPUTING),
        ("Communication", [(80_000, 100_000)]),
        ("Communication(Not Overlapped)", [(100_000, 70_000)]),
    ):
        events += [{**_span(name, *span), "pid": OVERLAP, "tid": 0} for span in spans]
    # What the processes are called stands behind their events.
    events += [{"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}} for pid, name in names.items()]
    threads = {0: "Group 0 Communication", 1: "Plane 0"}
    events += [
        {"ph": "M", "name": "thread_name", "pid": GROUPS, "tid": tid, "args": {"name": name}}
        for tid, name in threads.items()
    ]
    path.write_text(json.dumps(events), encoding="utf-8")
    return path


def _launch(index: int, device: dict[str, int], start_ns: int) -> list[dict[str, Any]]:
    host = {"pid": HOST, "tid": 1}
    at_ns = -80_000 + index * 1_000
    flow = {"name": "torch_to_npu", "cat": "async_npu", "id": EPOCH_NS + start_ns}
    return [
        {**_span("train.py(7): step", at_ns - 100, 900), **host, "cat": "python_function"},
        {**_span(f"aten::outer{index}", at_ns - 50, 800), **host, "cat": "cpu_op"},
        {**_span(f"aten::op{index}", at_ns, 500), **host, "cat": "cpu_op", "args": {"Input Dims": "64;64"}},
        {**flow, **host, "ph": "s", "ts": _us(EPOCH_NS + at_ns)},
        {**flow, **device, "ph": "f", "bp": "e", "ts": _us(EPOCH_NS + start_ns)},
    ]


def _span(name: str, start_ns: int, length_ns: int) -> dict[str, Any]:
    return {"ph": "X", "name": name, "ts": _us(EPOCH_NS + start_ns), "dur": length_ns / 1000}


def _us(ns: int) -> str:
    return f"{ns // 1000}.{ns % 1000:03d}"
