"""Which days' raw rows are whole, and which were written lately: what may be rolled up, and what may need it."""

from typing import Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement

DAY_MS: Final = 86_400_000
# A clock may be set by so much between two runs.
_CLOCK_STEP_MS: Final = 2 * 3_600_000


def is_kept(ts_ms: int, now_ms: int, raw_days: int, dropped: dict[int, int]) -> bool:
    """Whether the raw rows of then are still whole: a rollup of a rest would overwrite a full one.

    Args:
        ts_ms: the begin of a minute or hour.
        now_ms: Unix time.
        raw_days: that raw rows live.
        dropped: by day, until when its raw rows were dropped.
    """
    day = ts_ms // DAY_MS
    return day > now_ms // DAY_MS - raw_days and ts_ms >= dropped.get(day, 0)


def dropped_days(store: Store) -> dict[int, int]:
    """By day since 1970, the Unix time in ms until which its raw rows were dropped."""
    rows = store.query(statement("queries", "dropped_days")).to_pylist()
    return {int(row["day_ms"]) // DAY_MS: int(row["until_ms"]) for row in rows}


def changed_days(store: Store, table: str, hint_ms: int) -> str:
    """The days of a table that were written since a hint, as a list for SQL; "" for none.

    The hint is of this machine's clock, and so are the parts' times, but a clock may have been set meanwhile.
    """
    since_ms = hint_ms - _CLOCK_STEP_MS
    changed = {
        part.day
        for part in store.day_bytes()
        if part.table == table and part.day is not None and part.changed_ms >= since_ms
    }
    return ", ".join(f"toDate('{day}')" for day in sorted(changed))
