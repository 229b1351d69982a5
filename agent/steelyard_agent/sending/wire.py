"""One open stream to the collector, with the types that grpc's own leave open."""

import asyncio
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from steelyard_proto.errors import TransportError
from steelyard_proto.v1 import ingest_pb2, ingest_pb2_grpc

if TYPE_CHECKING:
    Call = grpc.aio.StreamStreamCall[ingest_pb2.AgentMessage, ingest_pb2.CollectorMessage]

# What a write or a read raises when the stream has ended: the reason stands in its status alone.
ENDED: Final = (grpc.aio.AioRpcError, asyncio.InvalidStateError)
# The status follows the end of the stream at once; a peer that leaves it out must not hold the sender up.
_STATUS_S: Final = 5.0
# What gRPC calls the status itself when a write fails before the collector's own has arrived, which is dropped then.
_FAILED_WRITE: Final = "Internal error from Core"


class Wire:
    """One call of Ingest.Stream."""

    def __init__(self, channel: grpc.aio.Channel, headers: tuple[tuple[str, str], ...]) -> None:
        """Opens the stream; `headers` go with it as metadata."""
        stub = ingest_pb2_grpc.IngestStub(channel)  # type: ignore[no-untyped-call]
        self._call: Call = stub.Stream(metadata=headers)

    async def send(self, message: ingest_pb2.AgentMessage) -> None:
        """Hands a message over; waits while the collector holds back.

        Raises:
            grpc.aio.AioRpcError, asyncio.InvalidStateError: the stream has ended; see `raise_end`.
        """
        await self._call.write(message)

    async def receive(self) -> ingest_pb2.CollectorMessage | None:
        """The next message; None where the collector has ended the stream well.

        Raises:
            grpc.aio.AioRpcError: it has ended it otherwise.
        """
        reply = await self._call.read()
        # At the end it gives a marker of another type, which grpc's stubs don't know.
        return reply if isinstance(reply, ingest_pb2.CollectorMessage) else None

    async def finish(self) -> None:
        """Says that nothing more comes."""
        await self._call.done_writing()

    async def raise_end(self) -> None:
        """Raises what ended the stream; a clean end is one too, for the agent asked for none.

        Raises:
            grpc.aio.AioRpcError: the collector's status.
            TransportError: it ended the stream without an error.
        """
        async with asyncio.timeout(_STATUS_S):
            code = await self._call.code()
        if code is grpc.StatusCode.OK:
            raise TransportError("the collector ended the stream")
        initial, trailing = await self._call.initial_metadata(), await self._call.trailing_metadata()
        details = await self._call.details()
        raise grpc.aio.AioRpcError(code, initial, trailing, details, "")

    def cancel(self) -> None:
        """Ends the stream at once."""
        self._call.cancel()


def is_without_status(error: grpc.aio.AioRpcError) -> bool:
    """Whether only gRPC's own words are known of a stream's end: the connection broke, or a message was refused."""
    return error.code() is grpc.StatusCode.INTERNAL and error.details() == _FAILED_WRITE
