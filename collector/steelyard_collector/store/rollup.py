"""Rolls closed buckets up out of the raw rows, as often as needed: the same again gives the same.

The truth is raw. A minute is rolled up once it is closed, and again when rows for it arrive late; a kill at any instant
leaves work undone, which `recover` finds by counting.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from steelyard_collector.store.base import Store
from steelyard_collector.store.client import INSERT_SETTINGS, settings_clause
from steelyard_collector.store.dirty import MINUTE_MS, Devices, DirtyMinutes, Work, plan
from steelyard_collector.store.raw_days import changed_days, dropped_days, is_kept
from steelyard_collector.store.rollup_columns import from_1m, of_counters_before, of_raw_rows
from steelyard_collector.store.rollup_figures import minutes, ten_seconds
from steelyard_collector.store.statements import statement
from steelyard_proto.errors import StoreError

log = logging.getLogger(__name__)

# A bucket is closed so long after its end: an agent's flush and the commit lie in between.
GRACE_MS: Final = 15_000
_HOUR_MINUTES: Final = 60
_DAY_MS: Final = 86_400_000
# A backlog, and no message that took its time.
_LATE_MINUTES: Final = 2
# How far back the value before a bucket is looked for; a counter of the slow class comes once a minute.
_FAST_LOOKBACK_MS: Final = 30_000
_SLOW_LOOKBACK_MS: Final = 130_000
ROLL_SETTINGS: Final = settings_clause(
    {name: value for name, value in INSERT_SETTINGS.items() if name != "insert_deduplicate"}
    | {"max_threads": 1, "insert_deduplicate": 0, "do_not_merge_across_partitions_select_final": 1}
)
# By default wide rows come in pieces of 1 MB, each of which costs anew.
_READ_SETTINGS: Final = settings_clause(
    {"max_threads": 1, "optimize_aggregation_in_order": 1, "preferred_block_size_bytes": 0, "max_block_size": 262_144}
    | {"output_format_arrow_compression_method": "none"}
)


class Roller:
    """Owns what is dirty; used by one thread, but for `dirty`, which the inserting thread feeds."""

    def __init__(self, store: Store, dirty: DirtyMinutes, *, raw_days: int = 7) -> None:
        """Args: the store; what it noted of its inserts (`store.dirty`); days that raw rows live.

        `rolled` notes the device minutes that were done, for the rollups made of these; `late` the devices of which
        minutes came long after their time, until somebody takes them.
        """
        self._store = store
        self._dirty = dirty
        self._hours = DirtyMinutes()
        self.rolled = DirtyMinutes()
        self.late: set[int] = set()
        self._raw_days = raw_days
        self._ver = 0
        self._puts = 0
        self.rolled_to_ms = 0

    def recover(self, now_ms: int) -> int:
        """Finds what a former process left undone; to be called once, before the first `run_once`.

        Returns:
            The minutes that will be rolled up again, counted by device.

        Raises:
            StoreError: the store can't be read.
        """
        state = self._store.query(statement("queries", "roll_state")).to_pylist()[0]
        # The hint is written after the rows that carry later numbers.
        self._ver = int(state["ver"]) + MINUTE_MS if state["ver"] else 0
        found = 0
        dropped = dropped_days(self._store)
        for hour in self._undone_hours(int(state["ver"] or 0)):
            if is_kept(hour, now_ms, self._raw_days, dropped):
                undone = self._store.query(statement("queries", "roll_undone", from_ms=hour))
                self._dirty.add(numbers(undone, "device_id"), numbers(undone, "minute"))
                found += undone.num_rows
        stale = stale_hours(self._store, "roll_1m", "roll_1h", key="device_id", who="device_id", now_ms=now_ms)
        self._hours.add(numbers(stale, "who"), numbers(stale, "hour"))
        return found

    def _undone_hours(self, hint_ms: int) -> list[int]:
        """Hours in which raw rows and rollups differ in number, of the days that were written since the hint."""
        days = changed_days(self._store, "raw_device", hint_ms)
        if not days:
            return []
        rows = self._store.query(statement("queries", "roll_hours_undone", days=days)).to_pylist()
        return [int(row["hour_ms"]) for row in rows]

    def run_once(self, now_ms: int, *, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Rolls up all closed buckets that are dirty.

        Args:
            now_ms: Unix time.
            is_stopping: asked between statements; what is left then stays dirty, and is found again after a restart.

        Returns:
            How many device minutes it did.

        Raises:
            StoreError: ClickHouse refused; what was not done stays dirty and the call may be repeated.
        """
        self._ver = max(self._ver + 1, now_ms)
        closed_minute = (now_ms - GRACE_MS) // MINUTE_MS
        done = self._roll_minutes(closed_minute, now_ms, is_stopping)
        if is_stopping():
            return done
        self._roll_hours(closed_minute // _HOUR_MINUTES)
        self.rolled_to_ms = closed_minute * MINUTE_MS
        if done:
            ver = pa.array([self._ver], pa.timestamp("ms", tz="UTC"))
            row = pa.table({"id": pa.array([1], pa.uint8()), "recorded": ver})
            self._store.insert("roll_state", row, token=f"roll-{self._ver}")
        return done

    def _roll_minutes(self, closed_minute: int, now_ms: int, is_stopping: Callable[[], bool]) -> int:
        taken = self._dirty.take(closed_minute)
        if not taken:
            return 0
        dropped, days = dropped_days(self._store), self._raw_days
        kept = {m: d for m, d in taken.items() if is_kept(m * MINUTE_MS, now_ms, days, dropped)}
        followers = _with_followers(kept, closed_minute)
        changed = {m: d for m, d in followers.items() if is_kept(m * MINUTE_MS, now_ms, days, dropped)}
        try:
            for work in plan(changed):
                if is_stopping():
                    self._dirty.give_back(kept)
                    return 0
                self._roll_minute(work)
        except StoreError:
            self._dirty.give_back(kept)
            raise
        for minute, devices in changed.items():
            self._hours.add(devices, np.full(len(devices), minute // _HOUR_MINUTES))
            self.rolled.add(devices, np.full(len(devices), minute))
            if minute < closed_minute - _LATE_MINUTES:
                self.late.update(devices.tolist())
        return sum(len(devices) for devices in kept.values())

    def _roll_minute(self, work: Work) -> None:
        begin_ms = work.from_minute * MINUTE_MS
        where: dict[str, str | int] = {"devices": work.condition(), "from_ms": begin_ms, "settings": _READ_SETTINGS}
        lookback = {"fast_from_ms": begin_ms - _FAST_LOOKBACK_MS, "slow_from_ms": begin_ms - _SLOW_LOOKBACK_MS}
        given, to_ms = self._store.given_metrics(), work.to_minute * MINUTE_MS
        rows = self._store.query(statement("queries", "raw_rows", to_ms=to_ms, **where, **of_raw_rows(given)))
        if not rows.num_rows:
            return
        before = statement("queries", "counters_before", **where, **lookback, **of_counters_before(given))
        self._put("roll_10s", ten_seconds(rows, given, self._ver))
        # The last: recovery counts its rows.
        self._put("roll_1m", minutes(rows, self._store.query(before), given, self._ver))

    def _put(self, table: str, rows: pa.Table) -> None:
        self._puts += 1
        self._store.insert(table, rows, token=f"{table}-{self._ver}-{self._puts}")

    def _roll_hours(self, closed_hour: int) -> None:
        taken = self._hours.take(closed_hour)
        try:
            for work in plan(taken):
                span = {"from_s": work.from_minute * 3600, "to_s": work.to_minute * 3600}
                values: dict[str, str | int] = {
                    "devices": work.condition(),
                    "ver": self._ver,
                    "settings": ROLL_SETTINGS,
                }
                self._store.command(
                    statement("queries", "roll_1h", **values, **span, **from_1m(self._store.given_metrics()))
                )
        except StoreError:
            self._hours.give_back(taken)
            raise


def stale_hours(store: Store, minutes: str, hours: str, *, key: str, who: str, now_ms: int) -> pa.Table:
    """The hours of the last two days that are older than a minute of theirs.

    Args:
        store: the store.
        minutes: the table of minutes.
        hours: the table of the same by hour.
        key: the column by which both are kept.
        who: the column by which the work is done again.
        now_ms: Unix time.

    Raises:
        StoreError: the store can't be read.
    """
    names = {"minutes": minutes, "hours": hours, "key": key, "who": who}
    return store.query(statement("queries", "hours_stale", from_ms=now_ms - 2 * _DAY_MS, **names))


def numbers(table: pa.Table, name: str) -> Any:
    """A column, also of no rows."""
    return table[name].to_numpy() if table.num_rows else np.empty(0, np.uint64)


def _with_followers(dirty: dict[int, Devices], closed_minute: int) -> dict[int, Devices]:
    """A late row is the one before the first of a later minute: closed minutes that follow are rolled up with it."""
    merged: dict[int, list[Devices]] = {}
    for minute, devices in dirty.items():
        for follower in _followers(minute, closed_minute):
            merged.setdefault(follower, []).append(devices)
    return {minute: np.unique(np.concatenate(merged[minute])) for minute in sorted(merged)}


def _followers(minute: int, closed_minute: int) -> Iterable[int]:
    return range(minute, min(minute + 1 + -(-_SLOW_LOOKBACK_MS // MINUTE_MS), closed_minute))
