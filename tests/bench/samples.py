"""Real recordings in the folder that STEELYARD_SAMPLES names, against plain code and known reference values."""

import csv
import os
import sqlite3
import tomllib
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from steelyard_traces.document import as_document
from steelyard_traces.reading import read_recording
from tests.bench.load.plain_totals import Span, kineto_totals, split_totals, to_ns

VARIABLE = "STEELYARD_SAMPLES"
ABSENT = f"{VARIABLE} names no folder of real recordings"
_REFERENCE = Path(__file__).parent / "load" / "reference.toml"


def samples_folder() -> Path | None:
    """The folder, if the environment names one that is there."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and Path(named).is_dir() else None


def recordings_in(folder: Path) -> list[Path]:
    """Traces of torch.profiler and text exports of Ascend."""
    traces = [path for path in sorted(folder.rglob("*.json.gz")) if path.is_file()]
    # A database's totals are known by the summary that the vendor wrote beside it.
    databases = [path for path in sorted(folder.rglob("ascend_pytorch_profiler*.db")) if _summary_of(path).is_file()]
    return [*traces, *sorted(path.parent for path in folder.rglob("kernel_details.csv")), *databases]


def compare(path: Path) -> tuple[int, list[str]]:
    """How many totals of a recording were compared, and each that differs."""
    ours = as_document(read_recording(path).profile)
    plain = (
        ascend_totals(path) if path.is_dir() else vendor_totals(path) if path.suffix == ".db" else kineto_totals(path)
    )
    flat = _flat(ours)
    wanted = {**_flat_plain(plain), **_known(path)}
    return len(wanted), [f"{path.name}: {k} is {flat.get(k)}, not {v}" for k, v in wanted.items() if flat.get(k) != v]


def overlap_error_us(folder: Path) -> float | None:
    """How far our overlap is from that of `step_trace_time.csv`; None where the export has none."""
    table = folder / "step_trace_time.csv"
    if not table.is_file():
        return None
    with table.open(encoding="utf-8-sig", newline="") as file:
        told = sum(float(row["Overlapped"]) for row in csv.DictReader(file))
    split = read_recording(folder).profile.split
    return abs((split.overlapped_ns if split else 0) / 1000 - told)


def ascend_totals(folder: Path) -> dict[str, Any]:
    """Totals of a table of kernels."""
    by_type: dict[str, int] = defaultdict(int)
    by_core: dict[str, int] = defaultdict(int)
    spans: dict[bool, list[Span]] = {True: [], False: []}
    with (folder / "kernel_details.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            start, length = to_ns(row["Start Time(us)"]), to_ns(row["Duration(us)"])
            spans[row["Accelerator Core"] in ("HCCL", "COMMUNICATION")].append((start, start + length))
            by_type[row["Type"]] += length
            by_core[row["Accelerator Core"]] += length
    both = spans[True] + spans[False]
    window = (min(begin for begin, _ in both), max(end for _, end in both))
    return {"by_type": by_type, "by_core": by_core, **split_totals(spans[False], spans[True], [], window)}


def vendor_totals(database: Path) -> dict[str, Any]:
    """What the vendor's summary of a database says; it is in microseconds."""
    columns = ("computing", "communication", "overlapped", "communication_not_overlapped", "free")
    with closing(sqlite3.connect(f"{_summary_of(database).as_uri()}?mode=ro&immutable=1", uri=True)) as summary:
        row = summary.execute(f"SELECT {', '.join(f'sum({name})' for name in columns)} FROM StepTraceTime").fetchone()
    names = ("compute_ns", "communication_ns", "overlapped_ns", "exposed_ns", "idle_ns")
    return {name: round(value * 1000) for name, value in zip(names, row, strict=True)}


def _summary_of(database: Path) -> Path:
    return database.with_name("analysis.db")


def _flat(document: dict[str, Any]) -> dict[str, int]:
    flat = {f"totals.{name}": value for name, value in document["totals"].items()}
    for section, column in (("by_operator", "total_ns"), ("by_type", "total_ns"), ("by_core", "total_ns")):
        for row in document[section]:
            key = f"{section}.{row['name']}"
            flat[key] = flat.get(key, 0) + row[column]
            if section == "by_operator" and row["core"]:
                flat[f"{key}.{row['core']}"] = row[column]
    for row in document["calls"]:
        key = f"self.{row['name']}"
        flat[key] = flat.get(key, 0) + row["self_ns"]
    flat["sum.by_operator"] = sum(row["total_ns"] for row in document["by_operator"])
    flat["sum.self"] = sum(row["self_ns"] for row in document["calls"])
    flat["sum.calls"] = sum(row["count"] for row in document["calls"])
    return flat


def _flat_plain(plain: dict[str, Any]) -> dict[str, int]:
    flat = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": ns for key, ns in value.items()})
        else:
            flat[f"totals.{name}"] = value
    return flat


def _known(path: Path) -> dict[str, int]:
    """Reference values that somebody else computed for this very recording."""
    known: dict[str, dict[str, int]] = tomllib.loads(_REFERENCE.read_text(encoding="utf-8"))
    return next((values for name, values in known.items() if name in path.parts), {})
