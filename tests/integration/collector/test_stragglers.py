"""A simulated rank that becomes slow is found in the rollups, with its cause; the others are not."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from steelyard_agent.devices.simulator.device import slowdown_factor
from steelyard_agent.devices.simulator.faults import Fault, FaultKind
from steelyard_agent.devices.simulator.source import SimulatedGroup, SimulatorSource
from steelyard_agent.devices.simulator.workload import Slowdown, Workload
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import Roller
from steelyard_collector.store.statements import statement
from steelyard_collector.stragglers import StragglerWatch
from steelyard_proto.metrics import catalogue
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.job_rows import put_facts, put_held

MINUTES, ONSET, RANKS = 210, 150, 6
# The view shows what was found in the last three minutes: so far ahead of the clock that a slow machine is in time.
AHEAD_S = 900
JOBS: tuple[tuple[str, FaultKind | None], ...] = (("hot", "throttle"), ("starved", "slow_host"), ("well", None))


def samples(job: int, kind: FaultKind | None, begin_s: int) -> Iterator[dict[str, Any]]:
    """Raw rows of a job's devices, four a minute; its rank 2 has a fault from ONSET on."""
    faults, slow = (), ()
    if kind is not None:
        faults = (Fault(kind, 2, ONSET * 60.0, 1e9),)
        slow = (Slowdown(ONSET * 60.0, 1e9, slowdown_factor(0.85, {kind})),)
    clock = [0.0]
    workload = Workload(from_s=0.0, slowdowns=slow)
    source = SimulatorSource(
        [SimulatedGroup("H100", RANKS, workload, faults)], node=f"n{job}", clock=lambda: clock[0], zero_s=0.0
    )
    known = catalogue()
    for second in range(15, MINUTES * 60, 15):
        clock[0] = float(second)
        for place, info in enumerate(source.all_devices()):
            values = source.sample(info.uid, "fast")
            row = {known.by_id[number].name: value for number, value in zip(info.metrics["fast"], values, strict=True)}
            yield {
                "device_id": job * 100 + place,
                "ts": (begin_s + second) * 1000,
                "seq": second,
                **{name: row[name] for name in ("busy", "core_active", "core_clock_mhz")},
            }


