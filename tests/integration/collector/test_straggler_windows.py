"""Stored profile windows tell a slow link, and bear a slow rank's cause out or not."""

import time
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import pytest

from steelyard_collector.ingest.accepted import TABLES, Origin, Rows
from steelyard_collector.ingest.record_blocks import record_block
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_collector.stragglers import StragglerWatch
from steelyard_proto.v1 import batch_pb2
from steelyard_tui.queries import read_query
from tests.integration.collector.fleet_rows import register
from tests.integration.collector.job_rows import put_facts, put_held
from tests.standins.profile_records import profile, profile_id, rows

DAY_MS, HALF_HOUR_MS = 86_400_000, 1_800_000
RANKS, LINKED, PLAIN = 16, 100, 200
# Eight groups of two; that of ranks 2 and 3 has a slow link for the newest five hours, and rank 4 a slow host.
HOURS, ONSET_HOURS = 14, 5
USUAL: Final = {"all-reduce": 10, "reduce-scatter": 5}


def parts(collectives: Mapping[str, int], idle: int = 2) -> list[tuple[str, str, int]]:
    """Of a window of a hundred milliseconds."""
    told = [("communication", kind, ms * 1_000_000) for kind, ms in collectives.items()]
    told += [("communication", "p2p", 1_000_000), ("idle", "idle", idle * 1_000_000)]
    return [("compute", "matmul", 100_000_000 - sum(ns for *_, ns in told)), *told]


def late(rank: int) -> list[tuple[str, str, int]]:
    """A rank's window since the onset."""
    if rank in (2, 3):
        return parts({**USUAL, "all-reduce": 18})
    if rank == 4:
        return parts(USUAL, idle=10)
    return parts({"all-reduce": 18, "reduce-scatter": 5} if rank == 5 else {**USUAL, "reduce-scatter": 13})


