"""The live table: the newest row of each device, so that live views don't search the raw tables."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_proto.metrics import Metric, catalogue

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


def newest_rows(block: pa.Table) -> pa.Table:
    """What a block of `raw_device` brings to `live_device`: the newest row of each device, fast and slow metrics apart.

    The store writes them after each commit of a block. A crash in between leaves the live views behind until the next.
    """
    slow, other = _gauges(is_slow=True), _gauges(is_slow=False)
    has_slow, has_other = _has_any(block, slow), _has_any(block, other)
    order = _order(block)
    return pa.concat_tables(
        [
            _last_of_device(block, order[(has_other | ~has_slow)[order]], other, is_slow=0),
            _last_of_device(block, order[has_slow[order]], slow, is_slow=1),
        ],
        promote_options="default",
    )


def _gauges(*, is_slow: bool) -> list[str]:
    def fits(metric: Metric) -> bool:
        return metric.kind == "gauge" and (metric.metric_class == "slow") == is_slow

    return [metric.name for metric in catalogue().of("device") if fits(metric)]


def _has_any(block: pa.Table, names: list[str]) -> Flags:
    found = np.zeros(block.num_rows, bool)
    for name in names:
        column = block[name] if name in block.column_names else None
        if column is None or column.null_count == block.num_rows:
            continue
        if column.null_count == 0:
            return np.ones(block.num_rows, bool)
        found |= column.is_valid().to_numpy()
    return found


def _numbers(block: pa.Table, name: str) -> npt.NDArray[Any]:
    column = block[name]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return np.asarray(column.to_numpy())


def _versions(block: pa.Table) -> npt.NDArray[np.uint64]:
    """Rises within an agent whatever its clock does."""
    epochs, seqs = _numbers(block, "epoch").astype(np.uint64), _numbers(block, "seq").astype(np.uint64)
    return np.asarray((epochs << np.uint64(32)) + seqs)


def _order(block: pa.Table) -> Rows:
    """Row numbers by device, and in it by version and time."""
    devices, versions, stamps = _numbers(block, "device_id"), _versions(block), _numbers(block, "ts")
    same = devices[1:] == devices[:-1]
    later = (versions[1:] > versions[:-1]) | ((versions[1:] == versions[:-1]) & (stamps[1:] >= stamps[:-1]))
    # Blocks mostly come sorted, and a sort costs more than all the rest.
    if np.all((devices[1:] > devices[:-1]) | (same & later)):
        return np.arange(block.num_rows)
    return np.lexsort((stamps, versions, devices))


def _last_of_device(block: pa.Table, order: Rows, names: list[str], *, is_slow: int) -> pa.Table:
    devices = _numbers(block, "device_id")[order]
    is_last = np.ones(len(devices), bool)
    is_last[:-1] = devices[1:] != devices[:-1]
    given = [name for name in names if name in block.column_names]
    rows = block.select(["device_id", "ts", "epoch", "seq", *given]).take(pa.array(order[is_last], pa.int64()))
    columns: dict[str, Any] = {
        "is_slow": pa.array(np.full(rows.num_rows, is_slow, np.uint8)),
        "device_id": rows["device_id"],
        "ts": rows["ts"],
        "ver": pa.array(_versions(rows)),
    }
    return pa.table(columns | {name: rows[name] for name in given})
