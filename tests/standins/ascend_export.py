"""Small exports with the tables and columns that torch_npu's and msprof's tools write."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

EPOCH_NS = 1_736_408_883_704_643_217
Kernel = tuple[str, str, str, int, int]
"""Name, type, core, start after the epoch and length in nanoseconds."""

KERNELS: Sequence[Kernel] = (
    ("trans_TransData_0", "TransData", "AI_VECTOR_CORE", 0, 50_001),
    ("aclnnMatmul_MatMulV2", "MatMulV2", "AI_CORE", 60_000, 40_000),
    ("hcom_allReduce__586_0_1", "hcom_allReduce_", "HCCL", 80_000, 100_000),
    ("aclnnForeachAdd_ForeachAddList", "ForeachAddList", "AI_VECTOR_CORE", 170_000, 30_000),
    ("aclnnOdd_Oddity", "Oddity", "AI_CPU", 210_000, 10_000),
)

_LEVEL1 = (
    "Step Id",
    "Name",
    "Type",
    "Accelerator Core",
    "Start Time(us)",
    "Duration(us)",
    "Wait Time(us)",
    "Block Dim",
)
_NEWER = ("Step Id", "Device_id", "Name", "Type", "Accelerator Core", "Start Time(us)", "Duration(us)", "Block Num")
_SUMMARY = ("Device_id", "Op Name", "OP Type", "Task Type", "Task Start Time(us)", "Task Duration(us)", "Block Num")


def write_run(folder: Path, kernels: Sequence[Kernel] = KERNELS, *, newer: bool = False, rank: object = 3) -> Path:
    """A run of torch_npu's profiler with text tables, of one step."""
    run = folder / "node_77_20250109154803704_ascend_pt"
    output = run / "ASCEND_PROFILER_OUTPUT"
    output.mkdir(parents=True)
    (run / "profiler_info_3.json").write_text(json.dumps({"rank_id": rank}), encoding="utf-8")
    core = {"HCCL": "COMMUNICATION"} if newer else {}
    rows = [
        {
            "Step Id": "50", "Device_id": "4", "Name": name, "Type": kind, "Accelerator Core": core.get(on, on),
            "Start Time(us)": f"{_us(EPOCH_NS + start)}\t", "Duration(us)": _us(length), "Wait Time(us)": "N/A",
            "Block Dim": "20", "Block Num": "20",
        }
        for name, kind, on, start, length in kernels
    ]  # fmt: skip
    write_table(output / "kernel_details.csv", _NEWER if newer else _LEVEL1, rows)
    return run


def write_summary(folder: Path, kernels: Sequence[Kernel] = KERNELS) -> Path:
    """An export of msprof."""
    export = folder / "PROF_000001_20250109154803_ABC" / "mindstudio_profiler_output"
    export.mkdir(parents=True)
    rows = [
        {
            "Device_id": "0", "Op Name": name, "OP Type": kind, "Task Type": on,
            "Task Start Time(us)": _us(EPOCH_NS + start), "Task Duration(us)": _us(length), "Block Num": "20",
        }
        for name, kind, on, start, length in kernels
    ]  # fmt: skip
    write_table(export / "op_summary_20250109154900.csv", _SUMMARY, rows)
    return export.parent


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """A CSV file as the vendor's tools write it."""
    lines = [",".join(columns), *(",".join(row[column] for column in columns) for row in rows)]
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")


def _us(ns: int) -> str:
    return f"{ns // 1000}.{ns % 1000:03d}"
