"""A store that stands still: the door stops reading, HTTP/2 holds the agents, and their spools keep what there is."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest

from steelyard_agent.sending.channel import Target
from steelyard_agent.sending.sender import Sender
from steelyard_collector.access.tokens import Tokens
from steelyard_collector.ingest.accepted import Accepted
from steelyard_collector.ingest.registry import Registry
from steelyard_collector.ingest.resume import Resumed
from steelyard_collector.ingest.service import IngestService
from steelyard_collector.ingest.writer import Commits, Writer, WriterLimits
from tests.standins.agent_parts import Parts, until
from tests.standins.memory_store import MemoryStore

AGENTS, MESSAGES, DEVICES = 3, 200, 64
QUEUE_BYTES = 40_000


class WatchedWriter(Writer):
    """Remembers how much was queued at most, and the largest message."""

    peak_bytes = 0
    largest_bytes = 0

    def put(self, message: Accepted) -> None:
        super().put(message)
        self.peak_bytes = max(self.peak_bytes, self.state.queued_bytes)
        self.largest_bytes = max(self.largest_bytes, message.size)


class SlowCollector:
    """The real Ingest service and writer over a store in memory, in a loop of their own thread."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.port = 0
        self.failures: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        limits = WriterLimits(period_s=0.02, block_rows=10_000, queue_bytes=QUEUE_BYTES)
        self.writer = WatchedWriter(self.store, limits, self._tell, 0, self.failures.append)  # type: ignore[arg-type]
        self.service = IngestService(
            Registry(Resumed({}, {}, {}, 0)),
            self.writer,
            authorize=Tokens({}).allow(frozenset()),
            clock=lambda: int(time.time() * 1000),
            version="test",
        )
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.writer.start()
        self._thread.start()
        assert self._ready.wait(20)

    def _tell(self, commits: Commits) -> None:
        self._loop.call_soon_threadsafe(self.service.committed, commits)

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        server = grpc.aio.server(options=(("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)))
        server.add_generic_rpc_handlers((self.service.handler(),))
        self.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._ready.set()
        while not self._done.is_set():
            await self.service.acknowledge()
            await asyncio.sleep(0.02)
        await server.stop(0)

    def close(self) -> None:
        self.store.moves.set()
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(20)
        self.writer.stop(5)
        self._loop.close()


@pytest.fixture
def collector() -> Iterator[SlowCollector]:
    collector = SlowCollector()
    yield collector
    collector.close()


def test_agents_keep_what_a_slow_store_does_not_take_and_nothing_is_lost(
    collector: SlowCollector, tmp_path: Path
) -> None:
    agents = [Parts(tmp_path / str(number), name=f"agent-{number}") for number in range(AGENTS)]
    target = Target(f"127.0.0.1:{collector.port}")
    senders = [Sender(one.ring, one.directory, target, time.time, draw=lambda: 0.0) for one in agents]
    try:
        for one, sender in zip(agents, senders, strict=True):
            one.spool(1, devices=DEVICES)
            sender.start()
        # The devices are in the registry: without that no message of theirs is taken.
        until(lambda: all(one.ring.waiting() == 0 for one in agents), 60)
        collector.store.moves.clear()
        collector.store.tables.clear()
        for one, sender in zip(agents, senders, strict=True):
            one.spool(MESSAGES, devices=DEVICES)
            sender.wake()
        until(lambda: collector.writer.is_full, 30)
        # The agents go on: a stream that is held is no failure, and what is new is spooled.
        for one, sender in zip(agents, senders, strict=True):
            one.spool(5, devices=DEVICES)
            sender.wake()
            assert one.ring.waiting() == MESSAGES + 5
            assert (sender.state.is_connected, sender.state.last_error) == (True, "")
        assert collector.store.tables["raw_device"] == []
        collector.store.moves.set()
        until(lambda: all(one.ring.waiting() == 0 for one in agents), 60)
    finally:
        for sender in senders:
            sender.stop(2)
        for one in agents:
            one.ring.close()
    assert collector.failures == []
    assert all(one.ring.counts.lost == 0 for one in agents)
    assert {sender.state.welcomes for sender in senders} == {1}
    # One message more than it may for each stream: the look at the queue follows the message.
    writer = collector.writer
    assert QUEUE_BYTES < writer.peak_bytes <= QUEUE_BYTES + AGENTS * writer.largest_bytes
    assert writer.peak_bytes < AGENTS * MESSAGES * writer.largest_bytes / 3, "most of it never left the agents' spools"
    rows = [row for block in collector.store.tables["raw_device"] for row in _keys(block)]
    assert len(rows) == len(set(rows)) == AGENTS * (MESSAGES + 5) * DEVICES


def _keys(block: object) -> list[tuple[int, int, int]]:
    columns = [block.column(name).to_pylist() for name in ("device_id", "epoch", "seq")]  # type: ignore[attr-defined]
    return list(zip(*columns, strict=True))
