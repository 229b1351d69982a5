"""The migrations as text: on a cluster each table is replicated, everywhere, and under a Distributed one."""

import re

import pytest

from steelyard_collector.store.base import STORE_DATABASE
from steelyard_collector.store.migrate import EMBEDDED, Migration, Topology, migrations
from steelyard_collector.store.retention import kept_days
from steelyard_proto.metrics import Entity, Metric, catalogue

CLUSTER = "fleet"
TABLES = [m for m in migrations(Topology(CLUSTER)) if m.statements[0].find("CREATE TABLE") >= 0]


@pytest.mark.parametrize("migration", TABLES, ids=lambda migration: str(migration.name))
def test_a_cluster_s_table_is_replicated_and_distributed(migration: Migration) -> None:
    local, distributed = migration.statements
    found = re.search(r"CREATE TABLE IF NOT EXISTS steelyard_store\.(\w+)_local ON CLUSTER 'fleet'", local)
    assert found is not None
    assert re.search(r"ENGINE = Replicated\w*MergeTree", local)
    shard = re.search(r"^-- shard by (.+)$", local, re.MULTILINE)
    assert shard is not None
    name = found.group(1)
    assert distributed == (
        f"CREATE TABLE IF NOT EXISTS steelyard_store.{name} ON CLUSTER 'fleet' AS steelyard_store.{name}_local "
        f"ENGINE = Distributed('fleet', 'steelyard_store', '{name}_local', {shard.group(1)})"
    )


def test_no_number_stands_for_two_migrations() -> None:
    numbers = [migration.id for migration in migrations(EMBEDDED)]
    assert len(set(numbers)) == len(numbers)


def test_the_embedded_store_has_nothing_of_a_cluster() -> None:
    for migration in migrations(EMBEDDED):
        assert len(migration.statements) == 1
        assert not re.search(r"ON CLUSTER|ENGINE = Replicated|Distributed\(|_local\b|\$\{", migration.statements[0])


def _columns(table: str) -> str:
    return "\n".join(
        m.statements[0] for m in migrations(EMBEDDED) if re.search(rf"steelyard_store\.{table}\b", m.statements[0])
    )


@pytest.mark.parametrize("metric", catalogue().of("device"), ids=lambda metric: str(metric.name))
def test_a_device_metric_has_its_columns(metric: Metric) -> None:
    suffixes = {"gauge": ("_sum", "_n", "_min", "_max"), "counter": ("_inc", "_last"), "bits": ()}[metric.kind]
    for table in ("raw_device", *(("live_device",) if metric.kind == "gauge" else ())):
        assert re.search(rf"\b{metric.name} Nullable\(", _columns(table)), f"{table}: {metric.name}"
    for table in ("roll_1m", "roll_1h", *(("roll_10s",) if metric.rollup_10s else ())):
        for suffix in suffixes:
            assert re.search(rf"\b{metric.name}{suffix} ", _columns(table)), f"{table}: {metric.name}{suffix}"


@pytest.mark.parametrize("entity", ["host", "agent"])
def test_a_metric_of_a_host_or_an_agent_has_its_column(entity: Entity) -> None:
    for metric in catalogue().of(entity):
        assert re.search(rf"\b{metric.name} Nullable\(", _columns(f"raw_{entity}")), metric.name


# Those that grow with the fleet, its chips or its months alone, and what each has a row of.
UNBOUNDED = {
    "agent": "an agent",
    "agent_state": "an agent",
    "chip": "a chip",
    "chip_ceiling": "a chip",
    "chip_peak": "a chip and part",
    "collector_lock": "a store",
    "collector_state": "a store",
    "device": "a device",
    "dropped_day": "a day",
    "gap": "a range that is lost for good: an agent goes on behind it",
    "given_metric": "a metric",
    "intent": "a kind of message",
    "job_hour": "a job's hour, for ever",
    "live_device": "a device",
    "live_fleet": "an agent",
    "live_window": "a store",
    "price": "a chip",
    "profile_pause": "a store",
    "progress": "an agent's epoch",
    "roll_1h": "a device's hour, for ever",
    "roll_state": "a store",
    "schema_migrations": "a migration",
}


def test_each_table_is_dropped_by_days_or_by_a_ttl_or_is_known_to_stay_small() -> None:
    by_days = kept_days(7)
    for migration in migrations(EMBEDDED):
        made = re.search(rf"CREATE TABLE IF NOT EXISTS {STORE_DATABASE}\.(\w+)", migration.statements[0])
        if made is None:
            continue
        table, text = made.group(1), _columns(made.group(1))
        is_bound = re.search(r"^TTL | MODIFY TTL ", text, re.MULTILINE) is not None
        if table in by_days:
            assert "PARTITION BY toDate(ts)" in text, table
            is_bound = True
        assert is_bound != (table in UNBOUNDED), table
