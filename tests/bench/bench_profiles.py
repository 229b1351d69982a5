"""Bytes a window of continuous profiles, and a day of 16,000 devices: one window a node each ten minutes."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from steelyard_collector.ingest.accepted import TABLES
from steelyard_collector.store.base import STORE_DATABASE
from steelyard_collector.store.open import open_store
from steelyard_proto.v1 import batch_pb2
from tests.bench.figure import Figure
from tests.bench.load.profiles import NODES, make_jobs, rounds

_ROUNDS = 6
_WINDOWS_A_DAY = 16_000 // 8 * 144
_TABLES = {batch_pb2.KIND_PROFILE: "profile", batch_pb2.KIND_PROFILE_ROW: "row", batch_pb2.KIND_STACK: "stack"}


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Stores an hour of a part of the fleet, merges it into one part a table, and counts bytes."""
    midnight_ms = (int(time.time()) // 86_400 - 1) * 86_400_000
    windows = _ROUNDS * NODES
    progress(f"{windows:,} windows of {NODES} nodes")
    sizes: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        store = open_store(f"chdb://{Path(folder) / 'store'}")
        try:
            for number, blocks in enumerate(rounds(make_jobs(), midnight_ms, _ROUNDS)):
                for kind, block in blocks.items():
                    store.insert(TABLES[kind], block, token=f"{kind}-{number}")
            for kind, name in _TABLES.items():
                store.command(f"OPTIMIZE TABLE {STORE_DATABASE}.{TABLES[kind]} FINAL")
                (row,) = store.query(
                    "SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts "
                    f"WHERE active AND database = '{STORE_DATABASE}' AND table = '{TABLES[kind]}'"
                ).to_pylist()
                sizes[name] = (row["bytes"] / windows, row["rows"] / windows)
        finally:
            store.close()
    figures = [
        Figure(f"bytes_per_window_{name}", size, "B", "", f"{rows:.0f} rows a window; one merged part")
        for name, (size, rows) in sizes.items()
    ]
    whole = sum(size for size, _ in sizes.values())
    text = f"{whole:,.0f} B a window, {_WINDOWS_A_DAY:,} windows a day"
    return [*figures, Figure("gb_per_day_16000_devices", whole * _WINDOWS_A_DAY / 1e9, "GB", "<= 2", text)]
