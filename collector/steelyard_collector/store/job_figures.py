"""The figures that a comparison is made of: one row a run, kind of device and quantity, over any window."""

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from steelyard_collector.store.base import SqlValue
from steelyard_collector.store.job_sums import job_sums
from steelyard_collector.store.statements import statement

# Of a store, or of a reader.
Query = Callable[[str, Mapping[str, SqlValue]], pa.Table]
# A window up to so long is told by minutes, a longer one by hours: the cost grows with the rows of the rollups.
MINUTES_UP_TO_S: Final = 48 * 3600
_WINDOW: Final = "bucket >= toDateTime({from_s:UInt32}, 'UTC') AND bucket < toDateTime({to_s:UInt32}, 'UTC')"


def job_figures(query: Query, from_s: int, to_s: int) -> pa.Table:
    """Figures over a window; see docs/sql.md for the columns.

    Args:
        query: asks a store with its rollups.
        from_s: Unix time, rounded down to the rollup's bucket.
        to_s: Unix time, not part of the window.

    Raises:
        StoreError: the store can't be read.
    """
    return query(figures_statement(from_s, to_s), {"from_s": from_s, "to_s": to_s})


def figures_statement(from_s: int, to_s: int) -> str:
    """The query, by minutes or by hours; it takes `from_s` and `to_s`."""
    if to_s - from_s <= MINUTES_UP_TO_S:
        source = job_sums(_WINDOW.replace("bucket", "m.bucket"))
        return statement("queries", "job_figures", source=source, bucket_s=60, level="minute")
    source = f"SELECT * FROM steelyard_store.job_hour FINAL WHERE {_WINDOW}"  # noqa: S608
    return statement("queries", "job_figures", source=source, bucket_s=3600, level="hour")


def chip_figures(window: str, from_ms: int, to_ms: int, now_ms: int) -> tuple[str, dict[str, SqlValue]]:
    """The query for each chip's own figures over a window, and its parameters; the rows of the view `chips`.

    Args:
        window: its name.
        from_ms: Unix time.
        to_ms: Unix time, not part of the window.
        now_ms: Unix time at which it is asked.
    """
    level = "1m" if to_ms - from_ms <= 1000 * MINUTES_UP_TO_S else "1h"
    values: dict[str, SqlValue] = {
        "window": window,
        "level": level,
        "from_ms": from_ms,
        "to_ms": to_ms,
        "now_ms": now_ms,
    }
    return statement("queries", "chip_figures"), values
