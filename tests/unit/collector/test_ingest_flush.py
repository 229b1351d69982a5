"""How long agents are asked to gather: a second while somebody looks, longer where nobody would see it sooner."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import grpc
import pyarrow as pa

from steelyard_collector.ingest.registry import Registry
from steelyard_collector.ingest.resume import Resumed
from steelyard_collector.ingest.service import IngestService
from steelyard_proto.v1 import ingest_pb2

MINUTE_MS = 60_000


class NoWriter:
    """Takes the registry's rows and commits them at once."""

    is_full = False

    def put_rows(self, table: str, rows: object, schema: pa.Schema, done: Callable[[], None]) -> None:
        done()


class Call:
    """The collector's side of one stream: what it reads, and what it has written."""

    def __init__(self, hello: ingest_pb2.Hello) -> None:
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.incoming.put_nowait(ingest_pb2.AgentMessage(hello=hello).SerializeToString())
        self.written: list[ingest_pb2.CollectorMessage] = []

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def read(self) -> Any:
        return await self.incoming.get()

    async def write(self, message: ingest_pb2.CollectorMessage) -> None:
        self.written.append(message)

    @property
    def asked_ms(self) -> int:
        message = self.written[-1]
        return (message.welcome if message.HasField("welcome") else message.ack).wants.flush_ms


async def test_agents_gather_longer_where_nobody_looks() -> None:
    now = SimpleNamespace(ms=1_800_000_000_000, is_watched=False)
    service = IngestService(
        Registry(Resumed({}, {}, {}, 0)),
        NoWriter(),  # type: ignore[arg-type]
        authorize=lambda _token: "",
        clock=lambda: now.ms,
        version="1",
        is_watched=lambda: now.is_watched,
    )
    call = Call(ingest_pb2.Hello(agent_id="a", epoch=1, node=ingest_pb2.Node(name="n")))
    stream = asyncio.create_task(service._stream(None, call))
    while not call.written:
        await asyncio.sleep(0)
        if stream.done():
            stream.result()

    async def after(passed_ms: int) -> int:
        now.ms += passed_ms
        await service.acknowledge()
        await asyncio.sleep(0)
        return call.asked_ms

    assert call.asked_ms == 1_000, "who has just started an agent looks whether it is there"
    assert await after(10_000) == 1_000
    assert await after(10_000) == 5_000
    said = len(call.written)
    assert await after(MINUTE_MS) == 5_000
    assert len(call.written) == said, "nothing is said twice"
    now.is_watched = True
    assert await after(1_000) == 1_000, "the first second after somebody looks"
    now.is_watched = False
    assert await after(MINUTE_MS // 2) == 1_000, "another screen, or a connection that comes back"
    assert await after(MINUTE_MS) == 5_000
    call.incoming.put_nowait(grpc.aio.EOF)
    await stream
