"""The chip table in the store, so that a view can put a figure beside the peak it is a part of."""

from dataclasses import asdict
from typing import Final

import pyarrow as pa

from steelyard_collector.store.base import Store
from steelyard_proto.chips import ChipTable

_COLUMNS: Final = (
    "name", "vendor", "per", "dies", "bf16_tflops", "fp16_tflops", "clock_mhz", "hbm_gb_s", "hbm_gb", "tdp_w",
    "basis", "source", "confidence",
)  # fmt: skip


def put_chips(store: Store, chips: ChipTable) -> bool:
    """Writes the table where it differs from what the store holds; returns whether it did.

    Raises:
        StoreError: the store can't be read or written.
    """
    wanted = [{name: asdict(chip)[name] for name in _COLUMNS} for chip in chips.by_name.values()]
    listed = ", ".join(_COLUMNS)
    sql = f"SELECT {listed}, ver FROM steelyard_store.chip FINAL ORDER BY name"  # noqa: S608
    held = store.query(sql).to_pylist()
    newest = max((row.pop("ver") for row in held), default=0)
    if sorted(wanted, key=lambda row: str(row["name"])) == held:
        return False
    rows = pa.Table.from_pylist([row | {"ver": newest + 1} for row in wanted])
    store.insert("chip", rows, token=f"chips-{newest + 1}")
    return True
