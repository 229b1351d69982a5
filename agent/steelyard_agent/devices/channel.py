"""What the agent and a source's own process say to one another: messages over a pair of sockets.

A message is a pickle with its length before it. Both ends are this program with the same rights; all the same, a
pickle may make nothing but the model's types, so that a broken one is refused and imports nothing.
"""

import io
import pickle
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.tally import GuardStats
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Value
from steelyard_proto.metrics import MetricClass

_LENGTH: Final = struct.Struct("<I")
_MAX_BYTES: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to be: the source by its name in the registry, and what it is told."""

    name: str
    node: str
    argument: str
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick: what to read, in how long, and in how long the next one is expected."""

    number: int
    metric_classes: tuple[MetricClass, ...]
    in_s: float
    again_in_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a tick.

    Attributes:
        devices: all that are known, where that has changed since the last report; else None.
        values: by uid and class.
        holders: by uid, where processes were asked for.
        hangs_for_s: how long the longest call that hangs has done so.
    """

    number: int
    capabilities: Capabilities
    devices: list[DeviceInfo] | None
    values: dict[tuple[str, MetricClass], tuple[Value, ...]]
    holders: dict[str, list[DeviceProcess] | Absent]
    events: list[Event]
    stats: GuardStats
    hangs_for_s: float


_MESSAGES: Final = {
    (kind.__module__, kind.__name__): kind
    for kind in (Task, Tick, Report, Capabilities, GuardStats, Absent, DeviceInfo, DeviceProcess, Event)
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (kind := _MESSAGES.get((module, name))) is not None:
            return kind
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a message")


class Channel:
    """One end. Used by one thread."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._got = bytearray()
        self._readable = select.poll()
        self._readable.register(end, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(end, select.POLLOUT)

    def send(self, message: object, timeout_s: float | None = None) -> None:
        """Sends a message, at most so long.

        Raises:
            OSError: the other end is gone, or takes nothing.
        """
        body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        left = memoryview(_LENGTH.pack(len(body)) + body)
        while left:
            if not self._writable.poll(None if timeout_s is None else timeout_s * 1000):
                raise TimeoutError("the other end takes nothing")
            left = left[self._socket.send(left) :]

    def receive(self, timeout_s: float | None = None) -> object | None:
        """The next message; None if it isn't whole in time.

        Raises:
            OSError: the other end is gone, or has said what can't be understood.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while (size := self._size()) is None or len(self._got) < _LENGTH.size + size:
            left_ms = None if until_s is None else max(0.0, until_s - time.monotonic()) * 1000
            if not self._readable.poll(left_ms):
                return None
            piece = self._socket.recv(_PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("the other end is gone")
            self._got += piece
        body = bytes(self._got[_LENGTH.size : _LENGTH.size + size])
        del self._got[: _LENGTH.size + size]
        try:
            message: object = _Unpickler(io.BytesIO(body)).load()
        except Exception as error:
            raise ConnectionAbortedError(f"a message can't be understood: {error}") from error
        return message

    def close(self) -> None:
        """Lets the other end know that nothing follows."""
        self._socket.close()

    def _size(self) -> int | None:
        if len(self._got) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._got)
        if size > _MAX_BYTES:
            raise ConnectionAbortedError(f"a message of {size} bytes")
        return int(size)