@pytest.fixture(scope="module")
def end_s() -> int:
    """When the jobs' last minute ended."""
    return int(time.time()) // 60 * 60 + AHEAD_S


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, end_s: int) -> Iterator[Store]:
    begin_s = end_s - MINUTES * 60
    store = open_store(f"chdb://{tmp_path_factory.mktemp('stragglers')}/store")
    devices = [{"device_id": job * 100 + place, "agent": job} for job in (1, 2, 3) for place in range(RANKS)]
    register(store, devices, now_ms=begin_s * 1000)
    for job, (name, kind) in enumerate(JOBS, 1):
        rows = list(samples(job, kind, begin_s))
        day = 86_400_000
        for first in {row["ts"] // day for row in rows}:
            block = [row for row in rows if row["ts"] // day == first]
            store.insert("raw_device", raw_block(block), token=f"{name}-{first}")
        held = {"job": name, "agent": job, "from_ts": begin_s * 1000, "to_ts": end_s * 1000}
        put_held(store, [held | {"device_id": job * 100 + place} for place in range(RANKS)])
        facts = {"job": name, "agent": job, "start_ts": begin_s * 1000, "ts": begin_s * 1000}
        if name == "well":
            # Stages of twelve ranks: of those here two are of the first and four of the second.
            facts |= {"world_size": 24, "pipeline_parallel": 2}
        put_facts(
            store,
            [facts | {"device_id": job * 100 + place, "rank": 10 + place, "pid": place} for place in range(RANKS)],
        )
    Roller(store, store.dirty).run_once(end_s * 1000 + 20_000)
    yield store
    store.close()


def found(store: Store) -> dict[str, dict[str, Any]]:
    rows = store.query("SELECT * FROM steelyard.stragglers").to_pylist()
    assert len({row["job"] for row in rows}) == len(rows), rows
    return {row["job"]: row for row in rows}


def test_a_slow_rank_is_found_with_its_cause(store: Store, end_s: int) -> None:
    assert StragglerWatch(store).run_once(end_s * 1000 + 60_000) == 2
    rows = found(store)
    assert rows.keys() == {"hot", "starved"}
    for name, cause in (("hot", "clock"), ("starved", "host")):
        row = rows[name]
        assert (row["rank"], row["node"], row["chip"], row["ranks"]) == (12, f"n{1 + (name != 'hot')}", "H100", RANKS)
        assert (row["cause"], row["kind"]) == (cause, "became slow")
        assert abs(row["since"].timestamp() - (end_s - MINUTES * 60) - ONSET * 60) <= 180
        assert row["gain_ratio"] > 0.02
    # A clock of 1 / 1.6 of the others'.
    assert rows["hot"]["slow_ratio"] == pytest.approx(0.6, abs=0.03)


def test_minute_by_minute_says_the_same_as_all_at_once(store: Store, end_s: int) -> None:
    steps = StragglerWatch(store)
    for minute in range(MINUTES - 40, MINUTES + 1, 20):
        steps.run_once(((end_s - MINUTES * 60) + minute * 60) * 1000 + 60_500)
    stepwise = found(store)
    StragglerWatch(store).run_once(end_s * 1000 + 61_000)
    assert found(store) == stepwise


def test_many_looks_at_one_slow_rank_are_one_row_of_its_history(store: Store, end_s: int) -> None:
    watch = StragglerWatch(store)
    for ms in (61_200, 61_400, 61_600):
        assert watch.run_once(end_s * 1000 + ms) == 2
    newest = found(store)
    rows = store.query("SELECT * FROM steelyard.straggler_history").to_pylist()
    became = {row["job"]: row for row in rows if row["kind"] == "became slow" and row["looks"] >= 3}
    assert became.keys() == {"hot", "starved"}
    for name, row in became.items():
        assert row["last_ts"].timestamp() == end_s + 61.6
        assert row["since"] == newest[name]["since"]
        assert 0 < row["slow_ratio"] <= row["slow_ratio_max"]
        assert {column: row[column] for column in ("rank", "node", "chip", "cause")} == {
            column: newest[name][column] for column in ("rank", "node", "chip", "cause")
        }


def test_ranks_of_another_pipeline_stage_are_no_peers(store: Store, end_s: int) -> None:
    rows = store.query(statement("queries", "straggler_ranks", now_s=end_s)).to_pylist()
    stages = {(row["job"], row["rank"]): row["stage"] for row in rows}
    assert [stages["well", rank] for rank in range(10, 16)] == [0, 0, 1, 1, 1, 1]
    assert {stage for (job, _), stage in stages.items() if job != "well"} == {0}


# From here on rows are taken away.
def test_a_new_collector_goes_on_from_what_the_last_one_learnt(store: Store, end_s: int) -> None:
    onset_s = end_s - (MINUTES - ONSET) * 60
    store.command("TRUNCATE TABLE steelyard_store.straggler_state")
    StragglerWatch(store).run_once(onset_s * 1000)
    [well] = store.query("SELECT DISTINCT devices FROM steelyard_store.straggler_state WHERE job = 'well'").to_pylist()
    assert well["devices"] == [302, 303, 304, 305]
    # One that knew nothing of links is gone on from, too.
    store.command("ALTER TABLE steelyard_store.straggler_state DELETE WHERE cause = 'link' SETTINGS mutations_sync = 2")
    older = f"bucket < toDateTime({onset_s - 3600})"
    store.command(f"ALTER TABLE steelyard_store.roll_1m DELETE WHERE {older} SETTINGS mutations_sync = 2")
    assert StragglerWatch(store).run_once(end_s * 1000 + 62_000) == 2
    rows = found(store)
    assert {job: (row["cause"], row["kind"]) for job, row in rows.items()} == {
        "hot": ("clock", "became slow"), "starved": ("host", "became slow")
    }  # fmt: skip
    assert abs(rows["hot"]["since"].timestamp() - onset_s) <= 180
    # Without it two hours are still being learnt, and they hold the fault: who is slow now was so as far as is known.
    store.command("TRUNCATE TABLE steelyard_store.straggler_state")
    StragglerWatch(store).run_once(end_s * 1000 + 63_000)
    assert {row["kind"] for row in found(store).values()} == {"slowest by nature"}


def test_what_a_backlog_tells_of_a_new_job_is_read_too(store: Store, end_s: int) -> None:
    store.command("TRUNCATE TABLE steelyard_store.straggler_state")
    store.command("CREATE TABLE steelyard_store.late ENGINE = Memory AS SELECT * FROM steelyard_store.roll_1m")
    older = f"bucket < toDateTime({end_s - 600})"
    store.command(f"ALTER TABLE steelyard_store.roll_1m DELETE WHERE {older} SETTINGS mutations_sync = 2")
    watch = StragglerWatch(store)
    assert watch.run_once(end_s * 1000 + 64_000) == 0
    store.command(f"INSERT INTO steelyard_store.roll_1m SELECT * FROM steelyard_store.late WHERE {older}")
    assert watch.run_once(end_s * 1000 + 65_000) == 0
    assert watch.run_once(end_s * 1000 + 66_000, {100 + RANKS - 1}) == 1
    assert [(row["job"], row["kind"]) for row in found(store).values()] == [("hot", "slowest by nature")]
    # Who knows an hour keeps what was learnt.
    [hot] = [group for key, group in watch._groups.items() if key[0] == "hot"]
    watch.run_once(end_s * 1000 + 67_000, {100})
    assert hot in watch._groups.values()
