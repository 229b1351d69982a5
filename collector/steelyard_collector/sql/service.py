"""The Query service: SQL from people, and live views."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn

import grpc
import pyarrow as pa

from steelyard_collector.live.filter import BadRequest
from steelyard_collector.live.watch import LiveViews
from steelyard_collector.sql.pool import ReaderPool, too_many
from steelyard_collector.sql.remedies import CANCELLED, EXHAUSTED
from steelyard_collector.sql.run import QueryRun
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import query_pb2, query_pb2_grpc

# Takes the bearer token of a call, "" for none; gives the reason why it may not read, None where it may.
Authorize = Callable[[str], str | None]

# What a call is answered through; its request and reply differ by method.
Context = Any

PIECE_BYTES: Final = 256 * 1024


def anybody(token: str) -> str | None:
    """Lets everybody read."""
    return None


class QueryService(query_pb2_grpc.QueryServicer):
    """Serves `Query` in a grpc.aio server.

    Args:
        pool: lends the clients that people's queries run on.
        views: the live views.
        authorize: asked for each call.
    """

    def __init__(self, pool: ReaderPool, views: LiveViews, authorize: Authorize = anybody) -> None:
        self._pool = pool
        self._views = views
        self._authorize = authorize
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
        try:
            table = await self._table(request)
        except StoreError as error:
            await refuse(context, error)
        limit = self._pool.limits.read.result_rows
        limit = min(limit, request.max_rows or limit)
        for piece in pieces(table.slice(0, limit)):
            yield query_pb2.SqlReply(arrow_ipc=piece)
        yield query_pb2.SqlReply(truncated=table.num_rows > limit)

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
        except BadRequest as error:
            await refuse(context, error)
        except StoreError as error:
            # Not the watcher's fault, so not INVALID_ARGUMENT: it may try again.
            await context.abort(grpc.StatusCode.INTERNAL, f"the view {request.view} can't be read: {error}")

    async def _table(self, request: query_pb2.SqlRequest) -> pa.Table:
        if self._asked >= self._most:
            raise too_many(f"{self._asked} queries run or wait already")
        run = QueryRun(self._pool)
        self._asked += 1
        try:
            future = self._threads.submit(run.table, request.query, dict(request.parameters))
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # In a thread of its own: every other one may be taken by queries.
            await asyncio.to_thread(run.cancel)
            raise
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Ends the threads once their queries have ended."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _admit(self, context: Context) -> None:
        if reason := self._authorize(bearer_token(context.invocation_metadata() or ())):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, reason)


def bearer_token(metadata: "grpc.aio.Metadata | tuple[tuple[str, str | bytes], ...]") -> str:
    """The token of `authorization: Bearer TOKEN`; "" for none."""
    for key, value in metadata:
        if key.lower() == "authorization" and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer":
                return token.strip()
    return ""


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


def pieces(table: pa.Table) -> "list[bytes]":
    """One Arrow IPC stream in pieces that a stream's flow control can stop between."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=16_384)
    data = memoryview(sink.getvalue())
    return [bytes(data[start : start + PIECE_BYTES]) for start in range(0, len(data), PIECE_BYTES)]
