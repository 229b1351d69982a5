"""Fetches an exporter's page again and again over one connection, with no more of HTTP than exporters speak.

Python's own client reads each head as a mail's, with more of code than a page's figures take.

Source: RFC 9112: sections 6 and 7 for where a body ends, 9.3 for when the connection is kept.
"""

import socket
from collections.abc import Mapping
from typing import Final

_RECEIVE_BYTES: Final = 1 << 16
_MOST_HEAD_BYTES: Final = 1 << 16


class NotHttp(Exception):
    """What came is no answer of HTTP/1, or more than is taken."""


class _Ended(ConnectionError):
    """The server has closed the connection."""


class PageClient:
    """Asks one server for one page."""

    def __init__(self, host: str, port: int, path: str, *, timeout_s: float, most_bytes: int) -> None:
        """Connects to nothing yet.

        Args:
            host: a name or an address.
            port: of the server.
            path: of the page, with its query.
            timeout_s: how long nothing may come.
            most_bytes: how long the page may be.
        """
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        named = f"[{host}]" if ":" in host else host
        head = f"GET {path} HTTP/1.1\r\nHost: {named}:{port}\r\nAccept: text/plain\r\nAccept-Encoding: identity\r\n\r\n"
        self._request = head.encode("ascii")
        self._socket: socket.socket | None = None
        self._received = b""

    def get(self) -> tuple[int, bytes]:
        """The answer's status and its body.

        Raises:
            TimeoutError: nothing came in time.
            OSError: the server can't be reached, or went away.
            NotHttp: what came makes no sense, or is too much.
        """
        is_kept = self._socket is not None
        try:
            try:
                return self._ask()
            except ConnectionError:
                # The server may have closed the connection that was kept; the next one is new.
                if not is_kept or self._received:
                    raise
                self.close()
                return self._ask()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._received = b""

    def _ask(self) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout_s)
        self._socket.sendall(self._request)
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if len(self._received) > _MOST_HEAD_BYTES:
                raise NotHttp("its head does not end")
            self._more()
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        self._received = self._received[end + 4 :]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        version, status = _status(first)
        is_kept = version == "HTTP/1.1" and fields.get("connection", "").lower() != "close"
        body, has_end = self._body(fields)
        if not is_kept or not has_end or self._received:
            self.close()
        return status, body

    def _body(self, fields: Mapping[str, str]) -> tuple[bytes, bool]:
        """The body, and whether it said where it ends."""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(), True
        length = fields.get("content-length")
        if length is not None:
            return self._exactly(_number(length, 10)), True
        try:
            while True:
                self._more()
        except _Ended:
            return self._received, False

    def _chunks(self) -> bytes:
        chunks: list[bytes] = []
        size = total = -1
        while size:
            size = _number(self._line().partition(b";")[0].decode("latin-1"), 16)
            total += size
            if total > self._most_bytes:
                raise NotHttp(f"it is longer than {self._most_bytes >> 20} MiB")
            if size:
                chunks.append(self._exactly(size + 2)[:size])
        while self._line():
            pass
        return b"".join(chunks)

    def _line(self) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            if len(self._received) > _MOST_HEAD_BYTES:
                raise NotHttp("a line does not end")
            self._more()
        line, self._received = self._received[:end], self._received[end + 2 :]
        return line

    def _exactly(self, length: int) -> bytes:
        if length > self._most_bytes + 2:
            raise NotHttp(f"it is longer than {self._most_bytes >> 20} MiB")
        while len(self._received) < length:
            self._more()
        found, self._received = self._received[:length], self._received[length:]
        return found

    def _more(self) -> None:
        assert self._socket is not None
        more = self._socket.recv(_RECEIVE_BYTES)
        if not more:
            raise _Ended("the connection was closed")
        self._received += more
        if len(self._received) > self._most_bytes + 2 * _MOST_HEAD_BYTES:
            raise NotHttp(f"it is longer than {self._most_bytes >> 20} MiB")


def _status(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/1."):
        raise NotHttp("it doesn't speak HTTP/1")
    return version, _number(rest[:3], 10)


def _number(text: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise NotHttp(f"{text[:20]!r} is no number")
    return number
