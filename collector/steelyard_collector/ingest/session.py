"""One agent's open stream: what its batches have in common, and its acknowledgements."""

import asyncio
import logging
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio

from steelyard_collector.ingest.accepted import Origin, Samples, Shape
from steelyard_collector.ingest.form import Form
from steelyard_collector.ingest.registry import Agent
from steelyard_collector.ingest.validate import MAX_SEQ, check_times
from steelyard_proto.errors import ContractError
from steelyard_proto.v1 import ingest_pb2

log = logging.getLogger(__name__)

_ASK_S: Final = 10.0
# Kinds of samples, each with some numbers of ticks.
_MAX_FRAMES: Final = 16


class _Frame(NamedTuple):
    """What the batches of one layout and length have in common."""

    form: Form
    head: bytes
    shape: Shape


class Session:
    """One open stream."""

    def __init__(self, agent: Agent, context: Any, *, since_ms: int) -> None:
        """Args: who speaks; the call's context; Unix time in ms of its opening."""
        self.agent = agent
        self.since_ms = since_ms
        self._context = context
        self._write: asyncio.Task[bool] | None = None
        # A stream takes one message at a time, and nothing before Welcome.
        self._turn = asyncio.Lock()
        self._is_welcomed = False
        # By the message's length.
        self._frames: dict[int, _Frame] = {}

    def remember(self, form: Form, shape: Shape, layout: int) -> bytes:
        """Lets the next batch of this form be read without parsing; returns what all of them begin with."""
        if len(self._frames) >= _MAX_FRAMES:
            self._frames.clear()
        head = form.head(layout, self.agent.number)
        self._frames[form.size] = _Frame(form, head, shape)
        return head

    def known(self, raw: bytes) -> Samples | None:
        """The next batch, if it has the form of one before; whatever else a message is, must be looked at in full."""
        frame = self._frames.get(len(raw))
        if frame is None:
            return None
        form, head, shape = frame
        if (numbers := form.read(raw, head)) is None:
            return None
        seq, stamps = numbers
        agent, kind = self.agent, shape.kind
        if seq != agent.accepted.get(kind, 0) + 1 or seq > MAX_SEQ:
            return None
        try:
            day = check_times(stamps)
        except ContractError:
            return None
        return Samples(Origin(agent.number, agent.epoch, kind, seq), shape, form, day, stamps[-1], raw)

    @property
    def is_writing(self) -> bool:
        """Whether the last acknowledgement is still on its way out."""
        return self._write is not None and not self._write.done()

    async def welcome(self, message: ingest_pb2.CollectorMessage) -> None:
        """Sends Welcome; raises what grpc raises where the stream has ended."""
        async with self._turn:
            await self._context.write(message)
            self._is_welcomed = True

    def ack(self, now_ms: int, wants: ingest_pb2.Wants) -> "asyncio.Task[bool]":
        """Sends what is committed; needn't be waited for."""
        self.agent.flush_ms = wants.flush_ms
        ack = ingest_pb2.Ack(committed=committed(self.agent), wants=wants, time_ms=now_ms)
        self._write = asyncio.ensure_future(self._send(ingest_pb2.CollectorMessage(ack=ack)))
        return self._write

    async def ask(self, ask: ingest_pb2.Ask) -> bool:
        """Sends an ask; False where the stream has ended, isn't welcomed yet, or its agent doesn't read."""
        if not self._is_welcomed:
            return False
        sent = asyncio.ensure_future(self._send(ingest_pb2.CollectorMessage(ask=ask)))
        await asyncio.wait({sent}, timeout=_ASK_S)
        return sent.done() and sent.result()

    async def _send(self, message: ingest_pb2.CollectorMessage) -> bool:
        try:
            async with self._turn:
                await self._context.write(message)
        except (grpc.aio.BaseError, grpc.RpcError, asyncio.InvalidStateError) as error:
            # The stream has ended meanwhile; its next one is told in Welcome.
            log.debug("%s for agent %d was not sent: %s", message.WhichOneof("message"), self.agent.number, error)
            return False
        return True


def committed(agent: Agent) -> list[ingest_pb2.Committed]:
    """What an agent is told of its messages, by kind."""
    return [ingest_pb2.Committed(kind=kind, seq=seq) for kind, seq in agent.committed.items()]  # type: ignore[arg-type]
