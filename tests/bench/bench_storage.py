"""Bytes a sample of a day of 8 devices, beside a Prometheus block of the same values."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from steelyard_collector.store.base import STORE_DATABASE
from steelyard_collector.store.open import open_store
from tests.bench.figure import Figure
from tests.bench.load.day import DEVICES, TICKS, Day, as_percent, make_day

_TICKS_PER_MESSAGE = 10


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Fills both stores with the same values and compares their files."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = make_day(int(start.timestamp() * 1000) - 86_400_000, seed=7)
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        progress(f"{day.samples:,} samples into ClickHouse")
        ours = _our_bytes(day, Path(folder) / "store")
        progress("the same into a Prometheus block")
        theirs = _prometheus_bytes(day, Path(folder))
    figures = [Figure("bytes_per_sample", ours / day.samples, "B", "", "keys, epoch and seq included; one merged part")]
    if theirs is None:
        return [*figures, Figure("ratio_to_prometheus", None, "", "<= 0.35", "promtool is not installed")]
    peer = f"Prometheus block with its index: {theirs / day.samples:.3f} B/sample"
    return [*figures, Figure("ratio_to_prometheus", ours / theirs, "", "<= 0.35", peer)]


def _our_bytes(day: Day, folder: Path) -> int:
    store = open_store(f"chdb://{folder}")
    try:
        for device in range(DEVICES):
            store.insert("raw_device", _block(day, device), token=f"day-{device}")
        store.command(f"OPTIMIZE TABLE {STORE_DATABASE}.raw_device FINAL")
        parts = store.query(
            "SELECT count() AS parts, sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts "
            f"WHERE active AND database = '{STORE_DATABASE}' AND table = 'raw_device'"
        ).to_pylist()[0]
        assert (parts["parts"], parts["rows"]) == (1, DEVICES * TICKS), parts
        return int(parts["bytes"])
    finally:
        store.close()


def _block(day: Day, device: int) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "device_id": pa.array(np.full(TICKS, device + 1, np.uint32)),
        "ts": pa.array(day.stamps_ms[device], pa.timestamp("ms", tz="UTC")),
        "epoch": pa.array(np.full(TICKS, day.stamps_ms[0, 0] // 1000, np.uint32)),
        "seq": pa.array((np.arange(TICKS) // _TICKS_PER_MESSAGE + 1).astype(np.uint32)),
    }
    for name, values in day.gauges.items():
        columns[name] = pa.array(values[device].astype(np.float32))
    for name, counts in day.counters.items():
        columns[name] = pa.array(counts[device])
    return pa.table(columns)


def _prometheus_bytes(day: Day, folder: Path) -> int | None:
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    text = folder / "day.om"
    with text.open("w", encoding="ascii") as out:
        for name, values in day.gauges.items():
            _write_family(out.write, name, "gauge", day, as_percent(name, values))
        for name, counts in day.counters.items():
            _write_family(out.write, name, "counter", day, counts)
        out.write("# EOF\n")
    blocks = folder / "blocks"
    command = [
        promtool,
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=24h",
        str(text),
        str(blocks),
    ]
    subprocess.run(command, check=True, capture_output=True)
    text.unlink()
    return sum(path.stat().st_size for path in blocks.rglob("*") if path.is_file())


def _write_family(write: Callable[[str], int], name: str, kind: str, day: Day, values: np.ndarray) -> None:
    suffix = "_total" if kind == "counter" else ""
    write(f"# TYPE steelyard_{name} {kind}\n")
    for device in range(DEVICES):
        series = f'steelyard_{name}{suffix}{{node="n1",device="{device}",chip="910B3",uid="npu-{device}"}}'
        stamps = day.stamps_ms[device] / 1000
        write(
            "".join(f"{series} {value:.10g} {stamp:.3f}\n" for value, stamp in zip(values[device], stamps, strict=True))
        )
