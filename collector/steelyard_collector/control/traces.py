"""Brings a raw trace from the agent that has it, in pieces that the reader's flow control can stop."""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from steelyard_collector.control.desk import Desk, Send
from steelyard_collector.control.inbox import Gone, Inbox
from steelyard_collector.control.patience import Patience
from steelyard_collector.control.targets import MOST_TEXT, NOT_FOUND
from steelyard_collector.live.filter import BadRequest
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import control_pb2, ingest_pb2

MOST_FETCHES: Final = 4
# Of one trace, and of one piece of it. Pieces of all fetches that wait to be read are what this holds of memory.
MOST_BYTES: Final = 2 << 30
MOST_PIECE_BYTES: Final = 1 << 20
_MOST_WAITING: Final = 8
TOO_MANY: Final = "TOO_MANY"
TOO_SLOW: Final = "TOO_SLOW"
UNAVAILABLE: Final = "UNAVAILABLE"
DATA_LOSS: Final = "DATA_LOSS"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")


class Traces:
    """The fetches of one collector, in its event loop."""

    def __init__(
        self, rows: Callable[..., Awaitable[list[dict[str, Any]]]], send: Send, desk: Desk, patience: Patience
    ) -> None:
        """Args: asks the store by a query's name; hands an ask to an agent; takes its answers; how long it may wait."""
        self._rows = rows
        self._send = send
        self._desk = desk
        self._patience = patience
        self._running = 0

    async def fetch(self, profile: str) -> AsyncIterator[control_pb2.FetchReply]:
        """The pieces of a profile's raw trace.

        Raises:
            BadRequest: it is no profile's id.
            StoreError: it isn't there, or doesn't come; its name says which.
        """
        if not _UUID.fullmatch(profile):
            raise BadRequest("profile", "is no profile's id; `steelyard sql 'SELECT profile FROM profiles'` lists them")
        if self._running >= MOST_FETCHES:
            raise StoreError(f"{self._running} traces are on their way already; try again later", name=TOO_MANY)
        self._running += 1
        ask_id, inbox = str(uuid.uuid4()), Inbox(_MOST_WAITING)
        agent, node = 0, ""
        is_whole = False
        try:
            agent, node = await self._place(profile)
            self._desk.open(ask_id, agent, inbox)
            ask = ingest_pb2.Ask(id=ask_id, trace=ingest_pb2.TraceAsk(profile=profile))
            if not await self._send(agent, ask):
                agent = 0
                raise StoreError(f"the agent of {node} is not connected now; its node has the trace", name=UNAVAILABLE)
            async for reply in self._pieces(inbox, node):
                yield reply
            is_whole = True
        finally:
            self._running -= 1
            self._desk.close(ask_id)
            inbox.close()
            if agent and not is_whole:
                await self._send(agent, ingest_pb2.Ask(id=ask_id, cancel=ingest_pb2.Cancel()))

    async def _place(self, profile: str) -> tuple[int, str]:
        for row in await self._rows("profile_place", id=profile):
            if row["state"] == "failed":
                raise StoreError(f"the window failed, and left no trace: {row['reason']}", name=NOT_FOUND)
            if not row["trace_bytes"]:
                raise StoreError("no raw trace was kept of this profile", name=NOT_FOUND)
            return row["agent"], row["node"]
        raise StoreError(f"there is no profile {profile}; `profiles` in SQL lists them", name=NOT_FOUND)

    async def _pieces(self, inbox: Inbox, node: str) -> AsyncIterator[control_pb2.FetchReply]:
        got, total, wait_s = 0, 0, self._patience.first_s
        while True:
            item = await inbox.next(wait_s)
            if item is None:
                if inbox.is_overrun:
                    raise StoreError("the pieces aren't read as fast as they come; fetch it again", name=TOO_SLOW)
                raise StoreError(f"the agent of {node} said nothing for {wait_s:g} s", name=UNAVAILABLE)
            if isinstance(item, Gone):
                raise StoreError(f"the stream of the agent of {node} ended; fetch it again", name=UNAVAILABLE)
            if item.state == "failed":
                raise StoreError(item.text[:MOST_TEXT] or f"the agent of {node} has it no more", name=NOT_FOUND)
            total = total or item.total_bytes
            got += len(item.piece)
            if total > MOST_BYTES or len(item.piece) > MOST_PIECE_BYTES or got > total:
                raise StoreError(
                    f"the agent of {node} sends {len(item.piece):,} bytes, {got:,} of {total:,} in all; "
                    f"{MOST_PIECE_BYTES:,} a piece and {MOST_BYTES:,} in all are allowed",
                    name=DATA_LOSS,
                )
            reply = control_pb2.FetchReply(piece=item.piece, total_bytes=total)
            if _FILE_NAME.fullmatch(item.file_name):
                reply.file_name = item.file_name
            yield reply
            if item.is_last:
                if got != total:
                    raise StoreError(f"it ended after {got:,} of {total:,} bytes; fetch it again", name=DATA_LOSS)
                return
            # A trace comes without pauses once it comes.
            wait_s = self._patience.piece_s
