"""The rollups' figures out of raw rows, as arrays: one reading serves both levels, at half of what SQL took for them.

Rows come as `raw_rows.sql` gives them, by device and time; what is said here of a bucket is the definition.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_collector.store.rollup_columns import counters_of, gauges_of
from steelyard_proto.metrics import Metric

Numbers = npt.NDArray[Any]
Columns = dict[str, Any]
_TEN_SECONDS_MS: Final = 10_000
_MINUTE_MS: Final = 60_000
_BINS: Final = 11
_HISTOGRAM: Final = "core_active"


@dataclass(frozen=True, slots=True)
class _Buckets:
    """Rows that lie in groups: by device, in it by bucket.

    Attributes:
        period_ms: of a bucket.
        starts: the first row of each group.
        of_row: the group of each row.
        counts: rows of each group.
    """

    period_ms: int
    starts: Numbers
    of_row: Numbers
    counts: Numbers


@dataclass(frozen=True, slots=True)
class _Line:
    """The rows that have a counter's value.

    Attributes:
        devices: of each row.
        stamps: its time.
        of_row: which of `starts` it belongs to.
        starts: the first row of each bucket that has any.
        ends: the last one.
        buckets: which of all buckets these are.
        is_first: whether a bucket is its device's first.
    """

    devices: Numbers
    stamps: Numbers
    of_row: Numbers
    starts: Numbers
    ends: Numbers
    buckets: Numbers
    is_first: Numbers


def ten_seconds(rows: pa.Table, given: frozenset[str], ver: int) -> pa.Table:
    """Rows of `roll_10s`, of the metrics that some row has; other columns stay at their defaults."""
    devices, stamps = _keys(rows)
    buckets = _buckets(devices, stamps, _TEN_SECONDS_MS)
    columns = _head(buckets, devices, stamps, ver)
    columns |= _gauge_figures(rows, buckets, [metric for metric in gauges_of(given) if metric.rollup_10s])
    return pa.table(columns)


def minutes(rows: pa.Table, before: pa.Table, given: frozenset[str], ver: int) -> pa.Table:
    """Rows of `roll_1m`, as above.

    Args:
        rows: of the minutes.
        before: by device, each counter's value before them, and when it was, as `counters_before.sql` gives it.
        given: metrics that some row has.
        ver: of the rows that are made.
    """
    devices, stamps = _keys(rows)
    buckets = _buckets(devices, stamps, _MINUTE_MS)
    columns = _head(buckets, devices, stamps, ver)
    columns |= _gauge_figures(rows, buckets, gauges_of(given))
    whole = _line(devices, stamps, buckets.of_row)
    for metric in counters_of(given):
        line, values = whole, _whole(rows[metric.name])
        if rows[metric.name].null_count:
            present = np.flatnonzero(rows[metric.name].is_valid().to_numpy())
            line, values = _line(devices[present], stamps[present], buckets.of_row[present]), values[present]
        columns |= _counter_figures(metric, line, values, before, len(buckets.starts))
    columns["core_active_hist"] = _histogram(rows, buckets)
    return pa.table(columns)


def _keys(rows: pa.Table) -> tuple[Numbers, Numbers]:
    return np.asarray(rows["device_id"].to_numpy()), np.asarray(rows["ts"].cast(pa.int64()).to_numpy())


def _buckets(devices: Numbers, stamps: Numbers, period_ms: int) -> _Buckets:
    numbers = stamps // period_ms
    starts = _starts((devices[1:] != devices[:-1]) | (numbers[1:] != numbers[:-1]))
    counts = np.diff(starts, append=len(devices))
    return _Buckets(period_ms, starts, np.repeat(np.arange(len(starts)), counts), counts)


def _starts(differs: Numbers) -> Numbers:
    """Where groups begin, by whether a row differs from the one before it."""
    return np.flatnonzero(np.concatenate(([True], differs)))


def _line(devices: Numbers, stamps: Numbers, of_row: Numbers) -> _Line:
    starts = _starts(of_row[1:] != of_row[:-1]) if len(of_row) else np.empty(0, np.int64)
    lengths = np.diff(starts, append=len(of_row))
    owners = devices[starts]
    is_first = np.ones(len(starts), bool)
    is_first[1:] = owners[1:] != owners[:-1]
    own = np.repeat(np.arange(len(starts)), lengths)
    return _Line(devices, stamps, own, starts, starts + lengths - 1, of_row[starts], is_first)


def _head(buckets: _Buckets, devices: Numbers, stamps: Numbers, ver: int) -> Columns:
    first = stamps[buckets.starts] // buckets.period_ms * (buckets.period_ms // 1000)
    return {
        "device_id": pa.array(devices[buckets.starts]),
        "bucket": pa.array(first, pa.timestamp("s", tz="UTC")),
        "n": pa.array(buckets.counts.astype(np.uint32)),
        "last_ts": pa.array(np.maximum.reduceat(stamps, buckets.starts), pa.timestamp("ms", tz="UTC")),
        "ver": pa.array(np.full(len(buckets.starts), ver, np.uint64)),
    }


def _gauge_figures(rows: pa.Table, buckets: _Buckets, gauges: Iterable[Metric]) -> Columns:
    columns: Columns = {}
    for name in (metric.name for metric in gauges):
        # Absent is NaN here.
        values = np.asarray(rows[name].to_numpy())
        n, whole = buckets.counts, values
        if rows[name].null_count:
            present = values == values
            n, whole = np.add.reduceat(present, buckets.starts, dtype=np.int64), np.where(present, values, 0)
        is_absent = n == 0
        columns[f"{name}_sum"] = pa.array(np.add.reduceat(whole, buckets.starts, dtype=np.float64))
        columns[f"{name}_n"] = pa.array(n.astype(np.uint32))
        columns[f"{name}_min"] = pa.array(np.fmin.reduceat(values, buckets.starts), mask=is_absent)
        columns[f"{name}_max"] = pa.array(np.fmax.reduceat(values, buckets.starts), mask=is_absent)
    return columns


def _counter_figures(metric: Metric, line: _Line, values: Numbers, before: pa.Table, count: int) -> Columns:
    """What a counter rose by, what lies between two buckets in the later one; how long it was watched; its ends."""
    name, starts, ends = metric.name, line.starts, line.ends
    was, at, has_was = _values_before(line, values, before, name)
    first, last = values[starts], values[ends]
    rise = last - first + np.where(has_was, _steps(first, was, metric.bits), 0)
    falls = np.flatnonzero(values[1:] < values[:-1]) + 1
    falls = falls[line.of_row[falls] == line.of_row[falls - 1]]
    if len(falls):
        now, then = values[falls], values[falls - 1]
        np.add.at(rise, line.of_row[falls], _steps(now, then, metric.bits) - (now - then))
    watched_ms = line.stamps[ends] - line.stamps[starts] + np.where(has_was, line.stamps[starts] - at, 0)
    whole_ms = np.zeros(count, np.uint64)
    whole_ms[line.buckets] = watched_ms
    return {
        f"{name}_inc": _spread(rise, line.buckets, count, has_was | (ends > starts)),
        f"{name}_ms": pa.array(whole_ms),
        f"{name}_first": _spread(first, line.buckets, count),
        f"{name}_last": _spread(last, line.buckets, count),
    }


def _values_before(line: _Line, values: Numbers, before: pa.Table, name: str) -> tuple[Numbers, Numbers, Numbers]:
    """Before each bucket's first value: the value before it of its device, when that was, and whether there is one."""
    was, at, has_was = values[line.starts - 1], line.stamps[line.starts - 1], ~line.is_first
    if before.num_rows and len(line.starts):
        devices = line.devices[line.starts[line.is_first]]
        known = np.asarray(before["device_id"].to_numpy())
        places = np.minimum(np.searchsorted(known, devices), len(known) - 1)
        is_known = (known[places] == devices) & before[name].is_valid().to_numpy()[places]
        found, places = np.flatnonzero(line.is_first)[is_known], places[is_known]
        was[found] = _whole(before[name])[places]
        at[found] = before[f"{name}_at"].cast(pa.int64()).to_numpy()[places]
        has_was[found] = True
    return was, at, has_was


