"""The Query service: SQL from people, and live views."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

import grpc
import pyarrow as pa

from steelyard_collector.access.calls import admit
from steelyard_collector.access.tokens import Authorize, Denial
from steelyard_collector.live.filter import BadRequest
from steelyard_collector.live.watch import LiveViews
from steelyard_collector.shares.asking import ShareAsker
from steelyard_collector.sql.pool import TOO_MANY, ReaderPool, too_many
from steelyard_collector.sql.remedies import CANCELLED, EXHAUSTED, out_of_patience
from steelyard_collector.sql.run import QueryRun
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import query_pb2, query_pb2_grpc

# What a call is answered through; its request and reply differ by method.
Context = Any
_Reply = TypeVar("_Reply")

PIECE_BYTES: Final = 256 * 1024


def anybody(token: str) -> Denial | None:
    """Lets everybody read."""
    return None


@dataclass(slots=True)
class Answered:
    """A result on its way: an Arrow IPC stream in pieces, and whether there were more rows."""

    pieces: deque[bytes]
    truncated: bool


class QueryService(query_pb2_grpc.QueryServicer):
    """Serves `Query` in a grpc.aio server.

    Args:
        pool: lends the clients that people's queries run on.
        views: the live views.
        authorize: asked for each call.
        shares: answers Compare, Claims and Chips; without it they are not served.
    """

    def __init__(
        self, pool: ReaderPool, views: LiveViews, authorize: Authorize = anybody, shares: ShareAsker | None = None
    ) -> None:
        self._pool = pool
        self._views = views
        self._authorize = authorize
        self._shares = shares
        # Those that wait for a place wait in a thread, too.
        self._most = pool.limits.running + pool.limits.waiting
        self._asked = 0
        self._threads = ThreadPoolExecutor(self._most, thread_name_prefix="sql")

    async def Sql(  # noqa: N802
        self,
        request: query_pb2.SqlRequest,
        context: Context,
    ) -> AsyncIterator[query_pb2.SqlReply]:
        """See query.proto."""
        await self._admit(context)
        if self._asked >= self._most:
            await refuse(context, too_many(f"{self._asked} queries run, wait or send already"))
        self._asked += 1
        try:
            sent = await self._answered(request)
            while sent.pieces:
                # Popped, so that a slow client holds only what it has yet to take.
                yield query_pb2.SqlReply(arrow_ipc=sent.pieces.popleft())
            yield query_pb2.SqlReply(truncated=sent.truncated)
        except StoreError as error:
            await refuse(context, error)
        finally:
            self._asked -= 1

    async def Watch(  # noqa: N802
        self,
        request: query_pb2.WatchRequest,
        context: Context,
    ) -> AsyncIterator[query_pb2.WatchReply]:
        """See query.proto."""
        await self._admit(context)
        try:
            async for reply in self._views.watch(request):
                yield reply
        except StoreError as error:
            if isinstance(error, BadRequest) or error.code == TOO_MANY:
                await refuse(context, error)
            # Not the watcher's fault, so not INVALID_ARGUMENT: it may try again.
            await context.abort(grpc.StatusCode.INTERNAL, f"the view {request.view} can't be read: {error}")

    async def Compare(self, request: query_pb2.CompareRequest, context: Context) -> query_pb2.CompareReply:  # noqa: N802
        """See query.proto."""
        return await self._share(context, lambda shares: shares.compare(request))

    async def Claims(self, request: query_pb2.ClaimsRequest, context: Context) -> query_pb2.ClaimsReply:  # noqa: N802
        """See query.proto."""
        return await self._share(context, lambda shares: shares.claims(request))

    async def Chips(self, request: query_pb2.ChipsRequest, context: Context) -> query_pb2.ChipsReply:  # noqa: N802
        """See query.proto."""
        return await self._share(context, lambda shares: shares.chips(request))

    async def _share(self, context: Context, start: Callable[[ShareAsker], "Future[_Reply]"]) -> _Reply:
        await self._admit(context)
        shares = self._shares
        if shares is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this collector keeps no shares")
            raise AssertionError
        try:
            async with asyncio.timeout(self._pool.patience_s):
                return await asyncio.wrap_future(start(shares))
        except StoreError as error:
            await refuse(context, error)
        except TimeoutError:
            await refuse(context, out_of_patience(self._pool.patience_s))

    async def _answered(self, request: query_pb2.SqlRequest) -> "Answered":
        run = QueryRun(self._pool)

        def work() -> Answered:
            table = run.table(request.query, dict(request.parameters))
            limit = self._pool.limits.read.result_rows
            limit = min(limit, request.max_rows or limit)
            return Answered(pieces(table.slice(0, limit)), table.num_rows > limit)

        try:
            async with asyncio.timeout(self._pool.patience_s):
                return await asyncio.wrap_future(self._threads.submit(work))
        except asyncio.CancelledError:
            # In a thread of its own: every other one may be taken by queries.
            await asyncio.to_thread(run.cancel)
            raise
        except TimeoutError as error:
            await asyncio.to_thread(run.cancel)
            raise out_of_patience(self._pool.patience_s) from error

    def close(self) -> None:
        """Ends the threads once their queries have ended."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._shares is not None:
            self._shares.close()

    async def _admit(self, context: Context) -> None:
        await admit(context, self._authorize)


async def refuse(context: Context, error: StoreError) -> NoReturn:
    """Ends a call with the status of an error, and ClickHouse's code in the trailing metadata."""
    context.set_trailing_metadata((("steelyard-code", str(error.code)), ("steelyard-name", error.name)))
    status = grpc.StatusCode.INVALID_ARGUMENT
    if error.code in EXHAUSTED:
        status = grpc.StatusCode.RESOURCE_EXHAUSTED
    elif error.code == CANCELLED:
        status = grpc.StatusCode.CANCELLED
    elif error.name == "SHUTTING_DOWN":
        status = grpc.StatusCode.UNAVAILABLE
    await context.abort(status, str(error))
    raise error


def pieces(table: pa.Table) -> deque[bytes]:
    """One Arrow IPC stream in pieces that a stream's flow control can stop between."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=16_384)
    data = memoryview(sink.getvalue())
    return deque(bytes(data[start : start + PIECE_BYTES]) for start in range(0, len(data), PIECE_BYTES))
