"""The sender's thread: opens streams one after another and backs off between them."""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Iterable
from typing import Final, cast

import grpc
import grpc.aio

from steelyard_agent.directory import Directory
from steelyard_agent.sending.asking import Asked, NothingAsked
from steelyard_agent.sending.channel import Target, metadata, open_channel
from steelyard_agent.sending.session import Session
from steelyard_agent.sending.state import SenderState
from steelyard_agent.sending.timer_slack import timers_late_by
from steelyard_agent.sending.wire import Wire, is_without_status
from steelyard_agent.spool.ring import Ring
from steelyard_proto.errors import SteelyardError
from steelyard_proto.peer import Peer
from steelyard_proto.v1 import batch_pb2

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0
# A stream that lasted this long was healthy: the next failure starts from the first pause again.
_HEALTHY_S: Final = 10.0
# gRPC's own threads look after timers of seconds to minutes, and some times a second whether there is any work. Their
# first connection may come late by twice this.
_SLACK_S: Final = 0.2
# Ends without a status, in a row, that nobody is told of.
_UNTOLD: Final = 2
# What a cancelled stream needs to end, and the thread with it.
_CANCEL_S: Final = 0.3

_WAITING: Final = "Samples wait in the spool"
_REMEDIES: Final[dict[grpc.StatusCode, str]] = {
    grpc.StatusCode.UNAVAILABLE: (
        "no collector answers; start one there with `steelyard-collector daemon`, "
        f"or name another with --collector or STEELYARD_COLLECTOR. {_WAITING}"
    ),
    grpc.StatusCode.UNAUTHENTICATED: "it wants another token; see --token-file and `steelyard-collector init`",
    grpc.StatusCode.PERMISSION_DENIED: "this token may not write; `steelyard-collector init` makes one for agents",
    grpc.StatusCode.UNIMPLEMENTED: "whatever listens there is no Steelyard collector",
}


def backoff_s(failures: int, draw: Callable[[], float]) -> float:
    """How long to wait before the next stream: doubling, half of it random so that a fleet doesn't come at once.

    Args:
        failures: in a row, at least 1.
        draw: a random number from 0 to 1.
    """
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * float(1 << min(failures - 1, 10)))
    return longest * (0.5 + 0.5 * draw())


class Sender:
    """Owns the thread and its event loop."""

    def __init__(
        self,
        ring: Ring,
        directory: Directory,
        target: Target,
        now_s: Callable[[], float],
        draw: Callable[[], float] = random.random,
        asked: Asked | None = None,
    ) -> None:
        self.state = SenderState()
        self._ring = ring
        self._directory = directory
        self._target = target
        self._now_s = now_s
        self._draw = draw
        self._asked: Asked = asked or NothingAsked()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run_thread, name="sender", daemon=True)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the thread; returns once it can be woken."""
        self._thread.start()
        self._is_ready.wait()

    def wake(self) -> None:
        """Says that the ring has something new; from any thread."""
        if self._wake is not None:
            self._call_soon(self._wake.set)

    def stop(self, timeout_s: float) -> None:
        """Sends what the ring holds where a stream is open, then ends the thread; gives up after the timeout."""
        self.state.is_draining = True
        if self.state.is_connected:
            self.wake()
            self._thread.join(max(0.0, timeout_s - _CANCEL_S))
        if self._task is not None:
            self._call_soon(self._task.cancel)
        self._thread.join(_CANCEL_S)

    def _call_soon(self, call: Callable[[], object]) -> None:
        if self._loop is None or not self._thread.is_alive():
            return
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("the sender's loop has just ended")

    def _run_thread(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._stream_until_stopped(self._wake))
        self._is_ready.set()
        try:
            await self._task
        except asyncio.CancelledError:
            log.debug("the sender was stopped")

    async def _stream_until_stopped(self, wake: asyncio.Event) -> None:
        failures = 0
        while not self.state.is_draining:
            started_s = asyncio.get_running_loop().time()
            try:
                await self._stream(wake)
            except grpc.aio.AioRpcError as error:
                self.state.caution = self.state.caution + 1 if is_without_status(error) else 0
                self._note_refusal(error)
                # A status that was dropped by chance comes with the next try; a connection that is broken stays so.
                if not 0 < self.state.caution <= _UNTOLD:
                    self._note_failure(_explain(error, self._target.peer))
            except SteelyardError as error:
                self._note_failure(str(error))
            except (OSError, asyncio.InvalidStateError, ValueError) as error:
                self._note_failure(f"{type(error).__name__}: {error}")
            is_healthy = asyncio.get_running_loop().time() - started_s > _HEALTHY_S
            failures = 1 if is_healthy else failures + 1
            if not self.state.is_draining:
                await asyncio.sleep(backoff_s(failures, self._draw))

    async def _stream(self, wake: asyncio.Event) -> None:
        headers = metadata(self._target)
        with timers_late_by(_SLACK_S):
            opened = open_channel(self._target)
        async with opened as channel:
            session = Session(self._ring, self._directory, self.state, wake, self._now_s, self._asked)
            await session.run(Wire(channel, headers))

    def _note_refusal(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            return
        pairs = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
        trailing = {key: str(value) for key, value in pairs}
        kind, seq = trailing.get("steelyard-kind", ""), trailing.get("steelyard-seq", "")
        number = int(kind) if kind.isdigit() else dict(batch_pb2.Kind.items()).get(kind)
        if number is not None and seq.isdigit():
            self.state.refused += 1
            self.state.refusals.add((number, int(seq)))

    def _note_failure(self, text: str) -> None:
        # The same trouble once a minute for days would fill a journal; a new one is worth a line.
        level = logging.DEBUG if text == self.state.last_error else logging.WARNING
        self.state.last_error = text
        log.log(level, "collector %s: %s", self._target.address, text)


def _explain(error: grpc.aio.AioRpcError, peer: Peer) -> str:
    code, details = error.code(), error.details() or ""
    remedy = _REMEDIES.get(code)
    if is_without_status(error):
        code, remedy = grpc.StatusCode.UNAVAILABLE, _REMEDIES[grpc.StatusCode.UNAVAILABLE]
    if code is grpc.StatusCode.UNAVAILABLE and remedy:
        # gRPC's own words differ from try to try (ports, timers), and tell no more.
        log.debug("gRPC says: %s", details)
        trouble = peer.trouble(details)
        return remedy if trouble is None else f"{trouble}. {_WAITING}"
    return f"{code.name}: {details}" + (f" ({remedy})" if remedy else "")