def _whole(column: Any) -> Numbers:
    """Numbers without loss; what is absent is some number here."""
    return np.asarray((column.fill_null(0) if column.null_count else column).to_numpy())


def _steps(values: Numbers, was: Numbers, bits: int) -> Numbers:
    # Below the value before, and no wrap: the counter began again, and what it shows has come since.
    fallen = values
    if bits:
        span = 1 << bits
        is_wrap = (was < span) & (was - values > span // 2)
        fallen = np.where(is_wrap, values - was + span, values)
    return np.where(values >= was, values - was, fallen)


def _spread(values: Numbers, places: Numbers, count: int, is_there: Numbers | None = None) -> Any:
    """A nullable column of all buckets, out of the values of some of them."""
    whole, is_absent = np.zeros(count, np.int64), np.ones(count, bool)
    whole[places] = values
    is_absent[places] = False if is_there is None else ~is_there
    return pa.array(whole, mask=is_absent)


def _histogram(rows: pa.Table, buckets: _Buckets) -> Any:
    """How many rows of each bucket lie in each tenth of core_active, and at 1 or above."""
    count = len(buckets.starts)
    found = np.zeros(count * _BINS, np.int64)
    if _HISTOGRAM in rows.column_names:
        values = np.asarray(rows[_HISTOGRAM].to_numpy()).astype(np.float64)
        is_counted = values >= 0
        bins = np.minimum(np.floor(values[is_counted] * 10), _BINS - 1).astype(np.int64)
        found = np.bincount(buckets.of_row[is_counted] * _BINS + bins, minlength=count * _BINS)
    offsets: Any = pa.array(np.arange(count + 1, dtype=np.int32) * _BINS)
    return pa.ListArray.from_arrays(offsets, pa.array(found.astype(np.uint32)))
