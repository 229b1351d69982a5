"""The socket on which training processes of this node speak; the kernel says which process it is that speaks."""

import errno
import logging
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

DEFAULT_PATH: Final = "/run/steelyard/agent.sock"
ABSTRACT: Final = "\0steelyard-agent"
MAX_DATAGRAM_BYTES: Final = 8192
# Some seconds of 512 processes that step ten times a second; a datagram that finds it full costs resolution only.
_MOST_WAITING: Final = 20_000
_CREDENTIALS: Final = struct.Struct("=iII")
_STOP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram, and who sent it: 0 where the sender is in no pid namespace that the agent sees."""

    pid: int
    payload: bytes


class Endpoint:
    """Takes datagrams in a thread of its own, so that the kernel's short queue doesn't fill between two ticks."""

    def __init__(self, listener: socket.socket, path: Path | None) -> None:
        """Args: the bound socket, and its file to remove at the end. Use `listen`."""
        self._listener = listener
        self._path = path
        self._waiting: deque[Received] = deque()
        self._is_stopping = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens; an abstract name begins with @."""
        return str(self._path) if self._path is not None else "@" + ABSTRACT[1:]

    def take(self) -> list[Received]:
        """What has come since the last call."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None:
        """Ends, and removes the socket's file."""
        self._is_stopping = True
        # Ends the wait for the next datagram: the thread sleeps until somebody speaks, and wakes for nothing else.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(_STOP_S)
        self._listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while True:
            try:
                payload, ancillary, flags, _ = self._listener.recvmsg(
                    MAX_DATAGRAM_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size)
                )
            except OSError as error:
                if not self._is_stopping:
                    log.warning("%s: no steps are received any more: %s", self.address, error)
                return
            if self._is_stopping:
                return
            if flags & socket.MSG_TRUNC or len(self._waiting) >= _MOST_WAITING:
                self.dropped += 1
            else:
                self._waiting.append(Received(_sender(ancillary), payload))


def _sender(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return 0


def listen(named: str) -> Endpoint | None:
    """Opens the endpoint; None, with a line in the log, where it can't be.

    Args:
        named: the socket's path; empty for the usual places, where trainers look by themselves.
    """
    for address in [named] if named else [DEFAULT_PATH, ABSTRACT]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            path = _bind(listener, address)
        except OSError as error:
            listener.close()
            shown = address.replace("\0", "@")
            log.info("no steps are received at %s: %s", shown, error.strerror or error)
            continue
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        endpoint = Endpoint(listener, path)
        log.info("trainers tell their steps at %s", endpoint.address)
        return endpoint
    return None


def _bind(listener: socket.socket, address: str) -> Path | None:
    if address.startswith("\0"):
        listener.bind(address)
        return None
    path = Path(address)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.is_socket() and not _is_in_use(path):
        # Left behind by an agent that was killed.
        path.unlink()
    listener.bind(address)
    # Trainers of every user may speak; the kernel vouches for who they are.
    os.chmod(path, 0o666)  # noqa: S103
    return path


def _is_in_use(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True
