"""How fast NPUs moved bytes: what `msprof` sampled of memory, HCCS, PCIe and RoCE.

Its database has each sample in bytes per second. Of versions without one its tables are read, in which MB are 2**20
bytes; they have sums alone. `roce_*.csv` is not read: it has no rates, only shares of a rate whose unit isn't sure.

Source: msprof's exporters and Huawei's pages on its files, as read; not seen on real output.
"""

import math
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_database import is_database, opened
from steelyard_traces.csv_table import read_csv
from steelyard_traces.profile import Profile, Rate

_TABLES: Final = {"HBM": "hbm", "DDR": "ddr", "HCCS": "hccs", "PCIE": "pcie", "ROCE": "roce"}
_EXPORT: Final = "mindstudio_profiler_output"
_MIB: Final = 1 << 20
_DEVICE: Final = {"device": ("Device_id",)}
_MEMORY: Final = {"part": ("Metric",), "read": ("Read(MB/s)",), "write": ("Write(MB/s)",)}
_LINK: Final = {"mode": ("Mode",), "mean": ("Average", "Avg"), "min": ("Min",), "max": ("Max",)}
_MODES: Final = {
    "Tx (MB/s)": ("sent", ""), "Rx (MB/s)": ("received", ""),
    "Tx_p_avg(MB/s)": ("sent", "posted"), "Tx_np_avg(MB/s)": ("sent", "non-posted"),
    "Tx_cpl_avg(MB/s)": ("sent", "completions"), "Rx_p_avg(MB/s)": ("received", "posted"),
    "Rx_np_avg(MB/s)": ("received", "non-posted"), "Rx_cpl_avg(MB/s)": ("received", "completions"),
}  # fmt: skip
_ALL: Final = "Average"


def read_rates(path: Path) -> tuple[Rate, ...]:
    """The rates in a database, or in or below a folder; empty where none were sampled.

    Raises:
        TraceError: a file is damaged, or there are several recordings, of which one must be named.
    """
    if path.is_file():
        return tuple(_of_database(path)) if is_database(path) else ()
    runs = sorted(run for run in path.glob("PROF_*") if run.is_dir())
    if len(runs) > 1:
        raise TraceError(f"{len(runs)} recordings are in it; name one: {runs[0].name} ...", path=str(path))
    folders = (path, path / _EXPORT, *runs, *(run / _EXPORT for run in runs))
    databases = sorted(one for folder in folders for one in folder.glob("msprof_*.db"))
    found = tuple(rate for database in databases[-1:] for rate in _of_database(database))
    return found or tuple(rate for folder in folders for rate in _of_tables(folder))


def rates_profile(path: Path, rates: tuple[Rate, ...]) -> Profile:
    """A recording that has rates alone."""
    return Profile(
        path=str(path),
        format="msprof, system sampling",
        chip="",
        rank="",
        devices=0,
        window_ns=0,
        step_count=None,
        steps=(),
        has_timeline=False,
        kernels=0,
        kernels_ns=None,
        split=None,
        parts=(),
        operators=(),
        types=(),
        cores=(),
        calls=(),
        notes=(),
        rates=rates,
    )


def _of_database(path: Path) -> Iterator[Rate]:
    with opened(path) as (database, tables):
        for table, link in _TABLES.items():
            if table in tables:
                text = files("steelyard_traces").joinpath("queries", f"rates_{link}.sql").read_text(encoding="utf-8")
                yield from _rows(database, text, link)


def _rows(database: sqlite3.Connection, query: str, link: str) -> Iterator[Rate]:
    for device, direction, part, mean, least, most, samples in database.execute(query):
        yield Rate(int(device or 0), link, str(direction), str(part), float(mean), float(least), float(most), samples)


def _of_tables(folder: Path) -> Iterator[Rate]:
    for link in ("hbm", "ddr"):
        for path in _named(folder, link):
            yield from _of_memory(path, link)
    for link in ("hccs", "pcie"):
        for path in _named(folder, link):
            yield from _of_link(path, link)


def _named(folder: Path, link: str) -> list[Path]:
    """torch_npu's export has the name alone, msprof's the time too."""
    return sorted({*folder.glob(f"{link}.csv"), *folder.glob(f"{link}_[0-9]*.csv")})


def _of_memory(path: Path, link: str) -> Iterator[Rate]:
    rows = list(read_csv(path, _MEMORY, _DEVICE))
    units = [row for row in rows if row["part"] != _ALL]
    for row in units or rows:
        for direction in ("read", "write"):
            mean = _bytes_per_s(row[direction])
            if mean is not None:
                yield Rate(_device(row), link, direction, row["part"] if units else "", mean)


def _of_link(path: Path, link: str) -> Iterator[Rate]:
    for row in read_csv(path, _LINK, _DEVICE):
        mean = _bytes_per_s(row["mean"])
        if mean is not None and row["mode"] in _MODES:
            direction, part = _MODES[row["mode"]]
            least, most = _bytes_per_s(row["min"]), _bytes_per_s(row["max"])
            yield Rate(_device(row), link, direction, part, mean, least, most)


def _device(row: dict[str, str]) -> int:
    return int(row["device"]) if row["device"].isascii() and row["device"].isdecimal() else 0


def _bytes_per_s(text: Any) -> float | None:
    try:
        value = float(text) * _MIB
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
