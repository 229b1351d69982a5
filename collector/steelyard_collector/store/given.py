"""Which device metrics any raw row has: a fleet gives some thirty, and to sum the absent ones up costs as much.

A name is written before the first row that has a value of it: a crash can leave one too many, never one too few.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa

from steelyard_proto.metrics import catalogue

# The rollups' statements are never without a gauge and a counter.
_ALWAYS: Final = frozenset(("power_w", "energy_mj"))


def device_metrics() -> frozenset[str]:
    """All that the catalogue has."""
    return frozenset(metric.name for metric in catalogue().of("device"))


def loaded(row: dict[str, Any]) -> frozenset[str]:
    """The names out of the row of given_metrics.sql; all of them where rows came before names were kept."""
    names = frozenset(row["names"]) & device_metrics()
    return device_metrics() if not names and row["has_rows"] else names | _ALWAYS


def given_in(block: pa.Table, known: frozenset[str]) -> frozenset[str]:
    """Metrics that this block of `raw_device` has values of, and that aren't known yet."""
    new = (set(block.column_names) - known) & device_metrics()
    return frozenset(name for name in new if block[name].null_count < block.num_rows)


def rows_of(names: frozenset[str], clock: Callable[[], float] = time.time) -> pa.Table:
    """Rows of `given_metric`."""
    stamps = pa.array([round(clock() * 1000)] * len(names), pa.timestamp("ms", tz="UTC"))
    return pa.table({"name": pa.array(sorted(names), pa.string()), "recorded": stamps})
