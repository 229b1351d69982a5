"""The saturating load: its hand-made messages are protobuf's, its hand-made frames are understood by grpc."""

import selectors
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from steelyard_proto.v1 import ingest_pb2
from tests.bench.load.http2 import Call
from tests.bench.load.samples import Speaker, Variants, shape_of

METHOD = "/test.Echo/Talk"


def test_patched_messages_are_what_protobuf_writes() -> None:
    shape = shape_of(2, 3, 10)
    variants = Variants(shape, seed=1)
    by_protobuf, patched = (Speaker(7, shape, variants, run="t", start_ms=1_700_000_000_000) for _ in range(2))
    for _ in range(40):
        message = by_protobuf.batch(300_000)
        assert ingest_pb2.AgentMessage.FromString(b"".join(patched.pieces(300_000))) == message
        assert patched.batch_bytes == len(message.SerializeToString())


def _echo(requests: Iterator[bytes], _context: object) -> Iterator[bytes]:
    for request in requests:
        yield request[::-1]


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = grpc.stream_stream_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Talk": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def test_a_call_sends_receives_and_ends_within_the_windows(address: str) -> None:
    # Together far more than the windows hold, and single ones larger than a frame.
    sent = [bytes([n % 251]) * size + b"end" for n, size in enumerate((1, 10, 16_380, 16_384, 50_000) * 20)]
    call, waiting, heard = Call(address, METHOD), list(sent), list[bytes]()
    selector = selectors.DefaultSelector()
    selector.register(call.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
    give_up = time.monotonic() + 30
    while not call.is_ended:
        assert time.monotonic() < give_up, f"{len(heard)} of {len(sent)} came back"
        for _, events in selector.select(1.0):
            if events & selectors.EVENT_READ:
                heard += call.receive()
            if events & selectors.EVENT_WRITE:
                call.flush()
        if waiting and call.has_room(len(waiting[0])):
            message = waiting.pop(0)
            call.send([message[:5], message[5:]])
            if not waiting:
                call.end()
        if not waiting and not call.is_blocked:
            selector.modify(call.socket, selectors.EVENT_READ)
    assert heard == [message[::-1] for message in sent]
    call.socket.close()
