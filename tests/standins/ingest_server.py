"""A collector as far as agents see one: a real gRPC Ingest server that keeps what it is sent in memory.

It acknowledges, refuses, cuts and forgets as its `Behaviour` says, and notes every breach of the contract.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from steelyard_proto.v1 import batch_pb2, ingest_pb2, ingest_pb2_grpc

Key = tuple[str, int, int]


@dataclass
class Behaviour:
    """What the next messages meet; may be changed while it runs."""

    acks: bool = True
    flush_ms: int = 0
    max_message_bytes: int = 0
    refuse: set[tuple[int, int]] = field(default_factory=set)
    cut_after: int | None = None
    welcome_at: dict[int, int] | None = None
    token: str = ""
    asks: list[ingest_pb2.Ask] = field(default_factory=list)
    pause_profiles: bool = False


@dataclass
class Seen:
    """What has come, over all streams."""

    hellos: list[ingest_pb2.Hello] = field(default_factory=list)
    describes: list[ingest_pb2.Describe] = field(default_factory=list)
    messages: dict[Key, list[tuple[int, ingest_pb2.AgentMessage]]] = field(default_factory=lambda: defaultdict(list))
    lost: list[tuple[int, ingest_pb2.Lost]] = field(default_factory=list)
    answers: list[ingest_pb2.Answer] = field(default_factory=list)
    repeats: int = 0
    faults: list[str] = field(default_factory=list)

    def numbers(self, kind: int) -> list[int]:
        """The sequence numbers of a kind, in the order in which they came, of all epochs."""
        return [seq for (_, _, k), items in self.messages.items() if k == kind for seq, _ in items]

    def batches(self, kind: int) -> list[batch_pb2.Batch]:
        return [m.batch for (_, _, k), items in self.messages.items() if k == kind for _, m in items]

    def records(self, kind: int) -> list[batch_pb2.Records]:
        return [m.records for (_, _, k), items in self.messages.items() if k == kind for _, m in items]


class _Service(ingest_pb2_grpc.IngestServicer):
    def __init__(self, seen: Seen, behaviour: Behaviour) -> None:
        self.seen = seen
        self.behaviour = behaviour
        self.last: dict[Key, int] = {}
        self.layouts: dict[tuple[str, int], dict[int, batch_pb2.Layout]] = defaultdict(dict)
        self.devices: dict[tuple[str, int], dict[int, batch_pb2.Device]] = defaultdict(dict)

    async def Stream(self, requests: AsyncIterator[ingest_pb2.AgentMessage], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        headers = dict(context.invocation_metadata())
        if self.behaviour.token and headers.get("authorization") != f"Bearer {self.behaviour.token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such token")
        first = await anext(requests)
        who = (first.hello.agent_id, first.hello.epoch)
        self.seen.hellos.append(first.hello)
        self._learn(who, first.hello)
        yield ingest_pb2.CollectorMessage(welcome=self._welcome(who))
        taken = 0
        async for message in requests:
            which = message.WhichOneof("message")
            if which == "describe":
                self.seen.describes.append(message.describe)
                self._learn(who, message.describe)
            elif which == "answer":
                self.seen.answers.append(message.answer)
            elif which == "lost":
                self._lose(who, message.lost)
            else:
                kind = await self._take(who, message, context)
                taken += 1
                if self.behaviour.acks:
                    yield self._ack(who, kind)
                while self.behaviour.asks:
                    yield ingest_pb2.CollectorMessage(ask=self.behaviour.asks.pop(0))
                if self.behaviour.cut_after is not None and taken >= self.behaviour.cut_after:
                    self.behaviour.cut_after = None
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    def _learn(self, who: tuple[str, int], message: ingest_pb2.Hello | ingest_pb2.Describe) -> None:
        for device in message.devices:
            known = self.devices[who].setdefault(device.key, device)
            if known.uid != device.uid:
                self.seen.faults.append(f"device key {device.key} was {known.uid} and is {device.uid}")
        for layout in message.layouts:
            if self.layouts[who].setdefault(layout.id, layout) != layout:
                self.seen.faults.append(f"layout {layout.id} has changed")

    def _welcome(self, who: tuple[str, int]) -> ingest_pb2.Welcome:
        at = self.behaviour.welcome_at
        if at is None:
            at = {kind: seq for (*agent, kind), seq in self.last.items() if tuple(agent) == who}
        for kind, seq in at.items():
            self.last[(*who, kind)] = seq
        return ingest_pb2.Welcome(
            agent=7,
            committed=[ingest_pb2.Committed(kind=kind, seq=seq) for kind, seq in at.items()],
            wants=self._wants(),
            max_message_bytes=self.behaviour.max_message_bytes,
            time_ms=time.time_ns() // 1_000_000,
            collector_version="standin",
        )

    def _ack(self, who: tuple[str, int], kind: int) -> ingest_pb2.CollectorMessage:
        committed = [ingest_pb2.Committed(kind=kind, seq=self.last[(*who, kind)])]
        ack = ingest_pb2.Ack(committed=committed, wants=self._wants(), time_ms=time.time_ns() // 1_000_000)
        return ingest_pb2.CollectorMessage(ack=ack)

    def _wants(self) -> ingest_pb2.Wants:
        return ingest_pb2.Wants(flush_ms=self.behaviour.flush_ms, pause_profiles=self.behaviour.pause_profiles)

    def _lose(self, who: tuple[str, int], lost: ingest_pb2.Lost) -> None:
        key = (*who, int(lost.kind))
        if lost.seq_from != self.last.get(key, 0) + 1:
            self.seen.faults.append(f"lost from {lost.seq_from} after {self.last.get(key, 0)}")
        self.last[key] = lost.seq_to
        self.seen.lost.append((int(lost.kind), lost))

    async def _take(self, who: tuple[str, int], message: ingest_pb2.AgentMessage, context: Any) -> int:
        kind, seq, fault = self._check(who, message)
        if (kind, seq) in self.behaviour.refuse:
            await self._refuse(context, kind, seq, "batch.ts_ms: is refused by the test")
        key = (*who, kind)
        if not fault and seq > self.last.get(key, 0) + 1:
            fault = f"kind {kind} skips from {self.last.get(key, 0)} to {seq}"
        if fault:
            self.seen.faults.append(fault)
            await self._refuse(context, kind, seq, fault)
        if seq <= self.last.get(key, 0):
            self.seen.repeats += 1
            return kind
        self.last[key] = seq
        self.seen.messages[key].append((seq, message))
        return kind

    def _check(self, who: tuple[str, int], message: ingest_pb2.AgentMessage) -> tuple[int, int, str]:
        if message.WhichOneof("message") == "records":
            records = message.records
            return int(records.kind), records.seq, "" if records.agent == 7 else "records.agent"
        batch = message.batch
        layout = self.layouts[who].get(batch.layout)
        if layout is None:
            return 0, batch.seq, f"layout {batch.layout} was never declared"
        unknown = [key for key in layout.devices if key not in self.devices[who]]
        ticks, rows = len(batch.ts_ms) // 8, max(1, len(layout.devices))
        is_whole = len(batch.gauges) == 4 * ticks * rows * len(layout.gauges)
        is_whole = is_whole and len(batch.counters) == 8 * ticks * rows * len(layout.counters)
        fault = (
            "" if is_whole and ticks and not unknown and batch.agent == 7 else f"batch {batch.seq} has a wrong shape"
        )
        return int(layout.kind), batch.seq, fault

    async def _refuse(self, context: Any, kind: int, seq: int, text: str) -> None:
        trailing = (("steelyard-kind", batch_pb2.Kind.Name(kind)), ("steelyard-seq", str(seq)))
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text, trailing)


class IngestServer:
    """The server in a thread with a loop of its own; can be stopped and started again on the same port."""

    def __init__(self, behaviour: Behaviour | None = None, credentials: grpc.ServerCredentials | None = None) -> None:
        self.seen = Seen()
        self.behaviour = behaviour or Behaviour()
        self.port = 0
        self._service = _Service(self.seen, self.behaviour)
        self._credentials = credentials
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ingest-standin", daemon=True)
        self._thread.start()
        self._server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "IngestServer":
        self._wait(self._start())
        return self

    def stop(self) -> None:
        self._wait(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> "IngestServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _start(self) -> None:
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        ingest_pb2_grpc.add_IngestServicer_to_server(self._service, server)
        address = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            self.port = server.add_insecure_port(address)
        else:
            self.port = server.add_secure_port(address, self._credentials)
        await server.start()
        self._server = server

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def _wait(self, coroutine: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        future.result(10)
