"""The agent's end of the fabric: takes frames, checks who sent them, answers requests with a configuration."""

import errno
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from steelyard_agent.profiling.frames import (
    MAX_FRAME_BYTES,
    BadFrame,
    Figures,
    Registration,
    Request,
    Status,
    configuration,
    parse_frame,
    registered,
)
from steelyard_agent.profiling.roster import Profiler, Refused, Roster, Sender, Trainer
from steelyard_agent.profiling.sockets import Listener

log = logging.getLogger(__name__)

_CREDENTIALS: Final = struct.Struct("=iII")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_CREDENTIALS.size)
# So that one who floods doesn't keep the others waiting for ever.
_MOST_AT_ONCE: Final = 64
_MOST_TOLD: Final = 100


class Desk(Protocol):
    """Who decides what a process is answered."""

    def configuration_for(self, trainer: Trainer) -> str:
        """The text for a process that asks; empty for nothing."""
        ...

    def take_status(self, pid: int, status: Status) -> None:
        """Takes how far a profiler of msMonitor is."""
        ...


class Endpoint:
    """All sockets of the fabric. Used by the fabric's thread alone."""

    def __init__(
        self, listeners: Sequence[Listener], roster: Roster, desk: Desk, complain: Callable[[str, str], None]
    ) -> None:
        """Args: the bound sockets, who is there, who decides, and where a fault is told: a code and a sentence."""
        self.listeners = tuple(listeners)
        self._roster = roster
        self._desk = desk
        self._complain = complain
        self._told: set[str] = set()
        self.refused = 0

    def read(self, listener: Listener) -> None:
        """Reads what waits at a socket, and answers."""
        for _ in range(_MOST_AT_ONCE):
            try:
                datagram, ancillary, flags, address = listener.socket.recvmsg(MAX_FRAME_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("%s: %s", listener.name, error)
                return
            sender = _sender(ancillary, address)
            try:
                if flags & socket.MSG_TRUNC:
                    raise BadFrame(f"is longer than {MAX_FRAME_BYTES} bytes")
                self._take(listener, sender, datagram)
            except (BadFrame, Refused) as error:
                self._refuse(sender, str(error))

    def close(self) -> None:
        """Gives all names back."""
        for listener in self.listeners:
            listener.close()

    def _take(self, listener: Listener, sender: Sender, datagram: bytes) -> None:
        frame = parse_frame(datagram)
        if isinstance(frame, Request):
            trainer = self._roster.note(sender, frame, listener.profiler)
            self._answer(listener, sender, configuration(self._desk.configuration_for(trainer)))
        elif isinstance(frame, Registration):
            self._roster.check(sender, frame.pid)
            self._answer(listener, sender, registered(self._count(listener.profiler)))
        elif isinstance(frame, Status):
            self._roster.check(sender, frame.pid)
            self._desk.take_status(sender.pid, frame)
        elif isinstance(frame, Figures):
            log.debug("figures of process %d: %.200s", sender.pid, frame.text)

    def _count(self, profiler: Profiler) -> int:
        return 1 + sum(trainer.profiler == profiler for trainer in self._roster.all())

    def _answer(self, listener: Listener, sender: Sender, frame: bytes) -> None:
        if not sender.address:
            # It has bound no name of its own, and doesn't wait for an answer then.
            return
        try:
            listener.socket.sendto(frame, socket.MSG_DONTWAIT, sender.address)
        except OSError as error:
            if error.errno not in (errno.ECONNREFUSED, errno.ENOENT, errno.EAGAIN):
                self._refuse(sender, f"can't be answered: {error.strerror}")

    def _refuse(self, sender: Sender, problem: str) -> None:
        self.refused += 1
        if problem not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(problem)
            self._complain("fabric_refused", f"a frame of process {sender.pid} (user {sender.uid}) {problem}")


def _sender(ancillary: Sequence[tuple[int, int, bytes]], address: bytes | str | None) -> Sender:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            pid, uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
            return Sender(pid, uid, address or "")
    return Sender(0, -1, address or "")
