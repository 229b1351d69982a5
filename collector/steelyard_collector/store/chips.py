"""The chip table in the store, so that a view can put a figure beside the peak it is a part of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.store.base import Store
from steelyard_collector.store.client import settings_clause
from steelyard_collector.store.statements import statement
from steelyard_proto.chips import ChipTable
from steelyard_proto.prices import Prices

_COLUMNS: Final = (
    "name", "vendor", "per", "dies", "bf16_tflops", "fp16_tflops", "clock_mhz", "hbm_gb_s", "hbm_gb", "tdp_w",
    "basis", "source", "confidence",
)  # fmt: skip


_PEAK: Final = (
    "chip", "part", "clock_mhz", "basis", "ofu", "ofu_validated", "bf16_tflops", "fp16_tflops", "marketed_bf16_tflops",
    "ceiling_tflops", "price_per_device_hour", "currency", "devices_per_package", "is_known",
)  # fmt: skip
_CEILING: Final = ("name", "marketed_bf16_tflops", "ceiling_tflops", "ceiling_source", "ofu", "ofu_validated")


def put_chips(store: Store, chips: ChipTable) -> bool:
    """Writes the table where it differs from what the store holds; returns whether it did.

    Raises:
        StoreError: the store can't be read or written.
    """
    known = [asdict(chip) for chip in chips.by_name.values()]
    changed = [
        put_rows(store, table, [{name: row[name] for name in columns} for row in known])
        for table, columns in (("chip", _COLUMNS), ("chip_ceiling", _CEILING))
    ]
    # At each start: what follows from them may be defined otherwise than by the version before.
    _put_peaks(store)
    return any(changed)


def put_prices(store: Store, prices: Prices, chips: ChipTable) -> bool:
    """Writes what a device-hour of each chip costs where it differs; returns whether it did.

    Raises:
        StoreError: the store can't be read or written.
    """
    rows = [
        {"chip": name, "price_per_device_hour": prices.by_chip.get(name), "currency": prices.currency}
        for name in chips.by_name
    ]
    changed = put_rows(store, "price", rows)
    if changed:
        _put_peaks(store)
    return changed


def _put_peaks(store: Store) -> None:
    columns = ", ".join(_PEAK)
    settings = settings_clause({"max_threads": 1})
    store.command(statement("queries", "put_chip_peaks", columns=columns, settings=settings))


def put_rows(store: Store, table: str, wanted: Sequence[Mapping[str, Any]]) -> bool:
    """Writes a whole small table, keyed by its first column, where it differs; returns whether it did.

    Raises:
        StoreError: the store can't be read or written.
    """
    key, *_ = columns = tuple(wanted[0])
    sql = f"SELECT {', '.join(columns)}, ver FROM steelyard_store.{table} FINAL ORDER BY {key}"  # noqa: S608
    held = store.query(sql).to_pylist()
    newest = max((row.pop("ver") for row in held), default=0)
    if sorted(wanted, key=lambda row: str(row[key])) == held:
        return False
    rows = pa.Table.from_pylist([{**row, "ver": newest + 1} for row in wanted])
    store.insert(table, rows, token=f"{table}-{newest + 1}")
    return True
