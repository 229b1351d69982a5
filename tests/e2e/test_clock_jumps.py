"""Wall clocks that jump an hour forth and back, with the collector killed in between: nothing is lost or doubled."""

import time
from pathlib import Path

import pytest

from steelyard_collector.store.client import ClickhouseStore
from steelyard_collector.store.rollup import Roller
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.programs import Collector, Simulator, end
from tests.standins.stored import assert_raw_is, assert_rollups_are_raw, lost_messages, opened
from tests.standins.trouble import Trouble
from tests.standins.truth import SAMPLES, Truth

_HOUR_S = 3600
_NODES = 2
# So far ahead that every bucket is closed, also those of a clock that was an hour ahead.
_LATER_MS = 3 * _HOUR_S * 1000


@pytest.mark.timeout(240)
def test_clocks_that_jump_while_the_collector_is_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    library = build("trouble", tmp_path / "library")
    agents = Trouble(library, tmp_path / "agents", tmp_path)
    store = Trouble(library, tmp_path / "collectors", tmp_path)
    collector = Collector(tmp_path, "--rollup-period", "1", environ=store.environ)
    fleet = Simulator(tmp_path, collector.address, nodes=_NODES, environ=agents.environ)
    try:
        collector.serve()
        fleet.start()
        _tell_more(fleet)
        # Both sides' clocks forth, then back, the collector's further; each time with a kill.
        for ahead_s, collector_ahead_s in ((_HOUR_S, _HOUR_S), (0, -_HOUR_S)):
            agents.set_clock(ahead_s)
            store.set_clock(collector_ahead_s)
            _tell_more(fleet)
            collector.kill()
            since = len(fleet.said)
            collector.serve()
            until(lambda since=since: len(fleet.welcomed(since)) == _NODES, 60)  # type: ignore[misc]
            _tell_more(fleet)
            until(lambda apart_s=ahead_s - collector_ahead_s: offsets_are(collector, apart_s), 60)  # type: ignore[misc]
        fleet.terminate()
        assert fleet.code == 0, fleet.said
        assert "wait in its spool" not in fleet.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((fleet, collector))
    _compare(collector, Truth(fleet.truth))


def offsets_are(collector: Collector, ahead_s: float) -> bool:
    """Whether every agent's clock is shown as so far ahead of the collector's."""
    found = collector.ask("SELECT clock_offset_ms FROM steelyard.agents WHERE connected")
    return len(found) == _NODES and all(abs(row["clock_offset_ms"] - ahead_s * 1000) < 60_000 for row in found)


def _tell_more(fleet: Simulator) -> None:
    told = fleet.told
    until(lambda: fleet.told > told + 2 * _NODES, 60)


def _compare(collector: Collector, truth: Truth) -> None:
    stamps = [told.from_ms for told in truth.of(*SAMPLES)]
    assert max(stamps) - min(stamps) > 0.9 * _HOUR_S * 1000, "the clocks have not jumped"
    with opened(collector.store) as store:
        assert lost_messages(store) == {}
        assert_raw_is(store, truth)
        # Within a message time rises, and messages are told apart by their number, whatever the clock does.
        backwards = store.query(
            """SELECT count() AS n FROM (
                SELECT ts < lagInFrame(ts) OVER (PARTITION BY device_id ORDER BY epoch, seq, ts) AS is_back
                FROM steelyard_store.raw_device)
            WHERE is_back"""
        )["n"][0].as_py()
        assert backwards > 0
        assert isinstance(store, ClickhouseStore)
        now_ms = int(time.time() * 1000) + _LATER_MS
        roller = Roller(store, store.dirty)
        roller.recover(now_ms)
        roller.run_once(now_ms)
        assert assert_rollups_are_raw(store, closed_before_s=now_ms // 1000) > 0
