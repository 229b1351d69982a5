"""The Ingest service: one coroutine a stream, which reads, checks, hands on and counts, and nothing else."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import DecodeError

from steelyard_collector.access.calls import admit
from steelyard_collector.access.tokens import Authorize
from steelyard_collector.control.desk import Desk
from steelyard_collector.ingest.accepted import Gap, Origin, Rows, Samples
from steelyard_collector.ingest.acks import AckTurns
from steelyard_collector.ingest.form import form_of
from steelyard_collector.ingest.registering import put_registered
from steelyard_collector.ingest.registry import AGENT_SCHEMA, DEVICE_SCHEMA, Agent, Registry
from steelyard_collector.ingest.session import Session, committed
from steelyard_collector.ingest.validate import (
    check_batch,
    check_hello,
    check_lost,
    check_records,
    check_seq,
    is_of_later_version,
)
from steelyard_collector.ingest.writer import Commits, Writer
from steelyard_proto.errors import ContractError
from steelyard_proto.v1 import ingest_pb2

log = logging.getLogger(__name__)

METHOD: Final = "/steelyard.v1.Ingest/Stream"
MAX_MESSAGE_BYTES: Final = 4 << 20
_HELLO_TIMEOUT_S: Final = 30.0
# Why messages of a kind that this version doesn't know stand in `gaps`.
UNKNOWN_KIND: Final = "unknown_kind"
# Longer than a commit takes; an agent that ends waits a second at most.
_LAST_ACK_S: Final = 5.0
_LAST_ACK_POLL_S: Final = 0.1
# Gathering longer saves the collector more than it costs the watcher: the cost is messages, not samples.
_FLUSH_MS: Final = ((400, 1_000), (2_000, 2_000), (20_000, 5_000))
_SLOWEST_FLUSH_MS: Final = 10_000
# A small fleet sends each second while somebody looks at it, and an agent while it is new: it may be looked for. Else
# that would cost its node half as much again for nobody.
_UNSEEN_FLUSH_MS: Final = 5_000
_SEEN_FOR_MS: Final = 60_000
# Who has just started an agent looks for it at once; a screen that does asks for more by itself.
_NEW_FOR_MS: Final = 15_000
_ENDING: Final = "the collector is ending; send again when it is back"

Context = Any


class IngestService:
    """All streams of one collector, in one event loop."""

    def __init__(
        self,
        registry: Registry,
        writer: Writer,
        *,
        authorize: Authorize,
        clock: Callable[[], int],
        version: str,
        is_watched: Callable[[], bool] = lambda: False,
        desk: Desk | None = None,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        """Takes its parts.

        Args:
            registry: who is known.
            writer: who writes.
            authorize: who may.
            clock: Unix time in ms.
            version: ours, for Welcome.
            is_watched: whether somebody looks on.
            desk: takes agents' answers.
            is_paused: whether continuous profiles are stopped.
        """
        self._registry = registry
        self._writer = writer
        self._authorize = authorize
        self._clock = clock
        self._version = version
        self._is_watched = is_watched
        self._desk = desk or Desk()
        self._is_paused = is_paused
        self._told_paused = is_paused()
        self._watched_ms = 0
        self._sessions: dict[int, Session] = {}
        self._acks = AckTurns()
        self._is_draining = False
        self._room = asyncio.Event()
        self.refused = 0

    @property
    def streams(self) -> int:
        """Open streams."""
        return len(self._sessions)

    @property
    def agents(self) -> "dict[int, Agent]":
        """Agents whose stream is open, by number."""
        return {number: session.agent for number, session in self._sessions.items()}

    def handler(self) -> Any:
        """To add to a grpc.aio server; messages come as bytes."""
        method = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=None,
            response_serializer=ingest_pb2.CollectorMessage.SerializeToString,
        )
        return grpc.method_handlers_generic_handler("steelyard.v1.Ingest", {"Stream": method})

    def committed(self, commits: Commits) -> None:
        """The writer's news, in the event loop: what was queued is in the store, and there is room again."""
        self._room.set()
        for (number, epoch, kind), seq in commits.items():
            if self._registry.note_commit(number, epoch, kind, seq) is not None and number in self._sessions:
                self._acks.add(number)

    async def acknowledge(self) -> None:
        """Acks what has been committed, to those whose turn it is; called about once a second."""
        pace_ms = self._pace_ms()
        if self._is_watched():
            self._watched_ms = self._clock()
        if (is_paused := self._is_paused()) != self._told_paused:
            self._told_paused = is_paused
            self._acks.update(self._sessions)
        self._acks.update(self._to_be_told(pace_ms))
        for number in self._acks.take(pace_ms):
            session = self._sessions.get(number)
            if session is None:
                continue
            if session.is_writing:
                self._acks.add(number)
            else:
                session.ack(self._clock(), self._wants(self._flush_ms(session, pace_ms)))

    async def ask(self, number: int, ask: ingest_pb2.Ask) -> bool:
        """Hands an ask to an agent; False where its stream isn't open."""
        session = self._sessions.get(number)
        return session is not None and await session.ask(ask)

    def _wants(self, flush_ms: int) -> ingest_pb2.Wants:
        return ingest_pb2.Wants(flush_ms=flush_ms, pause_profiles=self._is_paused())

    def _pace_ms(self) -> int:
        """How often agents should send, by how many there are."""
        return next((flush for agents, flush in _FLUSH_MS if len(self._sessions) <= agents), _SLOWEST_FLUSH_MS)

    def _flush_ms(self, session: Session, pace_ms: int) -> int:
        """How long an agent should gather."""
        now_ms = self._clock()
        is_seen = abs(now_ms - self._watched_ms) < _SEEN_FOR_MS or abs(now_ms - session.since_ms) < _NEW_FOR_MS
        return pace_ms if is_seen else max(pace_ms, _UNSEEN_FLUSH_MS)

    def _to_be_told(self, pace_ms: int) -> set[int]:
        """Agents that gather longer or shorter than they should, for somebody has begun or ceased to look."""
        if pace_ms >= _UNSEEN_FLUSH_MS:
            return set()
        sessions = self._sessions.items()
        return {number for number, one in sessions if one.agent.flush_ms != self._flush_ms(one, pace_ms)}

    def drain(self) -> None:
        """Takes nothing more in; what was accepted will still be committed and acknowledged."""
        self._is_draining = True

    async def _stream(self, _requests: object, context: Context) -> None:
        await admit(context, self._authorize)
        if self._is_draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, _ENDING)
        session = None
        try:
            session = await self._greet(context)
            await self._read(session, context)
            await self._acknowledge_last(session)
        except ContractError as error:
            self.refused += 1
            await _refuse(context, error)
        finally:
            if session is not None and self._sessions.get(session.agent.number) is session:
                del self._sessions[session.agent.number]
                self._desk.gone(session.agent.number)

    async def _greet(self, context: Context) -> Session:
        try:
            raw = await asyncio.wait_for(context.read(), _HELLO_TIMEOUT_S)
        except TimeoutError:
            raise ContractError("hello", f"did not come within {_HELLO_TIMEOUT_S:.0f} s") from None
        message = _parse(raw)
        if message.WhichOneof("message") != "hello":
            raise ContractError("message", "the first message of a stream is Hello")
        check_hello(message.hello)
        now_ms = self._clock()
        agent, agent_rows, device_rows = self._registry.greet(message.hello, now_ms)
        for index, lost in enumerate(message.hello.lost):
            self._lose(agent, lost, f"hello.lost[{index}]")
        await self._register(agent_rows, device_rows)
        session = Session(agent, context, since_ms=now_ms)
        agent.stream = session
        # What was asked on a stream before this one is not answered on this.
        self._desk.gone(agent.number)
        self._sessions[agent.number] = session
        agent.flush_ms = self._flush_ms(session, self._pace_ms())
        await session.welcome(
            ingest_pb2.CollectorMessage(
                welcome=ingest_pb2.Welcome(
                    agent=agent.number,
                    committed=committed(agent),
                    wants=self._wants(agent.flush_ms),
                    max_message_bytes=MAX_MESSAGE_BYTES,
                    time_ms=self._clock(),
                    collector_version=self._version,
                )
            )
        )
        return session

    async def _read(self, session: Session, context: Context) -> None:
        agent = session.agent
        while True:
            raw = await context.read()
            if not isinstance(raw, bytes):
                return
            if agent.stream is not session:
                await context.abort(grpc.StatusCode.ABORTED, "another stream speaks for this agent now")
            if self._is_draining:
                await context.abort(grpc.StatusCode.UNAVAILABLE, _ENDING)
            if (samples := session.known(raw)) is not None:
                self._accept(agent, samples)
            else:
                await self._take(session, raw)
            while self._writer.is_full:
                # Not reading is what pushes back: HTTP/2 holds the sender, whose spool holds the data.
                self._room.clear()
                await self._room.wait()

    async def _take(self, session: Session, raw: bytes) -> None:
        message, agent = _parse(raw), session.agent
        which = message.WhichOneof("message")
        if which == "batch":
            self._take_batch(session, message.batch)
        elif which == "records":
            self._take_records(agent, message.records, len(raw))
        elif which == "describe":
            described = message.describe
            rows = self._registry.describe(
                agent, list(described.devices), list(described.layouts), self._clock(), field="describe"
            )
            await self._register([], rows)
        elif which == "lost":
            self._lose(agent, message.lost, "lost")
        elif which == "answer":
            await self._desk.answered(agent.number, message.answer)
        else:
            raise ContractError("message", f"{which or 'an empty message'} does not belong here")

    async def _acknowledge_last(self, session: Session) -> None:
        """An agent that ends well hears of the commit of its last messages, which spares a repeat."""
        agent, time_s = session.agent, asyncio.get_running_loop().time
        until_s = time_s() + _LAST_ACK_S
        while agent.stream is session and (session.is_writing or agent.accepted != agent.committed):
            if time_s() > until_s:
                return
            await asyncio.sleep(_LAST_ACK_POLL_S)
        if agent.stream is session:
            await session.ack(self._clock(), self._wants(session.agent.flush_ms))

    def _accept(self, agent: Agent, samples: Samples) -> None:
        agent.accepted[samples.origin.kind] = samples.origin.seq
        if samples.last_ms > agent.last_ms:
            agent.last_ms = samples.last_ms
        self._writer.put(samples)

    def _take_batch(self, session: Session, batch: Any) -> None:
        agent = session.agent
        entry = agent.layouts.get(batch.layout)
        if entry is None:
            raise ContractError("batch.layout", f"{batch.layout} was not declared in this epoch")
        shape = entry[1]
        origin = self._origin(agent, batch.agent, shape.kind, batch.seq, "batch")
        if origin is None:
            return
        if is_of_later_version(shape.kind):
            self._skip(agent, origin)
            return
        # Each reading of a field copies it.
        ts_ms, gauges, counters = batch.ts_ms, batch.gauges, batch.counters
        try:
            ticks, day = check_batch(
                ts_ms,
                gauges,
                counters,
                entities=len(shape.entities),
                gauge_count=len(shape.gauges),
                counter_count=len(shape.counters),
            )
        except ContractError as error:
            raise _Refused(error.field, str(error).partition(": ")[2], origin) from error
        form = form_of(shape.gauges, shape.counters, len(shape.entities), ticks)
        head = session.remember(form, shape, batch.layout)
        message = form.message(head, origin.seq, ts_ms, gauges, counters)
        last_ms = int.from_bytes(ts_ms[-8:], "little", signed=True)
        self._accept(agent, Samples(origin, shape, form, day, last_ms, message))

    def _take_records(self, agent: Agent, records: Any, wire_bytes: int) -> None:
        origin = self._origin(agent, records.agent, records.kind, records.seq, "records")
        if origin is None:
            return
        if is_of_later_version(records.kind):
            self._skip(agent, origin)
            return
        try:
            day = check_records(records, agent.device_ids)
        except ContractError as error:
            raise _Refused(error.field, str(error).partition(": ")[2], origin) from error
        agent.accepted[records.kind] = origin.seq
        self._writer.put(Rows(origin, day, records, agent.device_ids, wire_bytes))

    def _origin(self, agent: Agent, number: int, kind: int, seq: int, field: str) -> Origin | None:
        """The message's key; None for a repeat."""
        if number != agent.number:
            raise ContractError(f"{field}.agent", f"is {number}; Welcome gave {agent.number}")
        last = agent.accepted.get(kind, 0)
        if seq <= last:
            return None
        check_seq(f"{field}.seq", seq)
        if seq != last + 1:
            raise ContractError(f"{field}.seq", f"is {seq} after {last}; declare what lies between as Lost")
        return Origin(agent.number, agent.epoch, kind, seq)

    def _lose(self, agent: Agent, lost: ingest_pb2.Lost, field: str) -> None:
        check_lost(lost, field)
        last = agent.accepted.get(lost.kind, 0)
        if lost.seq_to <= last:
            return
        if lost.seq_from > last + 1:
            raise ContractError(f"{field}.seq_from", f"is {lost.seq_from} after {last}; what lies between is missing")
        agent.accepted[lost.kind] = lost.seq_to
        self._writer.put(Gap(Origin(agent.number, agent.epoch, lost.kind, lost.seq_to), lost))

    def _skip(self, agent: Agent, origin: Origin) -> None:
        """A message for a later version: told in `gaps`, and no reason to hold up the others."""
        agent.accepted[origin.kind] = origin.seq
        lost = ingest_pb2.Lost(seq_from=origin.seq, seq_to=origin.seq, reason=UNKNOWN_KIND)
        self._writer.put(Gap(origin, lost))

    async def _register(self, agent_rows: list[Any], device_rows: list[Any]) -> None:
        """Writes the registry first: no row may name a device that a crash would make unknown."""
        waiting = []
        for table, rows, schema in (("agent", agent_rows, AGENT_SCHEMA), ("device", device_rows, DEVICE_SCHEMA)):
            if rows:
                waiting.append(put_registered(self._writer, table, rows, schema))
        if waiting:
            await asyncio.gather(*waiting)


class _Refused(ContractError):
    """A message that can never be taken: the agent is to declare it lost."""

    def __init__(self, field: str, text: str, origin: Origin) -> None:
        super().__init__(field, text)
        self.origin = origin


async def _refuse(context: Context, error: ContractError) -> NoReturn:
    if isinstance(error, _Refused):
        context.set_trailing_metadata(
            (("steelyard-kind", str(error.origin.kind)), ("steelyard-seq", str(error.origin.seq)))
        )
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    raise error


def _parse(raw: object) -> ingest_pb2.AgentMessage:
    if not isinstance(raw, bytes):
        raise ContractError("message", "the stream ended before Hello")
    try:
        return ingest_pb2.AgentMessage.FromString(raw)
    except DecodeError as error:
        raise ContractError("message", f"{len(raw)} bytes are no AgentMessage: {error}") from error
