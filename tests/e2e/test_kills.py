"""Kill -9 of agents and collector at random instants under load: nothing acknowledged is lost, nothing comes twice."""

import random
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from steelyard_collector.store.client import ClickhouseStore
from steelyard_collector.store.rollup import Roller
from tests.standins.agent_parts import until
from tests.standins.programs import Collector, Program, Simulator, end
from tests.standins.stored import assert_raw_is, assert_rollups_are_raw, opened
from tests.standins.truth import Truth

# So far ahead that every bucket is closed, the hour's too.
_LATER_MS = 2 * 3_600_000
_NODES = 12


@pytest.mark.timeout(400)
def test_twenty_kills_of_each(tmp_path: Path) -> None:
    _kill_and_compare(tmp_path, 20)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_two_hundred_kills_of_each(tmp_path: Path) -> None:
    _kill_and_compare(tmp_path, 200)


def _kill_and_compare(folder: Path, kills: int) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    collector = Collector(folder, "--rollup-period", "1")
    fleet = Simulator(folder, collector.address, nodes=_NODES)
    try:
        collector.serve()
        fleet.start()
        _kill_side_by_side(
            _killer(collector, random.Random(f"{seed}/collector"), kills, _collector_lives),
            _killer(fleet, random.Random(f"{seed}/fleet"), kills, _fleet_lives),
        )
        assert (collector.starts, fleet.starts) == (kills + 1, kills + 1)
        collector.wait()
        # One more life, which is welcomed by the collector that stays: its end sends what all have left behind.
        fleet.kill()
        fleet.start()
        until(lambda: fleet.said.count("welcomed by collector") == _NODES, 60)
        fleet.terminate()
        assert fleet.code == 0, fleet.said
        assert "wait in its spool" not in fleet.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((fleet, collector))
    _compare(collector, Truth(fleet.truth), messages=kills * _NODES)


def _kill_side_by_side(*killers: Callable[[], None]) -> None:
    """Runs each in a thread of its own; what one raises is raised here."""
    failures: list[BaseException] = []

    def run(killer: Callable[[], None]) -> None:
        try:
            killer()
        except BaseException as error:  # noqa: BLE001 - handed on below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(killer,)) for killer in killers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _killer(program: Program, draw: random.Random, kills: int, lives: Callable[[Program, random.Random], None]):  # type: ignore[no-untyped-def]
    def kill() -> None:
        for _ in range(kills):
            lives(program, draw)
            assert program.is_running, program.said
            program.kill()
            program.start()

    return kill


def _collector_lives(collector: Program, draw: random.Random) -> None:
    assert isinstance(collector, Collector)
    if draw.random() < 0.2:
        # While it opens the store, reads what was committed, or rolls up what a former one left undone.
        time.sleep(draw.uniform(0.5, 2.5))
        return
    collector.wait()
    time.sleep(draw.uniform(0.0, 1.2))


def _fleet_lives(fleet: Program, draw: random.Random) -> None:
    assert isinstance(fleet, Simulator)
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0.3, 1.5))
        return
    told = fleet.told
    until(lambda: fleet.told > told, 30)
    time.sleep(draw.uniform(0.0, 2.5))


def _compare(collector: Collector, truth: Truth, *, messages: int) -> None:
    assert len(truth.messages) > messages, "the kills left no time to say anything"
    with opened(collector.store) as store:
        assert_raw_is(store, truth)
        assert isinstance(store, ClickhouseStore)
        now_ms = int(time.time() * 1000) + _LATER_MS
        roller = Roller(store, store.dirty)
        roller.recover(now_ms)
        roller.run_once(now_ms)
        assert assert_rollups_are_raw(store, closed_before_s=now_ms // 1000) > 0
        assert store.query("SELECT count() AS n FROM steelyard.gaps")["n"][0].as_py() == 0
