"""What is in an embedded store, beside what was sent and beside itself: raw with the truth, rollups with raw."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_proto.metrics import Metric, catalogue
from steelyard_proto.v1 import batch_pb2
from tests.standins.truth import Told, Truth

Key = tuple[str, int, int, int]
SAMPLE_TABLES = {
    batch_pb2.KIND_DEVICE_SAMPLES: ("raw_device", "device"),
    batch_pb2.KIND_HOST_SAMPLES: ("raw_host", "host"),
    batch_pb2.KIND_AGENT_SAMPLES: ("raw_agent", "agent"),
}
RECORD_TABLES = {batch_pb2.KIND_PROCESS: "process", batch_pb2.KIND_EVENT: "event"}
# Before a minute begins: what a counter rose by over a longer silence, or over a jump of the clock, is not known.
_LOOKBACK_MS = {"fast": 30_000, "slow": 130_000}
LEVELS = {"roll_10s": 10, "roll_1m": 60, "roll_1h": 3600}
_AGENTS = "(SELECT agent, agent_id FROM steelyard_store.agent FINAL)"
_DEVICES = "(SELECT device_id, agent FROM steelyard_store.device FINAL)"


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """The store of a collector that has ended."""
    store = open_store(f"chdb://{path}")
    try:
        yield store
    finally:
        store.close()


def assert_raw_is(store: Store, truth: Truth, lost: "Mapping[Key, str] | None" = None) -> None:
    """Every message that was spooled is there once, with its rows, times and values; nothing else is.

    Args:
        store: the store.
        truth: what was spooled.
        lost: messages that stand in `gaps` instead.
    """
    expected = {key: told for key, told in truth.messages.items() if key not in (lost or {})}
    for kind, (table, entity) in SAMPLE_TABLES.items():
        found = dict(_messages(store, kind, table, entity))
        wanted = {key: told for key, told in expected.items() if key[2] == kind}
        assert_same_keys(found.keys(), wanted.keys(), table)
        for key, told in wanted.items():
            assert_same_message(found[key], told, f"{table} {key}")
    for kind, table in RECORD_TABLES.items():
        rows = {key: row["rows"] for key, row in _records(store, kind, table)}
        assert rows == {key: told.rows for key, told in expected.items() if key[2] == kind}, table
    assert_intervals(store, expected)


def lost_messages(store: Store) -> dict[Key, str]:
    """Every message that the public view `gaps` says is lost, with the reason."""
    sql = """SELECT a.agent_id AS agent_id, g.epoch AS epoch, g.kind AS kind, g.seq_from AS seq_from,
            g.seq_to AS seq_to, g.reason AS reason
        FROM steelyard.gaps AS g JOIN steelyard.agents AS a ON a.agent = g.agent"""
    lost: dict[Key, str] = {}
    for row in store.query(sql).to_pylist():
        kind = batch_pb2.Kind.Value(f"KIND_{row['kind'].upper()}")
        for seq in range(row["seq_from"], row["seq_to"] + 1):
            key = (row["agent_id"], row["epoch"], kind, seq)
            assert key not in lost, f"{key} is lost twice"
            lost[key] = row["reason"]
    return lost


def assert_same_keys(found: Any, wanted: Any, table: str) -> None:
    missing, surplus = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    assert not missing, f"{table}: {len(missing)} messages are missing, first {missing[:5]}"
    assert not surplus, f"{table}: {len(surplus)} messages that nobody sent, first {surplus[:5]}"


def assert_same_message(row: Mapping[str, Any], told: Told, where: str) -> None:
    assert (row["rows"], row["apart"]) == (told.rows, told.rows), f"{where}: rows, and rows that differ"
    assert (row["from_ms"], row["to_ms"]) == (told.from_ms, told.to_ms), where
    for metric, count, total in zip(row["metrics"], row["counts"], row["sums"], strict=True):
        wanted_count, wanted_total = told.values.get(str(metric), (0, 0))
        assert count == wanted_count, f"{where}: values of metric {metric}"
        if isinstance(wanted_total, int):
            assert int(total or 0) == wanted_total, f"{where}: sum of metric {metric}"
        else:
            assert math.isclose(float(total or 0), wanted_total, rel_tol=1e-9), f"{where}: sum of metric {metric}"


def assert_intervals(store: Store, expected: Mapping[Key, Told]) -> None:
    """A longer interval replaces a shorter one: the last message of each agent is there, and no interval twice."""
    last: dict[tuple[str, int], int] = defaultdict(int)
    for agent_id, epoch, kind, seq in expected:
        if kind == batch_pb2.KIND_JOB_INTERVAL:
            last[agent_id, epoch] = max(seq, last[agent_id, epoch])
    sql = f"""SELECT a.agent_id AS agent_id, r.epoch AS epoch, max(r.seq) AS seq
        FROM steelyard_store.job_interval AS r JOIN {_AGENTS} AS a ON a.agent = r.agent GROUP BY agent_id, epoch"""
    assert {(row["agent_id"], row["epoch"]): row["seq"] for row in store.query(sql).to_pylist()} == dict(last)
    twice = """SELECT device_id, job, from_ts, count() AS n FROM steelyard_store.job_interval FINAL
        GROUP BY device_id, job, from_ts HAVING n > 1"""
    assert store.query(twice).num_rows == 0


def assert_rollups_are_raw(store: Store, closed_before_s: int) -> int:
    """The rollups of every closed bucket say what raw says.

    Returns:
        How many buckets of all levels were compared.
    """
    rows = _raw_rows(store)
    compared = 0
    for table, seconds in LEVELS.items():
        metrics = [m for m in catalogue().of("device") if m.kind != "bits" and (seconds > 10 or m.rollup_10s)]
        wanted = {key: row for key, row in _buckets(rows, metrics, seconds).items() if key[1] < closed_before_s}
        found = {
            (row["device_id"], int(row["bucket_s"])): row
            for row in store.query(
                f"SELECT *, toUnixTimestamp(bucket) AS bucket_s FROM steelyard_store.{table} FINAL"
            ).to_pylist()
            if int(row["bucket_s"]) < closed_before_s
        }
        assert_same_keys(found.keys(), wanted.keys(), table)
        for key, bucket in wanted.items():
            _assert_same_bucket(found[key], bucket, f"{table} {key}", has_counters=seconds > 10)
        compared += len(wanted)
    return compared


def _messages(store: Store, kind: int, table: str, entity: Any) -> Iterator[tuple[Key, dict[str, Any]]]:
    metrics = [metric for metric in catalogue().of(entity) if not metric.retired]
    owner, join = "r.agent", ""
    rows_apart = "uniqExact(r.ts)"
    if table == "raw_device":
        owner, join = "d.agent", f"JOIN {_DEVICES} AS d ON d.device_id = r.device_id"
        rows_apart = "uniqExact(r.device_id, r.ts)"
    sums = ", ".join(_sum(metric) for metric in metrics)
    counts = ", ".join(f"count(r.{metric.name})" for metric in metrics)
    sql = f"""SELECT a.agent_id AS agent_id, r.epoch AS epoch, r.seq AS seq, count() AS rows, {rows_apart} AS apart,
            toUnixTimestamp64Milli(min(r.ts)) AS from_ms, toUnixTimestamp64Milli(max(r.ts)) AS to_ms,
            [{counts}] AS counts, [{sums}] AS sums
        FROM steelyard_store.{table} AS r {join} JOIN {_AGENTS} AS a ON a.agent = {owner}
        GROUP BY agent_id, epoch, seq"""
    for row in store.query(sql).to_pylist():
        row["metrics"] = [metric.id for metric in metrics]
        yield (row["agent_id"], row["epoch"], kind, row["seq"]), row


def _sum(metric: Metric) -> str:
    if metric.kind == "gauge":
        return f"toString(sum(toFloat64(r.{metric.name})))"
    # The wire carries bit sets in two's complement, and sums of counters pass 64 bits.
    return f"toString(sum(toInt128(reinterpretAsInt64(r.{metric.name}))))"


def _records(store: Store, kind: int, table: str) -> Iterator[tuple[Key, dict[str, Any]]]:
    sql = f"""SELECT a.agent_id AS agent_id, r.epoch AS epoch, r.seq AS seq, count() AS rows
        FROM steelyard_store.{table} AS r JOIN {_AGENTS} AS a ON a.agent = r.agent
        WHERE r.epoch > 0 GROUP BY agent_id, epoch, seq"""
    for row in store.query(sql).to_pylist():
        yield (row["agent_id"], row["epoch"], kind, row["seq"]), row


Rows = dict[int, list[dict[str, Any]]]


def _raw_rows(store: Store) -> Rows:
    rows: Rows = defaultdict(list)
    sql = "SELECT *, toUnixTimestamp64Milli(ts) AS ms FROM steelyard_store.raw_device ORDER BY device_id, ts"
    for row in store.query(sql).to_pylist():
        rows[row["device_id"]].append(row)
    return rows


def _buckets(rows: Rows, metrics: Sequence[Metric], seconds: int) -> dict[tuple[int, int], dict[str, Any]]:
    buckets: dict[tuple[int, int], dict[str, Any]] = {}
    for device_id, own in rows.items():
        before: dict[str, tuple[int, int]] = {}
        for row in own:
            begin_s = row["ms"] // 1000 // seconds * seconds
            bucket = buckets.setdefault((device_id, begin_s), {"n": 0, "gauges": defaultdict(list), "counters": {}})
            bucket["n"] += 1
            for metric in metrics:
                value = row[metric.name]
                if value is not None and metric.kind == "gauge":
                    bucket["gauges"][metric.name].append(value)
                elif value is not None:
                    ms, was = before.get(metric.name, (0, 0))
                    is_near = ms >= row["ms"] // 60_000 * 60_000 - _LOOKBACK_MS[metric.metric_class]
                    _step(bucket["counters"], metric, was if is_near else None, value)
                    before[metric.name] = (row["ms"], value)
    return buckets


def _step(counters: dict[str, tuple[int, int, bool]], metric: Metric, was: int | None, now: int) -> None:
    total, _, is_known = counters.get(metric.name, (0, 0, False))
    span = 1 << metric.bits if metric.bits else 0
    if was is not None and now >= was:
        total += now - was
    elif was is not None:
        has_wrapped = bool(span) and was < span and was - now > span // 2
        total += now - was + span if has_wrapped else now
    counters[metric.name] = (total, now, is_known or was is not None)


def _assert_same_bucket(found: Mapping[str, Any], bucket: dict[str, Any], where: str, *, has_counters: bool) -> None:
    assert found["n"] == bucket["n"], f"{where}: rows"
    for name, values in bucket["gauges"].items():
        assert found[f"{name}_n"] == len(values), f"{where}: {name}"
        assert math.isclose(found[f"{name}_sum"], math.fsum(values), rel_tol=1e-9), f"{where}: {name}"
        assert (found[f"{name}_min"], found[f"{name}_max"]) == (min(values), max(values)), f"{where}: {name}"
    if has_counters:
        for name, (total, last, is_known) in bucket["counters"].items():
            assert found[f"{name}_last"] == last, f"{where}: {name}"
            assert found[f"{name}_inc"] == (total if is_known else None), f"{where}: {name}"
