"""What to do about the errors of ClickHouse that people meet most."""

from typing import Final

from steelyard_collector.sql.pool import TOO_MANY, QueryLimits
from steelyard_collector.sql.refusal import Refused
from steelyard_proto.errors import StoreError

TIMEOUT: Final = frozenset({159, 160, 209})
MEMORY: Final = frozenset({241})
ROWS: Final = frozenset({396, 158, 307})
CANCELLED: Final = 394
# Errors that say that a limit was met, not that the query is wrong.
EXHAUSTED: Final = TIMEOUT | MEMORY | ROWS | {TOO_MANY}

_UNKNOWN: Final = {
    46: "SHOW FUNCTIONS LIKE '%part%' lists functions by name",
    47: "DESCRIBE view lists the columns of a view",
    60: "SHOW TABLES lists the views",
    62: "the position is counted from the first character of the query",
    81: "the views stand in the database steelyard: SHOW TABLES",
    164: "queries are read-only, and the limits are the collector's: leave SETTINGS away",
}


def with_remedy(error: StoreError, limits: QueryLimits) -> StoreError:
    """The same error, with what to do about it where that is known."""
    remedy = _remedy(error.code, limits)
    if not remedy or isinstance(error, Refused) or remedy in str(error):
        return error
    return StoreError(f"{error}\n{remedy}", code=error.code, name=error.name)


def out_of_patience(seconds: float) -> StoreError:
    """The error of a query that did not end though it was told to."""
    return StoreError(f"the query did not end within {seconds:g} s and was given up", code=159, name="TIMEOUT_EXCEEDED")


def _remedy(code: int, limits: QueryLimits) -> str:
    if code in TIMEOUT:
        return (
            f"a query may take {limits.read.seconds:g} s: narrow it by time or device, or read a coarser level of "
            "device_history"
        )
    if code in MEMORY:
        return f"a query may use {limits.read.memory_bytes >> 20} MiB: group by less, or narrow it by time or device"
    if code in ROWS:
        return f"a result may have {limits.read.result_rows} rows: add LIMIT, aggregate, or page by time"
    return _UNKNOWN.get(code, "")
