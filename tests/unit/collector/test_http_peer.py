"""Whether the other end of a connection still listens."""

import os
import resource
import socket
from collections.abc import Iterator

import pytest

from steelyard_collector.sql.http_peer import has_gone

# Above what select() knows: a collector of a fleet has thousands of connections.
_HIGH = 1_500


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= _HIGH:
        pytest.skip(f"a process here may have {hard} files open, and this needs {_HIGH + 1}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _HIGH + 1), hard))
    ours, theirs = socket.socketpair()
    high = socket.socket(fileno=os.dup2(ours.fileno(), _HIGH))
    ours.close()
    yield high, theirs
    high.close()
    theirs.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_one_that_waits_is_there(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    assert not has_gone(ours)
    theirs.send(b"the next request")
    assert not has_gone(ours)


def test_one_that_hung_up_has_gone(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    theirs.close()
    assert has_gone(ours)


def test_a_closed_connection_has_gone(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = connection
    ours.close()
    assert has_gone(ours)
