"""Datagrams to the local agent, written as docs/training.md says. Standard library only, valid for Python 3.8."""

import atexit
import os
import time

# Where nobody listens, it is looked for again so often.
_LOOK_EVERY_S = 1.0


class Sender:
    """Sends without waiting; what nobody listens to, or has no time for, is dropped."""

    def __init__(self):
        # type: () -> None
        import socket

        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        # A Python that shows its warnings would tell of one that is left open.
        atexit.register(self._socket.close)
        self._addresses = _addresses()
        self._is_connected = False
        self._look_s = 0.0
        self.number = 0
        self.pid = os.getpid()

    def begin_anew(self):
        # type: () -> None
        """A forked child is a process of its own."""
        self.number = 0
        self.pid = os.getpid()

    def send(self, kind, fields):  # type: ignore[no-untyped-def]
        """One datagram of (name, value) pairs; those without a value are left out."""
        pairs = [(name, str(value).replace("\n", " ")) for name, value in fields if value is not None]
        lines = "\n".join(["%s=%s" % pair for pair in pairs])
        text = "steelyard 1 %s\npid=%d\nnumber=%d\n%s" % (kind, self.pid, self.next_number(), lines)
        self.put(text.encode("utf-8", "replace"))

    def next_number(self):
        # type: () -> int
        """Of the datagram that is about to be put."""
        self.number += 1
        return self.number

    def put(self, payload):
        # type: (bytes) -> None
        """One datagram: a line `steelyard 1 KIND`, then `name=value` lines; values hold no line breaks."""
        # To a listener that is known: finding it by its path costs more than the datagram.
        if self._is_connected:
            try:
                self._socket.send(payload)
                return
            except BlockingIOError:
                return
            except OSError:
                # It has ended; another may listen there by now.
                self._is_connected = False
                self._look_s = 0.0
        self._send_first(payload)

    def _send_first(self, payload):
        # type: (bytes) -> None
        now_s = time.monotonic()
        if now_s < self._look_s:
            return
        self._look_s = now_s + _LOOK_EVERY_S
        for address in self._addresses:
            try:
                self._socket.connect(address)
            except OSError:
                continue
            self._is_connected = True
            try:
                self._socket.send(payload)
            except OSError:
                pass
            return


def _addresses():
    # type: () -> list[str]
    named = os.environ.get("STEELYARD_SOCKET")
    return [named] if named else ["/run/steelyard/agent.sock", "\0steelyard-agent"]
