"""The frames of the profilers' fabric, read strictly and written: one datagram is one frame.

A frame is {u64 size of the payload, char type[32], payload} in native byte order.

Source: ipcfabric of dynolog and Kineto, and of msMonitor, which speaks the same.
"""

import struct
from dataclasses import dataclass
from typing import Final

# What a process may say at once; the figures of msMonitor are the longest.
MAX_FRAME_BYTES: Final = 1 << 16
# libkineto's bits of the type of a request.
EVENTS, ACTIVITIES = 1, 2

_HEADER: Final = struct.Struct("=Q32s")
_CONTEXT: Final = struct.Struct("=iiq")
_REQUEST: Final = struct.Struct("=iiq")
# As C lays it out: the job's number stands behind four bytes of nothing.
_STATUS: Final = struct.Struct("=iiiii4xq")
# A process and its ancestors.
_MOST_PIDS: Final = 64
_MOST_JSON_BYTES: Final = MAX_FRAME_BYTES - _HEADER.size


class BadFrame(Exception):
    """A datagram is no frame; says why."""


@dataclass(frozen=True, slots=True)
class Registration:
    """`ctxt`: a process says that it is there."""

    device: int
    pid: int


@dataclass(frozen=True, slots=True)
class Request:
    """`req`: a process asks for its configuration.

    Attributes:
        types: EVENTS and ACTIVITIES, as far as it can take one now.
        pid: its own, as it sees itself.
        parent_pid: its parent's, as it sees it; 0 where it names none.
    """

    types: int
    pid: int
    parent_pid: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """`npuTraceStatus` and `npuMonitorStatus`: how far msMonitor's profiler in a process is."""

    monitor: bool
    status: int
    step: int
    start_step: int
    stop_step: int
    pid: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`data`: a line of JSON by msMonitor."""

    text: str


Frame = Registration | Request | Status | Figures


def parse_frame(datagram: bytes) -> Frame:
    """Reads a datagram.

    Raises:
        BadFrame: it isn't exactly one frame of a type that is known.
    """
    if len(datagram) < _HEADER.size:
        raise BadFrame(f"has {len(datagram)} bytes; a frame has {_HEADER.size} and more")
    size, name = _HEADER.unpack_from(datagram)
    payload = datagram[_HEADER.size :]
    if size != len(payload):
        raise BadFrame(f"says that it carries {size} bytes, and carries {len(payload)}")
    kind, _, padding = name.partition(b"\0")
    if padding.strip(b"\0"):
        raise BadFrame("has bytes behind the end of its type")
    if kind == b"ctxt":
        device, pid, _ = _unpack(_CONTEXT, payload, "ctxt")
        return Registration(device, _pid(pid))
    if kind == b"req":
        return _request(payload)
    if kind in (b"npuTraceStatus", b"npuMonitorStatus"):
        status, step, start_step, stop_step, pid, _ = _unpack(_STATUS, payload, kind.decode())
        return Status(kind == b"npuMonitorStatus", status, step, start_step, stop_step, _pid(pid))
    if kind == b"data":
        return _figures(payload)
    raise BadFrame(f"is of the type {kind[:32]!r}, which isn't known")


def answer(kind: bytes, payload: bytes) -> bytes:
    """A frame to send back."""
    return _HEADER.pack(len(payload), kind) + payload


def configuration(text: str) -> bytes:
    """The answer to a request: a configuration, or nothing."""
    return answer(b"req", text.encode())


def registered(count: int) -> bytes:
    """The answer to a registration: how many processes of the device are known."""
    return answer(b"ctxt", struct.pack("=i", count))


def _request(payload: bytes) -> Request:
    if len(payload) < _REQUEST.size:
        raise BadFrame(f"is a req of {len(payload)} bytes; it has {_REQUEST.size} and more")
    types, count, _ = _REQUEST.unpack_from(payload)
    if not 1 <= count <= _MOST_PIDS:
        raise BadFrame(f"is a req that names {count} processes; 1 to {_MOST_PIDS} make sense")
    if len(payload) != _REQUEST.size + 4 * count:
        raise BadFrame(f"is a req of {len(payload)} bytes that names {count} processes")
    pids = struct.unpack_from(f"={count}i", payload, _REQUEST.size)
    return Request(types & (EVENTS | ACTIVITIES), _pid(pids[0]), pids[1] if count > 1 else 0)


def _figures(payload: bytes) -> Figures:
    if len(payload) > _MOST_JSON_BYTES:
        raise BadFrame(f"is data of {len(payload)} bytes")
    try:
        return Figures(payload.rstrip(b"\0").decode())
    except UnicodeDecodeError as error:
        raise BadFrame("is data that is no UTF-8") from error


def _unpack(layout: struct.Struct, payload: bytes, kind: str) -> tuple[int, ...]:
    if len(payload) != layout.size:
        raise BadFrame(f"is a {kind} of {len(payload)} bytes; it has {layout.size}")
    return layout.unpack(payload)


def _pid(pid: int) -> int:
    if pid <= 0:
        raise BadFrame(f"names the process {pid}")
    return pid
