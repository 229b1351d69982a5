"""What is dropped: days that are older than they are kept, and the oldest ones where the store is too large."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.store.base import DayBytes, Store

log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 50_000_000_000
# Days of what isn't raw: an event is worth as much as the minutes around it.
_RECORD_DAYS: Final = 90
# What a window came to is small and kept as long; its operators and stacks are 50 times as much.
_PROFILE_PART_DAYS: Final = 30
_RECORDS: Final = ("event", "profile")
_PROFILE_PARTS: Final = ("profile_row", "stack")
_RAW: Final = ("raw_device", "raw_host", "raw_agent", "process", "step")
_TIME: Final[Any] = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept.

    Attributes:
        raw_days: of raw rows, today included.
        max_bytes: of everything.
    """

    raw_days: int
    max_bytes: int


def kept_days(raw_days: int) -> dict[str, int]:
    """How many days of each table that is dropped by days are kept, today included."""
    records = dict.fromkeys(_RECORDS, _RECORD_DAYS) | dict.fromkeys(_PROFILE_PARTS, _PROFILE_PART_DAYS)
    return dict.fromkeys(_RAW, raw_days) | records


def bounds_of(store: Store, raw_days: int, max_bytes: int) -> Bounds:
    """The bounds; without a size given, the smaller of 50 GB and half of the disk that is free or ours.

    Raises:
        StoreError: the store can't be asked.
    """
    if not max_bytes:
        max_bytes = min(DEFAULT_MAX_BYTES, (store.free_bytes() + _sum(store.day_bytes())) // 2)
    return Bounds(raw_days, max_bytes)


def keep_within(store: Store, bounds: Bounds, now_ms: int) -> int:
    """Drops what is too old, then whole days from the oldest on until the store is within its size.

    Today goes last, and only if it is too large alone. Each drop of raw rows is noted in `dropped_day` before it
    happens, so that no rollup is made of a rest, and becomes an event.

    Returns:
        The bytes on disk afterwards.

    Raises:
        StoreError: ClickHouse refused; the next call goes on.
    """
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    parts = store.day_bytes()
    parts = _drop_old(store, parts, bounds, today, now_ms)
    while (size := _sum(parts)) > bounds.max_bytes:
        days = sorted({part.day for part in parts if part.day is not None})
        if not days:
            return size
        _drop_day(store, [part for part in parts if part.day == days[0]], "max_disk", now_ms)
        parts = [part for part in parts if part.day != days[0]]
    return size


def _drop_old(store: Store, parts: list[DayBytes], bounds: Bounds, today: date, now_ms: int) -> list[DayBytes]:
    kept = kept_days(bounds.raw_days)
    old: dict[date, list[DayBytes]] = defaultdict(list)
    for part in parts:
        days = kept.get(part.table)
        if part.day is not None and days is not None and part.day <= today - timedelta(days=days):
            old[part.day].append(part)
    for day in sorted(old):
        _drop_day(store, old[day], "retention", now_ms)
    return [part for part in parts if part.day is None or part not in old[part.day]]


def _drop_day(store: Store, parts: list[DayBytes], reason: str, now_ms: int) -> None:
    day, size = parts[0].day, _sum(parts)
    assert day is not None
    if any(part.table == "raw_device" for part in parts):
        end_ms = int(datetime.combine(day, datetime.min.time(), UTC).timestamp() * 1000) + 86_400_000
        until_ms = min(end_ms, max(now_ms, end_ms - 86_400_000))
        row = {"day": [day], "until": pa.array([until_ms], _TIME), "reason": [reason],
               "bytes": pa.array([size], pa.uint64()), "recorded": pa.array([now_ms], _TIME)}  # fmt: skip
        store.insert("dropped_day", pa.table(row), token=f"dropped-{day}-{now_ms}")
    for part in parts:
        store.drop_day(part.table, day)
    text = f"{', '.join(part.table for part in parts)} of {day} dropped, {size / 1e6:,.1f} MB: {_WHY[reason]}"
    (log.info if reason == "retention" else log.warning)("%s", text)
    store.insert("event", _event(reason, text, now_ms), token=f"event-dropped-{day}-{now_ms}")


_WHY: Final = {
    "retention": "older than it is kept (--retention)",
    "max_disk": "the store is larger than it may be (--max-disk)",
}


def _event(reason: str, text: str, now_ms: int) -> pa.Table:
    zero = pa.array([0], pa.uint32())
    severity = "info" if reason == "retention" else "warning"
    return pa.table(
        {"agent": zero, "epoch": zero, "seq": zero, "ts": pa.array([now_ms], _TIME), "severity": [severity],
         "code": ["day_dropped"], "text": [text], "source": ["collector"]}
    )  # fmt: skip


def _sum(parts: list[DayBytes]) -> int:
    return sum(part.bytes for part in parts)
