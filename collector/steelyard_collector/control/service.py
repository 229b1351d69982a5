"""The Control service: asks agents for profiles and traces, and tells how it goes."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn

import grpc

from steelyard_collector.access.calls import admit
from steelyard_collector.access.tokens import Authorize
from steelyard_collector.control.desk import Desk, Send
from steelyard_collector.control.inbox import Gone, Inbox
from steelyard_collector.control.patience import Patience
from steelyard_collector.control.pause import PauseSwitch
from steelyard_collector.control.targets import (
    MOST_TEXT,
    NOT_FOUND,
    Target,
    ask_of,
    check_request,
    chosen,
    none_found,
)
from steelyard_collector.control.traces import DATA_LOSS, TOO_MANY, TOO_SLOW, UNAVAILABLE, Traces
from steelyard_collector.live.filter import BadRequest
from steelyard_collector.store.base import SqlValue, Store
from steelyard_collector.store.statements import statement
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import control_pb2, control_pb2_grpc, ingest_pb2

Context = Any
# Requests that run at once; each is of up to hundreds of processes.
MOST_PROFILES: Final = 16
_MOST_ANSWERS: Final = 256
_STATUS: Final = {
    NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    TOO_MANY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TOO_SLOW: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    DATA_LOSS: grpc.StatusCode.DATA_LOSS,
}


class ControlService(control_pb2_grpc.ControlServicer):
    """Serves `Control` in a grpc.aio server.

    Args:
        store: says who trains where.
        send: hands an ask to an agent's stream.
        desk: where its answers come in.
        switch: of the continuous profiles.
        operators: asked for each call that has something done.
        readers: asked for each call that only looks.
    """

    def __init__(
        self,
        store: Store,
        send: Send,
        desk: Desk,
        switch: PauseSwitch,
        *,
        operators: Authorize,
        readers: Authorize,
        patience: Patience | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._send = send
        self._desk = desk
        self._switch = switch
        self._operators = operators
        self._readers = readers
        self._patience = patience or Patience()
        self._monotonic = monotonic
        self._profiles = 0
        self._traces = Traces(self.rows, send, desk, self._patience)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="control")

    async def Profile(  # noqa: N802
        self, request: control_pb2.ProfileRequest, context: Context
    ) -> AsyncIterator[control_pb2.ProfileProgress]:
        """See control.proto."""
        await admit(context, self._operators)
        if self._profiles >= MOST_PROFILES:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._profiles} requests for profiles run already; try again later",
            )
        self._profiles += 1
        try:
            check_request(request)
            async for progress in self._profile(await self._targets(request), request):
                yield progress
        except StoreError as error:
            await refuse(context, error)
        finally:
            self._profiles -= 1

    async def Fetch(  # noqa: N802
        self, request: control_pb2.FetchRequest, context: Context
    ) -> AsyncIterator[control_pb2.FetchReply]:
        """See control.proto."""
        await admit(context, self._operators)
        try:
            async for reply in self._traces.fetch(request.profile):
                yield reply
        except StoreError as error:
            await refuse(context, error)

    async def Pause(self, request: control_pb2.PauseRequest, context: Context) -> control_pb2.PauseReply:  # noqa: N802
        """See control.proto."""
        wants_change = request.HasField("pause")
        await admit(context, self._operators if wants_change else self._readers)
        if len(request.reason) > MOST_TEXT:
            await refuse(context, BadRequest("reason", f"{len(request.reason)} characters; {MOST_TEXT} are allowed"))
        if wants_change:
            await self._switch.turn(is_paused=request.pause, reason=request.reason)
        now = self._switch.pause
        return control_pb2.PauseReply(is_paused=now.is_paused, since_ms=now.since_ms, reason=now.reason)

    def close(self) -> None:
        """Ends the thread once its query has ended."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def rows(self, query: str, **parameters: SqlValue) -> list[dict[str, Any]]:
        """Rows of one of our own queries; raises StoreError."""
        sql = statement("queries", query)
        work = self._thread.submit(lambda: self._store.query(sql, parameters).to_pylist())
        return await asyncio.wrap_future(work)

    async def _targets(self, request: control_pb2.ProfileRequest) -> list[Target]:
        rows = await self.rows("trainers", job=request.job, node=request.node, pid=request.pid)
        if rows:
            return chosen(rows, request)
        if request.pid:
            # A process that holds no device tells nothing, and its agent may know it all the same.
            for row in await self.rows("agents_of_node", node=request.node):
                return [Target(row["agent"], row["node"], row["origin"], request.job, None, request.pid)]
        raise none_found(request)

    async def _profile(
        self, targets: list[Target], request: control_pb2.ProfileRequest
    ) -> AsyncIterator[control_pb2.ProfileProgress]:
        inbox = Inbox(_MOST_ANSWERS)
        waiting: dict[str, Target] = {}
        silent_s: dict[str, float] = {}
        try:
            for target in targets:
                ask_id = str(uuid.uuid4())
                self._desk.open(ask_id, target.agent, inbox)
                if reason := await self._asked(ask_of(ask_id, target, request), target):
                    self._desk.close(ask_id)
                    yield _progress(target, "failed", reason)
                else:
                    waiting[ask_id] = target
                    silent_s[ask_id] = self._monotonic() + self._patience.first_s
                    yield _progress(target, "requested", f"asked the agent of {target.node}")
            while waiting:
                left_s = min(silent_s[ask_id] for ask_id in waiting) - self._monotonic()
                item = await inbox.next(max(0.0, left_s))
                if item is None:
                    if inbox.is_overrun:
                        raise StoreError("the answers aren't read; read them as they come", name=TOO_SLOW)
                    for ask_id in [one for one in waiting if silent_s[one] <= self._monotonic()]:
                        self._desk.close(ask_id)
                        yield _progress(waiting.pop(ask_id), "failed", self._silence())
                elif item.id in waiting:
                    target = waiting[item.id]
                    silent_s[item.id] = self._monotonic() + self._patience.more_s
                    if isinstance(item, Gone) or item.is_last:
                        self._desk.close(item.id)
                        del waiting[item.id]
                    yield _told(target, item)
        finally:
            inbox.close()
            for ask_id in waiting:
                self._desk.close(ask_id)

    async def _asked(self, ask: ingest_pb2.Ask, target: Target) -> str:
        """Sends an ask; returns why it couldn't be."""
        if target.origin != "measured":
            return f"it is {target.origin}: there is no such process to profile"
        if not await self._send(target.agent, ask):
            return "its agent is not connected now; `steelyard sql 'SELECT * FROM agents'` says since when"
        return ""

    def _silence(self) -> str:
        return (
            f"its agent said nothing for {self._patience.first_s:g} s or more; "
            "it is of a version that takes no requests, or stuck"
        )


def _told(target: Target, item: ingest_pb2.Answer | Gone) -> control_pb2.ProfileProgress:
    if isinstance(item, Gone):
        return _progress(target, "failed", "its agent's stream ended; what runs goes on, and is stored when it is back")
    progress = _progress(target, item.state[:MOST_TEXT], item.text[:MOST_TEXT])
    progress.profile = item.profile[:MOST_TEXT]
    progress.pid = item.pid or target.pid
    progress.job = item.job[:MOST_TEXT] or target.job
    if item.HasField("rank"):
        progress.rank = item.rank
    return progress


def _progress(target: Target, state: str, text: str) -> control_pb2.ProfileProgress:
    return control_pb2.ProfileProgress(
        node=target.node, pid=target.pid, rank=target.rank, job=target.job, state=state, text=text
    )


async def refuse(context: Context, error: StoreError) -> NoReturn:
    """Ends a call with the status of an error."""
    status = _STATUS.get(error.name, grpc.StatusCode.INTERNAL)
    if isinstance(error, BadRequest):
        status = grpc.StatusCode.INVALID_ARGUMENT
    context.set_trailing_metadata((("steelyard-name", error.name or status.name),))
    await context.abort(status, str(error))
    raise error
