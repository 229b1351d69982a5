"""Puts the Query service into a server, so that a message that can't be read is answered and not logged as a fault."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from steelyard_collector.sql.service import QueryService
from steelyard_proto.v1 import query_pb2

_SERVICE: Final = "steelyard.v1.Query"


def add_query_service(service: QueryService, server: grpc.aio.Server) -> None:
    """Use this in place of the generated `add_QueryServicer_to_server`."""
    handlers = {
        "Sql": _handler(service.Sql, query_pb2.SqlRequest.FromString),
        "Watch": _handler(service.Watch, query_pb2.WatchRequest.FromString),
        "Compare": _one_handler(service.Compare, query_pb2.CompareRequest.FromString),
        "Claims": _one_handler(service.Claims, query_pb2.ClaimsRequest.FromString),
        "Chips": _one_handler(service.Chips, query_pb2.ChipsRequest.FromString),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))


def _handler(method: Callable[..., AsyncIterator[Any]], parse: Callable[[bytes], Any]) -> Any:
    async def serve(data: bytes, context: Any) -> AsyncIterator[Any]:
        request = await _parsed(data, parse, context)
        async for reply in method(request, context):
            yield reply

    return grpc.unary_stream_rpc_method_handler(serve, response_serializer=lambda reply: reply.SerializeToString())


def _one_handler(method: Callable[..., Awaitable[Any]], parse: Callable[[bytes], Any]) -> Any:
    async def serve(data: bytes, context: Any) -> Any:
        return await method(await _parsed(data, parse, context), context)

    return grpc.unary_unary_rpc_method_handler(serve, response_serializer=lambda reply: reply.SerializeToString())


async def _parsed(data: bytes, parse: Callable[[bytes], Any], context: Any) -> Any:
    try:
        return parse(data)
    except DecodeError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request is no message of query.proto: {error}")
