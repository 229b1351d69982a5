"""The collector is away for longer than the ring holds: the oldest is lost, counted and told; the rest arrives once."""

import time
from collections import Counter
from pathlib import Path

import pytest

from steelyard_agent.sampling.sampler import Clock
from steelyard_agent.sending.channel import Target
from steelyard_agent.simulate.fleet import open_fleet
from steelyard_agent.simulate.node import SLOW_MS, SimulatedNode, Surroundings
from steelyard_agent.simulate.plan import uniform_fleet
from steelyard_agent.simulate.truth import Truth as TruthFile
from tests.standins.agent_parts import until
from tests.standins.programs import Collector, end
from tests.standins.stored import Key, assert_raw_is, lost_messages, opened
from tests.standins.truth import Truth

_RING_BYTES = 512 * 1024
_FLUSH_TICKS = 5
_OWN_TICKS = 10
_AWAY_TICKS = 600


class _QuickNode:
    """A simulated node whose seconds pass as fast as they can be made; its spool and its sender are real."""

    def __init__(self, folder: Path, address: str) -> None:
        self._start_ms = int(time.time() * 1000) - 2 * _AWAY_TICKS * 1000
        self.ticks = 0
        plan = uniform_fleet(1, 16, "H20")
        self._file = TruthFile(folder / "truth.jsonl", plan)
        around = Surroundings(folder / "fleet", Target(address), self._file, 1, time.time, _RING_BYTES)
        clock = Clock(lambda: float(self.ticks), lambda: self._start_ms, lambda _: False)
        self.node: SimulatedNode = open_fleet(plan, around, clock)[0]

    def live(self, ticks: int) -> None:
        for _ in range(ticks):
            is_slow, is_own = self.ticks % (SLOW_MS // 1000) == 0, self.ticks % _OWN_TICKS == 0
            self.node.tick(self._start_ms + self.ticks * 1000, is_slow=is_slow, is_own=is_own)
            self.ticks += 1
            if self.ticks % _FLUSH_TICKS == 0:
                self.node.flush()

    def stop(self) -> None:
        self.node.stop(60)
        self._file.close()


@pytest.mark.timeout(180)
def test_what_the_ring_can_not_hold_is_told_and_all_else_arrives(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    try:
        collector.serve()
        quick = _QuickNode(tmp_path, collector.address)
        node = quick.node
        node.start()
        quick.live(30)
        until(lambda: node.unacknowledged == 0, 60)
        acknowledged = Truth(tmp_path / "truth.jsonl").last_seq()
        collector.kill()
        quick.live(_AWAY_TICKS)
        lost = node.ring.counts.lost
        assert lost > 0
        assert node.ring.bytes_on_disk() <= _RING_BYTES
        collector.serve()
        until(lambda: node.unacknowledged == 0, 60)
        quick.live(30)
        quick.stop()
        assert node.unacknowledged <= 0
        assert node.ring.counts.lost == lost, "nothing is lost once the collector is back"
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((collector,))
    _compare(collector, Truth(tmp_path / "truth.jsonl"), acknowledged, lost)


def _compare(collector: Collector, truth: Truth, acknowledged: dict[tuple[str, int, int], int], count: int) -> None:
    with opened(collector.store) as store:
        gaps = lost_messages(store)
        assert_raw_is(store, truth, gaps)
        told = store.query("SELECT lost_messages FROM steelyard.agents")["lost_messages"].to_pylist()
        times = store.query(
            """SELECT a.agent_id AS agent_id, g.epoch AS epoch, g.kind AS kind, g.seq_from AS first, g.seq_to AS last,
                toUnixTimestamp64Milli(g.from_ts) AS from_ms, toUnixTimestamp64Milli(g.to_ts) AS to_ms
            FROM steelyard_store.gap AS g FINAL JOIN steelyard.agents AS a ON a.agent = g.agent"""
        ).to_pylist()
    assert len(gaps) == count == told[0]
    assert set(gaps.values()) == {"ring_full"}
    # What was lost is the oldest that wasn't acknowledged, without a hole: one range a kind.
    assert max(Counter(row["kind"] for row in times).values()) == 1
    for row in times:
        where: tuple[str, int, int] = (row["agent_id"], row["epoch"], row["kind"])
        assert row["first"] == acknowledged.get(where, 0) + 1
        keys: list[Key] = [(*where, seq) for seq in range(row["first"], row["last"] + 1)]
        messages = [truth.messages[key] for key in keys]
        assert (row["from_ms"], row["to_ms"]) == (
            min(told.from_ms for told in messages),
            max(told.to_ms for told in messages),
        )
