"""One stream to the collector, from Hello to its end."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, cast

from steelyard_agent.directory import Directory, Extent
from steelyard_agent.sending.asking import Asked
from steelyard_agent.sending.state import SenderState
from steelyard_agent.sending.wire import ENDED, Wire
from steelyard_agent.spool.reading import Cursor, Spooled
from steelyard_agent.spool.ring import Ring
from steelyard_proto.errors import TransportError
from steelyard_proto.v1 import batch_pb2, ingest_pb2

log = logging.getLogger(__name__)

_HANDSHAKE_S: Final = 20.0
# A stream that ended without a status is followed by one whose first messages go apart, the more of them and the
# further apart the more such ends there were: a status that meets no write is kept.
_CAREFUL_MESSAGES: Final = 8
_CARE_S: Final = 0.1
_LONGEST_CARE_S: Final = 2.0
# Between declarations of losses that nothing has followed: each is a row of `gaps`.
_TAILS_S: Final = 10.0
# Read from the spool at once, before a look at what the collector says.
_CHUNK_BYTES: Final = 1 << 20


class Session:
    """Sends what the ring holds, in order, and hands back what the collector says."""

    def __init__(
        self,
        ring: Ring,
        directory: Directory,
        state: SenderState,
        wake: asyncio.Event,
        now_s: Callable[[], float],
        asked: Asked,
    ) -> None:
        self._ring = ring
        self._directory = directory
        self._state = state
        self._wake = wake
        self._now_s = now_s
        self._asked = asked
        self._half_trip_ms = 0.0
        self._committed: dict[int, int] = {}
        self._expected: dict[int, int] = {}
        self._declared: dict[int, list[tuple[int, int]]] = {}
        self._extent = Extent(0, 0)
        self._agent = 0
        self._max_bytes = 0
        self._careful = (_CAREFUL_MESSAGES << min(state.caution, 6)) if state.caution else 0
        self._tails_s = 0.0

    async def run(self, wire: Wire) -> None:
        """Speaks until the stream ends; returns only when the agent has ended it.

        Raises:
            grpc.aio.AioRpcError: how the stream ended.
            TransportError: the collector broke the contract, or didn't answer.
        """
        try:
            await self._shake_hands(wire)
            self._state.is_connected = True
            await self._exchange(wire)
        finally:
            self._state.is_connected = False
            self._asked.lose()
            wire.cancel()

    async def _shake_hands(self, wire: Wire) -> None:
        self._extent = self._directory.size()
        hello = self._directory.hello(self._ring.epoch, int(self._now_s() * 1000))
        welcome = await self._welcome(wire, hello)
        committed = _numbers(welcome.committed)
        if self._ring.is_ahead(committed):
            self._ring.renew()
            raise TransportError("the collector holds more of this epoch than the spool; a new epoch begins")
        self._agent = welcome.agent
        self._max_bytes = welcome.max_message_bytes
        self._expected = {kind: seq + 1 for kind, seq in committed.items()}
        self._committed = committed
        self._ring.commit(committed)
        self._take_wants(welcome.wants, welcome.time_ms)
        self._state.welcomes += 1
        self._state.last_error = ""
        log.info("welcomed by collector %s as agent %d", welcome.collector_version or "?", welcome.agent)

    async def _welcome(self, wire: Wire, hello: ingest_pb2.Hello) -> ingest_pb2.Welcome:
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                try:
                    await wire.send(ingest_pb2.AgentMessage(hello=hello))
                    reply = await wire.receive()
                except ENDED:
                    reply = None
                if reply is None:
                    await wire.raise_end()
        except TimeoutError:
            raise TransportError(f"no Welcome within {_HANDSHAKE_S:.0f} s") from None
        if reply is None or reply.WhichOneof("message") != "welcome":
            raise TransportError("the first reply is no Welcome; is this address a Steelyard collector?")
        self._half_trip_ms = (time.monotonic() - started_s) * 500
        return reply.welcome

    async def _exchange(self, wire: Wire) -> None:
        reader = asyncio.create_task(self._read(wire))
        writer = asyncio.create_task(self._write(wire))
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            if not writer.done():
                await wire.raise_end()
            error = writer.exception()
            if error is None:
                # All is sent and the stream is closed on our side: what is still to come are the last acks.
                await reader
            elif isinstance(error, ENDED):
                # A write fails for the same reason as the stream, but only its status tells which message is meant.
                await wire.raise_end()
            else:
                raise error
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _read(self, wire: Wire) -> None:
        while (reply := await wire.receive()) is not None:
            which = reply.WhichOneof("message")
            if which == "ask":
                self._asked.ask(reply.ask)
                # What refuses at once has its answer already.
                self._wake.set()
            if which != "ack":
                continue
            committed = _numbers(reply.ack.committed)
            for kind, seq in committed.items():
                self._state.acked += self._count_acked(kind, self._committed.get(kind, 0), seq)
                self._committed[kind] = max(seq, self._committed.get(kind, 0))
            self._ring.commit(committed)
            self._take_wants(reply.ack.wants, reply.ack.time_ms)

    def _count_acked(self, kind: int, before: int, seq: int) -> int:
        """Messages behind one number and up to another; what was declared lost is none of them."""
        declared = [(first, last) for first, last in self._declared.get(kind, ()) if last > before]
        self._declared[kind] = [(first, last) for first, last in declared if last > seq]
        lost = sum(max(0, min(seq, last) - max(before, first - 1)) for first, last in declared)
        return max(0, seq - before - lost)

    async def _write(self, wire: Wire) -> None:
        cursor = Cursor()
        while True:
            self._wake.clear()
            # What the collector has must not be newer than what a power cut leaves here.
            self._ring.sync()
            any_sent = False
            for item in self._ring.unsent(cursor, _CHUNK_BYTES):
                any_sent = True
                if item.seq >= self._expected.get(item.kind, 1):
                    await self._send(wire, item)
            # In turns with samples, of which none waits for a large trace.
            if (answer := self._asked.next_answer()) is not None:
                any_sent = True
                await wire.send(ingest_pb2.AgentMessage(answer=answer))
            if any_sent:
                continue
            await self._declare_tails(wire)
            if self._state.is_draining:
                await wire.finish()
                return
            await self._wake.wait()

    async def _send(self, wire: Wire, item: Spooled) -> None:
        extent = self._directory.size()
        if extent != self._extent:
            news = self._directory.since(self._extent)
            self._extent = extent
            await wire.send(ingest_pb2.AgentMessage(describe=news))
        await self._declare_missing(wire, item)
        self._expected[item.kind] = item.seq + 1
        lost = self._given_up(item)
        if lost is not None:
            await self._send_lost(wire, item.kind, item.seq, item.seq, lost)
            return
        which = item.message.WhichOneof("message")
        inner = item.message.batch if which == "batch" else item.message.records
        inner.agent = self._agent
        await wire.send(item.message)
        self._state.sent += 1
        await self._take_care()

    async def _take_care(self) -> None:
        """Waits for a refusal, where the last stream's may have been hidden by the failure of the write behind it."""
        if self._careful > 0:
            self._careful -= 1
            await asyncio.sleep(min(_LONGEST_CARE_S, _CARE_S * (1 << self._state.caution)))

    async def _declare_missing(self, wire: Wire, item: Spooled) -> None:
        first = self._expected.get(item.kind, 1)
        while first < item.seq:
            lost = self._ring.lost_reason(item.kind, first)
            last = min(lost.seq_to, item.seq - 1) if lost is not None else item.seq - 1
            await self._send_lost(wire, item.kind, first, last, lost)
            first = last + 1

    async def _declare_tails(self, wire: Wire) -> None:
        """Tells what is lost and has nothing behind it yet, now and then: a full disk may lose all for days."""
        now_s = time.monotonic()
        if now_s - self._tails_s < _TAILS_S and not self._state.is_draining:
            return
        for kind in self._ring.kinds():
            first = self._expected.get(kind, 1)
            if (lost := self._ring.lost_reason(kind, first)) is not None:
                self._tails_s = now_s
                self._expected[kind] = lost.seq_to + 1
                await self._send_lost(wire, kind, first, lost.seq_to, lost)

    def _given_up(self, item: Spooled) -> ingest_pb2.Lost | None:
        lost = self._ring.lost_reason(item.kind, item.seq)
        if lost is not None:
            return lost
        is_too_large = 0 < self._max_bytes < item.message.ByteSize()
        if is_too_large or (item.kind, item.seq) in self._state.refusals:
            self._state.refusals.discard((item.kind, item.seq))
            return self._ring.declare_lost(item, "refused")
        return None

    async def _send_lost(self, wire: Wire, kind: int, first: int, last: int, known: ingest_pb2.Lost | None) -> None:
        lost = ingest_pb2.Lost(
            kind=cast("batch_pb2.Kind", kind),
            seq_from=first,
            seq_to=last,
            from_ms=known.from_ms if known else 0,
            to_ms=known.to_ms if known else 0,
            reason=known.reason if known else "damaged",
        )
        self._declared.setdefault(kind, []).append((first, last))
        log.warning("lost for good: kind %d, messages %d to %d: %s", kind, first, last, lost.reason)
        await wire.send(ingest_pb2.AgentMessage(lost=lost))

    def _take_wants(self, wants: ingest_pb2.Wants, time_ms: int) -> None:
        if wants.flush_ms:
            self._state.flush_ms = wants.flush_ms
        self._asked.pause(is_paused=wants.pause_profiles)
        if time_ms:
            self._state.offset_ms = time_ms + self._half_trip_ms - self._now_s() * 1000


def _numbers(entries: Iterable[ingest_pb2.Committed]) -> dict[int, int]:
    return {int(entry.kind): entry.seq for entry in entries}
