"""Many gRPC calls over one connection, in the event loop; `http2.Call` is one call on its own, for saturation.

What the collector's windows don't allow yet waits here, as in any client.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.load.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_FRAME_BYTES,
    FIRST_ROOM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME_SIZE,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    request_headers,
)

_LARGEST_ROOM: Final = (1 << 31) - 1


@dataclass(slots=True)
class Stream:
    """One call, its two sides.

    Attributes:
        number: on its connection.
        on_message: takes each message of the collector.
        on_end: told why, once the collector has ended it.
        window: bytes that may still be sent.
        unsent: what waits for a window.
        received: the beginning of a message whose rest is still to come.
    """

    number: int
    on_message: Callable[[bytes], None]
    on_end: Callable[[str], None]
    window: int
    unsent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class Connection(asyncio.Protocol):
    """One connection to a collector, without TLS."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._transport: asyncio.WriteTransport | None = None
        self._streams: dict[int, Stream] = {}
        # Streams with something unsent, oldest first.
        self._blocked: dict[int, Stream] = {}
        self._next = 1
        self._window = FIRST_ROOM
        self._stream_window = FIRST_ROOM
        self._frame_bytes = FIRST_FRAME_BYTES
        self._input = bytearray()
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Opens HTTP/2; what comes back is little, so it gets all the room there is and is never updated."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        settings = struct.pack(">HI", INITIAL_WINDOW, _LARGEST_ROOM)
        room = struct.pack(">I", _LARGEST_ROOM - FIRST_ROOM)
        transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, room))

    def open(self, path: str, on_message: Callable[[bytes], None], on_end: Callable[[str], None]) -> Stream:
        """Begins a call; see Stream."""
        stream = Stream(self._next, on_message, on_end, self._stream_window)
        self._streams[stream.number] = stream
        self._next += 2
        self._write(frame(HEADERS, END_HEADERS, stream.number, request_headers(self._authority, path)))
        return stream

    def send(self, stream: Stream, pieces: Sequence[bytes]) -> None:
        """Sends a message, given in pieces; what there is no room for goes when there is."""
        stream.unsent += struct.pack(">BI", 0, sum(map(len, pieces)))
        for piece in pieces:
            stream.unsent += piece
        if not self._flush(stream):
            self._blocked[stream.number] = stream

    def end(self, stream: Stream) -> None:
        """Says that nothing more will be sent."""
        self._write(frame(DATA, END_STREAM, stream.number))

    def close(self) -> None:
        """Ends the connection; its streams aren't told."""
        self._streams.clear()
        if self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        """The socket is full."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The socket has room."""
        self._is_paused = False
        self._flush_blocked()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends every stream."""
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.on_end(f"the connection is lost: {exc}")

    def data_received(self, data: bytes) -> None:
        """Takes frames, whole ones."""
        buffer = self._input
        buffer += data
        at = 0
        while len(buffer) - at >= 9:
            head, flags, number = struct.unpack_from(">IBI", buffer, at)
            end = at + 9 + (head >> 8)
            if len(buffer) < end:
                break
            self._take(head & 0xFF, flags, number & _LARGEST_ROOM, bytes(buffer[at + 9 : end]))
            at = end
        del buffer[:at]

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            self._widen(number, struct.unpack(">I", payload)[0])
        elif kind == DATA:
            self._take_data(number, payload)
        elif kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
        elif kind == PING and not flags & ACK:
            self._write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.connection_lost(ConnectionError(payload[8:].decode(errors="replace") or "the collector goes away"))
        if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
            stream = self._streams.pop(number, None)
            if stream is not None:
                # Status and text stand in the trailers, compressed; the texts are readable all the same, or nearly.
                stream.on_end(f"the collector ended the stream: {payload!r}")

    def _take_data(self, number: int, payload: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        stream.received += payload
        while len(stream.received) >= 5:
            size = struct.unpack_from(">I", stream.received, 1)[0]
            if len(stream.received) < 5 + size:
                return
            message = bytes(stream.received[5 : 5 + size])
            del stream.received[: 5 + size]
            stream.on_message(message)

    def _take_settings(self, payload: bytes) -> None:
        for key, value in struct.iter_unpack(">HI", payload):
            if key == INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
            elif key == MAX_FRAME_SIZE:
                self._frame_bytes = value
        self._write(frame(SETTINGS, ACK, 0))
        self._flush_blocked()

    def _widen(self, number: int, by: int) -> None:
        if number:
            stream = self._streams.get(number)
            if stream is not None:
                stream.window += by
        else:
            self._window += by
        self._flush_blocked()

    def _flush_blocked(self) -> None:
        for stream in list(self._blocked.values()):
            if self._window <= 0 or self._is_paused:
                return
            if self._flush(stream):
                del self._blocked[stream.number]

    def _flush(self, stream: Stream) -> bool:
        while stream.unsent and not self._is_paused:
            size = min(len(stream.unsent), stream.window, self._window, self._frame_bytes)
            if size <= 0:
                break
            self._write(frame(DATA, 0, stream.number, bytes(stream.unsent[:size])))
            del stream.unsent[:size]
            stream.window -= size
            self._window -= size
        return not stream.unsent

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)
