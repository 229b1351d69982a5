"""Requests that can't be read are refused like any other wrong request, and not logged as faults of ours.

grpc's own deserializing ends such a call with UNKNOWN and a traceback: a stranger could fill the log.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

Handler = Any
Context = Any


class ReadableRequests(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Reads the requests of every service that leaves it to grpc: health and reflection."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        """The handler, fed with messages that were read here."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        serializer = handler.response_serializer
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(_of_stream(handler), response_serializer=serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(_with_stream(handler), response_serializer=serializer)
        return grpc.unary_unary_rpc_method_handler(_of_one(handler), response_serializer=serializer)


def _of_one(handler: Handler) -> Any:
    async def serve(data: bytes, context: Context) -> Any:
        return await handler.unary_unary(await _read(handler, data, context), context)

    return serve


def _with_stream(handler: Handler) -> Any:
    async def serve(data: bytes, context: Context) -> AsyncIterator[Any]:
        # Health's Watch writes by itself and yields nothing.
        replies = handler.unary_stream(await _read(handler, data, context), context)
        if hasattr(replies, "__aiter__"):
            async for reply in replies:
                yield reply
        else:
            await replies

    return serve


def _of_stream(handler: Handler) -> Any:
    async def serve(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        async def messages() -> AsyncIterator[Any]:
            async for data in requests:
                yield await _read(handler, data, context)

        async for reply in handler.stream_stream(messages(), context):
            yield reply

    return serve


async def _read(handler: Handler, data: bytes, context: Context) -> Any:
    try:
        return handler.request_deserializer(data)
    except DecodeError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request can't be read: {error}")
