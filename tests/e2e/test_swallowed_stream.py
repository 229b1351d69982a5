"""A network that swallows what is sent, for longer than the agent believes in a collector that says nothing.

The times of a real agent are 60 s and 10 s; here they are shorter, for the same sender and the same connection.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.sending.channel import Target
from steelyard_agent.sending.sender import Sender
from steelyard_agent.spool.reading import Cursor
from tests.standins.agent_parts import Parts, until
from tests.standins.programs import Collector, end
from tests.standins.wire_proxy import WireProxy

_QUIET_MS = 1500
_ANSWER_MS = 500


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    running = Collector(tmp_path)
    try:
        running.serve()
        yield running
    finally:
        end((running,))


@pytest.fixture
def proxy(collector: Collector) -> Iterator[WireProxy]:
    made = WireProxy(collector.address)
    yield made
    made.close()


@pytest.mark.timeout(120)
def test_a_swallowed_stream_is_given_up_and_what_it_held_comes_once(
    tmp_path: Path, collector: Collector, proxy: WireProxy
) -> None:
    parts = Parts(tmp_path / "agent")
    target = Target(proxy.address, quiet_ms=_QUIET_MS, answer_ms=_ANSWER_MS)
    sender = Sender(parts.ring, parts.directory, target, time.time, draw=lambda: 0.0)
    now_ms = int(time.time() * 1000) // 60_000 * 60_000 - 60_000
    sender.start()
    try:
        parts.spool(1, at_ms=now_ms)
        parts.spool(2)
        sender.wake()
        until(lambda: sender.state.acked == 3)
        proxy.swallow()
        # Neither end is told: these go into the connection that nobody reads any more, and believe to be sent.
        parts.spool(4)
        sender.wake()
        until(lambda: sender.state.sent == 7)
        assert sender.state.is_connected
        until(lambda: not sender.state.is_connected, 30)
        assert sender.state.acked == 3
        parts.spool(2)
        sender.wake()
        # What was held up in the old connection comes now as well, to a collector that believes in it still.
        proxy.restore()
        until(lambda: ticks(collector) == {"GPU-0": (9, 9), "GPU-1": (9, 9)}, 30)
        until(lambda: not list(parts.ring.unsent(Cursor(), 1 << 20)))
        assert sender.state.reconnects >= 1
        assert parts.ring.counts.lost == 0
    finally:
        sender.stop(2)
        parts.ring.close()
    assert collector.ask("SELECT count() AS n FROM steelyard.gaps") == [{"n": 0}]


def ticks(collector: Collector) -> dict[str, tuple[int, int]]:
    """By device, how many samples there are, and of how many moments."""
    sql = """SELECT d.uid AS uid, count(h.busy) AS samples, uniqExact(h.ts) AS moments
        FROM steelyard.device_history AS h JOIN steelyard.devices AS d ON d.device_id = h.device_id
        WHERE h.level = 'raw' GROUP BY uid"""
    return {row["uid"]: (row["samples"], row["moments"]) for row in collector.ask(sql)}