class Profiler:
    """Puts windows into a store as their agent tells them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._count = 0

    def put(self, job: str, device: int, at_ms: list[int], told: list[tuple[str, str, int]]) -> None:
        for day, moments in groupby(at_ms, lambda ms: ms // DAY_MS):
            windows, split = [], []
            for ts_ms in moments:
                self._count += 1
                key: dict[str, Any] = {"job": job, "rank": device % 100}
                windows.append(profile(ts_ms, self._count, told, **key))
                split += rows(ts_ms, self._count, told, **key)
            self._insert(batch_pb2.KIND_PROFILE, day, device, profiles=windows)
            self._insert(batch_pb2.KIND_PROFILE_ROW, day, device, profile_rows=split)

    def _insert(self, kind: int, day: int, device: int, **records: Any) -> None:
        message = batch_pb2.Records(kind=kind, **records)  # type: ignore[arg-type]
        block = record_block([Rows(Origin(1, 9, kind, self._count), day, message, {1: device})])
        self._store.insert(TABLES[kind], block, token=f"{TABLES[kind]}-{device}-{day}-{self._count}")

    @property
    def newest(self) -> str:
        """The id of the last window that was put."""
        return profile_id(self._count)


@pytest.fixture(scope="module")
def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, now_ms: int) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('links')}/store")
    devices = [{"device_id": first + rank, "agent": 1} for first in (LINKED, PLAIN) for rank in range(RANKS)]
    begin_ms = now_ms - HOURS * 3_600_000
    register(store, devices, now_ms=begin_ms)
    facts: list[dict[str, Any]] = []
    for job, first, more in (("linked", LINKED, {"tensor_parallel": 2}), ("plain", PLAIN, {})):
        put_held(
            store,
            [
                {"job": job, "device_id": first + rank, "from_ts": begin_ms, "to_ts": now_ms + 4 * 3_600_000}
                for rank in range(RANKS)
            ],
        )
        facts += [
            {"job": job, "device_id": first + rank, "rank": rank, "pid": first + rank, "start_ts": begin_ms,
             "ts": begin_ms, "world_size": RANKS, **more}
            for rank in range(RANKS)
        ]  # fmt: skip
    for number, fact in enumerate(facts, 1):
        put_facts(store, [{**fact, "tensor_parallel": fact.get("tensor_parallel"), "seq": number}])
    yield store
    store.close()


@pytest.fixture(scope="module")
def profiler(store: Store, now_ms: int) -> Profiler:
    """With the windows of fourteen hours, one a rank and half-hour."""
    made = Profiler(store)
    begin_ms, onset_ms = now_ms - HOURS * 3_600_000, now_ms - ONSET_HOURS * 3_600_000
    for rank in range(RANKS):
        made.put("linked", LINKED + rank, list(range(begin_ms, onset_ms, HALF_HOUR_MS)), parts(USUAL))
        made.put("linked", LINKED + rank, list(range(onset_ms, now_ms, HALF_HOUR_MS)), late(rank))
    return made


def slow(store: Store) -> dict[int, dict[str, Any]]:
    rows = store.query("SELECT * FROM steelyard.stragglers ORDER BY device_id").to_pylist()
    return {row["device_id"] - LINKED: row for row in rows}


def test_all_ranks_of_a_slow_link_are_told_and_not_those_who_wait(
    store: Store, profiler: Profiler, now_ms: int
) -> None:
    watch = StragglerWatch(store)
    assert watch.run_once(now_ms - ONSET_HOURS * 3_600_000) == 0
    assert watch.run_once(now_ms) == 2
    found = slow(store)
    assert found.keys() == {2, 3}
    for row in found.values():
        assert (row["job"], row["cause"], row["kind"], row["ranks"]) == ("linked", "link", "became slow", RANKS)
        assert row["slow_ratio"] == pytest.approx(0.08, abs=0.001)
        assert row["gain_ratio"] == pytest.approx(0.08, abs=0.001)
        assert abs(row["since"].timestamp() * 1000 - now_ms + ONSET_HOURS * 3_600_000) <= HALF_HOUR_MS + 60_000
        assert (row["confirmed"], row["profile"]) == (None, None)
        assert row["confirmed_absent"] == "no profile window of this rank since it was found"


def test_the_next_windows_of_its_group_confirm_or_refute_and_stay(
    store: Store, profiler: Profiler, now_ms: int
) -> None:
    watch = StragglerWatch(store)
    watch.run_once(now_ms + 1000)
    profiler.put("linked", LINKED + 2, [now_ms + 20_000], late(2))
    confirming = profiler.newest
    # Every fourth minute is often enough.
    watch.run_once(now_ms + 40_000)
    assert slow(store)[2]["profile"] is None
    watch.run_once(now_ms + 242_000)
    found = slow(store)
    assert (found[2]["confirmed"], found[2]["profile"]) == (None, confirming)
    assert found[2]["confirmed_absent"].startswith("fewer than 4 groups")
    for rank in range(3, RANKS):
        profiler.put("linked", LINKED + rank, [now_ms + 41_000], late(rank))
    profiler.put("linked", LINKED, [now_ms + 41_000], late(0))
    # A window that comes after the first that counts.
    profiler.put("linked", LINKED + 3, [now_ms + 42_000], parts(USUAL))
    watch.run_once(now_ms + 484_000)
    found = slow(store)
    assert (found[2]["confirmed"], found[2]["profile"], found[2]["confirmed_absent"]) == (True, confirming, None)
    assert found[2]["profile_excess"] == found[2]["gain_ratio"] == pytest.approx(0.08)
    # Of the other window that is nearest to its own.
    assert found[3]["confirmed"] is True
    history = store.query("SELECT * FROM steelyard.straggler_history ORDER BY device_id").to_pylist()
    assert [(row["device_id"] - LINKED, row["confirmed"]) for row in history] == [(2, True), (3, True)]
    assert history[0]["profile"] == confirming
    sql = read_query("report_stragglers").replace("{from_ms:Int64}", "0").replace("{to_ms:Int64}", str(now_ms))
    told = {
        row["rank"]: row["by_profile"] for row in store.query(sql.replace("FROM s", "FROM steelyard.s")).to_pylist()
    }
    assert told == {2: "confirmed", 3: "confirmed"}


def test_what_was_said_is_known_to_a_new_collector_and_doesn_t_change(
    store: Store, profiler: Profiler, now_ms: int
) -> None:
    """When it was found first is in the store; the windows of that time are looked at, not newer ones."""
    for rank in range(RANKS):
        profiler.put("linked", LINKED + rank, [now_ms + 900_000], parts(USUAL))
    StragglerWatch(store).run_once(now_ms + 1_000_000)
    assert {rank: row["confirmed"] for rank, row in slow(store).items()} == {2: True, 3: True}


def test_a_new_collector_knows_the_link_s_baseline(store: Store, profiler: Profiler, now_ms: int) -> None:
    store.command("TRUNCATE TABLE steelyard_store.straggler_state")
    StragglerWatch(store).run_once(now_ms - ONSET_HOURS * 3_600_000)
    # Baseline and all are gone from the windows, and kept in what was learnt.
    older = f"ts < fromUnixTimestamp64Milli({now_ms - (ONSET_HOURS + 1) * 3_600_000})"
    store.command(f"ALTER TABLE steelyard_store.profile DELETE WHERE {older} SETTINGS mutations_sync = 2")
    assert StragglerWatch(store).run_once(now_ms + 1_001_000) == 2
    assert slow(store).keys() == {2, 3}


def test_a_group_without_a_link_signal_says_why(store: Store, profiler: Profiler, now_ms: int) -> None:
    store.command("TRUNCATE TABLE steelyard_store.straggler_state")
    StragglerWatch(store).run_once(now_ms + 1_002_000)
    told = store.query("SELECT * FROM steelyard.straggler_signals ORDER BY job, cause").to_pylist()
    absent = {(row["job"], row["cause"]): row["absent"] for row in told}
    assert absent["linked", "link"] is None
    assert absent["plain", "link"] == "its tensor parallel size isn't known, so its groups aren't"
    assert absent["plain", "clock"] is not None
    assert {row["ranks"] for row in told} == {RANKS}
