"""A job's minutes hold what its steps, its devices' allocation and their energy counters say, counted by hand."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.job_rows import Rollers, empty, put_held, put_steps, tell_facts

# The clock of the rollups is the real one: TTLs and the times of parts go by it.
NOW_MS = int(time.time() * 1000) // 3_600_000 * 3_600_000
BEGIN_MS = NOW_MS - 3_600_000
MINUTE_MS = 60_000
DEVICES = [
    {"device_id": 1, "agent": 1},
    {"device_id": 2, "agent": 1},
    {"device_id": 3, "agent": 2, "chip": "910C", "part": "die", "vendor": "huawei", "power_scope": "package",
     "package_uid": "p0"},
    {"device_id": 4, "agent": 2, "chip": "910C", "part": "die", "vendor": "huawei", "power_scope": "package",
     "package_uid": "p0"},
]  # fmt: skip


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('jobs')}/store")
    plain = {"power_scope": "device", "package_uid": ""}
    register(store, [plain | device for device in DEVICES], now_ms=NOW_MS)
    yield store
    store.close()


@pytest.fixture
def store(opened: Store) -> Store:
    empty(opened)
    return opened


def minutes(store: Store) -> dict[tuple[str, str, int], dict[str, Any]]:
    """By job, chip and minute since BEGIN_MS."""
    sql = "SELECT *, toUnixTimestamp(bucket) * 1000 AS bucket_ms FROM steelyard_store.job_minute FINAL"
    rows = store.query(sql).to_pylist()
    return {(row["job"], row["chip"], (row["bucket_ms"] - BEGIN_MS) // MINUTE_MS): row for row in rows}


def steps(job: str, seconds: list[float], **same: Any) -> list[dict[str, Any]]:
    return [{"job": job, "ts": BEGIN_MS + int(1000 * s), "step_time_s": 10.0, "tokens": 4096, **same} for s in seconds]


def test_steps_count_in_the_minute_in_which_they_end(store: Store) -> None:
    ranks = [{"device_id": 1, "rank": 0, "pid": 11}, {"device_id": 2, "rank": 1, "pid": 12}]
    rows = [row for rank in ranks for row in steps("17", [10, 20, 59.999, 60], **rank)]
    put_steps(store, rows)
    Rollers(store).run(NOW_MS)
    found = minutes(store)
    assert found.keys() == {("17", "H100", 0), ("17", "H100", 1)}
    first = found["17", "H100", 0]
    # Two ranks: three steps of the job, six of its ranks.
    assert (first["steps"], first["ranks"], first["n"], first["devices"]) == (3, 2, 6, 2.0)
    assert (first["device_s"], first["tokens"]) == (60.0, 24576.0)
    assert (first["wall_s"], first["energy_j"], first["nonpad_tokens"]) == (None, None, None)
    assert dict(first["step_hist"]) == {231: 6}
    assert found["17", "H100", 1]["tokens"] == 8192.0


def test_copies_kinds_and_what_is_marked_stay_apart(store: Store) -> None:
    rows = [
        *steps("17", [1, 2], device_id=1, tokens=4096, token_copies=2, nonpad_tokens=4000, loss_tokens=10, loss=2.5),
        *steps("17", [3], device_id=1, tokens=None),
        *steps("17", [4], device_id=1, mark="checkpoint", step_time_s=30.0),
        *steps("17", [5], device_id=1, mark="evaluate", tokens=None, step_time_s=7.0, loss=9.0),
        *steps("17", [6], device_id=1, mark="warmup"),
        *steps("17", [7], device_id=1, step=20, loss=4.0),
        *steps("17", [8], device_id=1, begin_ts=BEGIN_MS - 200_000),
        *steps("17", [9], device_id=1, step_time_s=None),
    ]
    put_steps(store, rows)
    Rollers(store).run(NOW_MS)
    (row,) = minutes(store).values()
    assert (row["steps"], row["device_s"], row["tokens"]) == (3, 30.0, 4096.0)
    assert (row["nonpad_tokens"], row["loss_tokens"]) == (4000.0, 10.0)
    # An evaluation's is another loss.
    assert (row["loss_sum"], row["loss_n"]) == (9.0, 3)
    assert (row["checkpoint_steps"], row["checkpoint_device_s"], row["checkpoint_tokens"]) == (1, 30.0, 4096.0)
    assert (row["evaluate_steps"], row["evaluate_device_s"], row["evaluate_tokens"]) == (1, 7.0, None)
    # The first step of a process has no time: its tokens are in no sum.
    assert (row["first_steps"], row["first_device_s"], row["first_tokens"]) == (4, 30.0, 12288.0)


def test_a_pipeline_s_later_stages_have_time_and_no_tokens(store: Store) -> None:
    rows = [*steps("17", [1], device_id=1, pid=11), *steps("17", [1], device_id=2, pid=12, tokens=None)]
    put_steps(store, rows)
    Rollers(store).run(NOW_MS)
    (row,) = minutes(store).values()
    assert (row["tokens"], row["device_s"]) == (4096.0, 20.0)


def energy(devices: list[int], seconds: int, watts: int, *, hole: range = range(0)) -> list[dict[str, Any]]:
    return [
        {"device_id": device, "ts": BEGIN_MS - 1000 + 1000 * s, "seq": s, "energy_mj": 1000 * watts * s,
         "tensor_active": 0.5, "core_clock_mhz": 1830.0}
        for device in devices for s in range(seconds) if s not in hole
    ]  # fmt: skip


def held(job: str, devices: list[int], to_s: float, **same: Any) -> list[dict[str, Any]]:
    return [
        {"job": job, "device_id": device, "from_ts": BEGIN_MS - 5000, "to_ts": BEGIN_MS + int(1000 * to_s), **same}
        for device in devices
    ]


def test_energy_is_the_counters_over_whole_minutes_or_nothing(store: Store) -> None:
    store.insert("raw_device", raw_block(energy([1, 2], 190, 400)), token=uuid.uuid4().hex)
    put_held(store, held("17", [1, 2], 150))
    put_steps(store, steps("17", [10, 70], device_id=1))
    Rollers(store).run(NOW_MS)
    found = minutes(store)
    assert [found["17", "H100", n]["energy_j"] for n in range(3)] == [48_000.0, 48_000.0, None]
    assert [found["17", "H100", n]["wall_s"] for n in range(3)] == [120.0, 120.0, 60.0]
    assert [found["17", "H100", n]["held_devices"] for n in range(3)] == [2, 2, 2]
    assert (found["17", "H100", 0]["tensor_clock_sum"], found["17", "H100", 0]["tensor_clock_n"]) == (1830.0, 2)


def test_devices_that_no_job_holds_are_nobody_s_work(store: Store) -> None:
    rollers = Rollers(store)
    store.insert("raw_device", raw_block(energy([1, 2], 190, 400)), token=uuid.uuid4().hex)
    assert rollers.run(NOW_MS) == 0
    # What comes later brings its own minutes.
    put_held(store, held("17", [1, 2], 150))
    assert rollers.run(NOW_MS + 1000) > 0
    assert minutes(store)["17", "H100", 1]["energy_j"] == 48_000.0


def test_two_jobs_on_one_node_and_one_that_goes_on_with_fewer_ranks(store: Store) -> None:
    store.insert("raw_device", raw_block(energy([1], 190, 400) + energy([2], 190, 300)), token=uuid.uuid4().hex)
    put_held(store, held("17", [1], 180) + held("18", [2], 180))
    # Job 19 had both devices, and after a restart of its own one.
    both = [row for device in (1, 2) for row in steps("19", [5], device_id=device, pid=device, world_size=2, run="r")]
    alone = steps("19", [65], device_id=1, pid=9, world_size=1, start_ts=BEGIN_MS + 60_000, run="r")
    own = [*steps("17", [10, 70], device_id=1, pid=11), *steps("18", [20], device_id=2, pid=12, tokens=100)]
    put_steps(store, [*both, *alone, *own])
    Rollers(store).run(NOW_MS)
    found = minutes(store)
    told = {key: (row["tokens"], row["device_s"], row["energy_j"]) for key, row in found.items() if key[2] == 0}
    assert told == {
        ("17", "H100", 0): (4096.0, 10.0, 24_000.0),
        ("18", "H100", 0): (100.0, 10.0, 18_000.0),
        ("19", "H100", 0): (8192.0, 20.0, None),
    }
    later = found["19", "H100", 1]
    assert (later["devices"], later["tokens"], later["device_s"], later["run"]) == (1.0, 4096.0, 10.0, "r")
    # Of tokens over device-seconds nothing changed.
    assert later["tokens"] / later["device_s"] == 8192 / 20


def test_a_counter_that_was_away_gives_no_energy(store: Store) -> None:
    store.insert("raw_device", raw_block(energy([1], 190, 400, hole=range(20, 50))), token=uuid.uuid4().hex)
    store.insert("raw_device", raw_block(energy([2], 190, 400, hole=range(61, 190))), token=uuid.uuid4().hex)
    put_held(store, held("17", [1, 2], 180))
    put_held(store, held("18", [1], 180))
    Rollers(store).run(NOW_MS)
    found = minutes(store)
    assert [found["17", "H100", n]["energy_j"] for n in range(3)] == [48_000.0, None, None]
    # Between two readings the counter went on: the hole costs nothing.
    assert found["18", "H100", 0]["energy_j"] == 24_000.0


def test_a_package_s_energy_counts_once_and_only_for_all_of_it(store: Store) -> None:
    store.insert("raw_device", raw_block(energy([3], 70, 600)), token=uuid.uuid4().hex)
    put_held(store, [row | {"agent": 2} for row in held("both", [3, 4], 60) + held("half", [3], 60)])
    Rollers(store).run(NOW_MS)
    found = minutes(store)
    assert found["both", "910C", 0]["energy_j"] == 36_000.0
    assert found["half", "910C", 0]["energy_j"] is None


def test_late_rows_roll_again_and_again_gives_the_same(store: Store) -> None:
    store.insert("raw_device", raw_block(energy([1], 70, 400)), token=uuid.uuid4().hex)
    put_held(store, held("17", [1], 30))
    put_steps(store, steps("17", [10], device_id=1))
    rollers = Rollers(store)
    rollers.run(NOW_MS)
    assert minutes(store)["17", "H100", 0]["energy_j"] is None
    put_held(store, held("17", [1], 65))
    put_steps(store, steps("17", [20], device_id=1))
    rollers.run(NOW_MS + 1000)
    late = minutes(store)["17", "H100", 0]
    assert (late["energy_j"], late["tokens"], late["wall_s"]) == (24_000.0, 8192.0, 60.0)
    store.dirty.note(raw_block(energy([1], 70, 400)))
    rollers.run(NOW_MS + 2000)
    again = minutes(store)["17", "H100", 0]
    assert {**again, "ver": 0} == {**late, "ver": 0}


def test_an_open_minute_is_rolled_up_and_stays_dirty(store: Store) -> None:
    put_steps(store, steps("17", [10], device_id=1))
    rollers = Rollers(store)
    assert rollers.run(BEGIN_MS + 12_000) == 1
    assert minutes(store)["17", "H100", 0]["tokens"] == 4096.0
    put_steps(store, steps("17", [20], device_id=1))
    assert rollers.run(BEGIN_MS + 32_000) == 1
    assert minutes(store)["17", "H100", 0]["tokens"] == 8192.0
    assert rollers.run(BEGIN_MS + 80_000) == 1
    assert rollers.run(BEGIN_MS + 90_000) == 0


def test_a_new_process_finds_what_was_left(store: Store) -> None:
    put_steps(store, steps("17", [10, 70], device_id=1))
    store.dirty_jobs.take(1 << 31)  # as a process does that dies before its first run
    rollers = Rollers(store)
    assert rollers.jobs.recover(NOW_MS) > 0
    rollers.run(NOW_MS)
    assert [row["tokens"] for row in minutes(store).values()] == [4096.0, 4096.0]


def test_a_process_that_does_not_say_its_device_is_on_its_job_s(store: Store) -> None:
    put_held(store, held("17", [1, 2], 60))
    put_steps(store, [*steps("17", [10], device_id=None), *steps("18", [10], device_id=None)])
    Rollers(store).run(NOW_MS)
    assert {(job, chip) for job, chip, _ in minutes(store)} == {("17", "H100"), ("18", "")}


def facts(store: Store) -> dict[str, tuple[Any, ...]]:
    rows = store.query("SELECT * FROM steelyard_store.job_fact FINAL").to_pylist()
    return {row["job"]: (row["model_key"], row["sequence_length"], row["workload"]) for row in rows}


def test_what_a_job_trains_is_learnt_when_it_is_told(store: Store) -> None:
    rollers = Rollers(store)
    told = {"start_ts": BEGIN_MS, "ts": BEGIN_MS}
    names = ["17", "it's 18"]
    tell_facts(store, [{**told, "job": job} for job in names])
    rollers.run(NOW_MS)
    assert facts(store) == dict.fromkeys(names, ("llama-7b", 4096, "llama-7b | 4096 | bfloat16 | any task"))
    # The newest counts; the other job stands as it was.
    tell_facts(store, [{**told, "job": "17", "ts": BEGIN_MS + 1, "seq": 9, "sequence_length": 8192}])
    rollers.run(NOW_MS + MINUTE_MS)
    assert [row[1] for _, row in sorted(facts(store).items())] == [8192, 4096]


def test_a_restart_learns_what_the_last_process_was_told(store: Store) -> None:
    tell_facts(store, [{"job": "17", "start_ts": BEGIN_MS, "ts": BEGIN_MS}])
    store.told_jobs.take()
    Rollers(store).jobs.recover(NOW_MS)
    assert facts(store).keys() == {"17"}
