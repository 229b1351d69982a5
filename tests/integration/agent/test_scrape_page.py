"""The answers that an exporter's server may give, over real sockets."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from steelyard_agent.devices.scrape.page import NotHttp, PageClient

_KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@contextmanager
def serving(*connections: Sequence[bytes]) -> Iterator[tuple[PageClient, list[bytes]]]:
    """A client of a server that gives each connection its answers in turn, then closes it; and what was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        for answers in connections:
            connection, _ = server.accept()
            with connection:
                for answer in answers:
                    asked.append(connection.recv(4096))
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        client = PageClient("127.0.0.1", server.getsockname()[1], "/metrics?a=b", timeout_s=5.0, most_bytes=1 << 20)
        yield client, asked
        client.close()
        thread.join(5.0)
        assert not thread.is_alive()


def test_a_connection_is_kept_and_a_closed_one_is_replaced() -> None:
    with serving([_KEPT + b"one\n", _KEPT + b"two\n"], [_KEPT + b"more"]) as (client, asked):
        assert [client.get() for _ in range(3)] == [(200, b"one\n"), (200, b"two\n"), (200, b"more")]
    assert len(asked) == 3
    assert asked[0].startswith(b"GET /metrics?a=b HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\npage \r\n00A\r\nin chunks\n\r\n0\r\nTrailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npage in chunks\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 15\r\n\r\npage in chunks\n",
    ],
)
def test_a_body_ends_where_its_head_says(answer: bytes) -> None:
    with serving([answer], [answer]) as (client, _asked):
        assert [client.get() for _ in range(2)] == [(200, b"page in chunks\n")] * 2


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (b"SSH-2.0-x\r\n\r\n", NotHttp, "doesn't speak HTTP/1"),
        (b"HTTP/1.1 abc\r\n\r\n", NotHttp, "no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NotHttp, "no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", NotHttp, "longer than 1 MiB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", NotHttp, "longer than 1 MiB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", NotHttp, "no number"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000, NotHttp, "head does not end"),
        (_KEPT + b"12", ConnectionError, "was closed"),
        (b"", ConnectionError, "was closed"),
    ],
)
def test_what_makes_no_sense_is_an_error_and_the_next_answer_counts(
    answer: bytes, error: type[Exception], why: str
) -> None:
    with serving([answer], [_KEPT + b"next"]) as (client, _asked):
        with pytest.raises(error, match=why):
            client.get()
        assert client.get() == (200, b"next")
