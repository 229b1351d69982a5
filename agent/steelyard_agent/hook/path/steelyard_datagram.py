"""Datagrams to the local agent, written as docs/training.md says. Standard library only, valid for Python 3.8."""

import os


class Sender:
    """Sends without waiting; what nobody listens to, or has no time for, is dropped."""

    def __init__(self):
        # type: () -> None
        import socket

        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._addresses = _addresses()
        self._pid = os.getpid()
        self.number = 0

    def send(self, kind, fields):  # type: ignore[no-untyped-def]
        """One datagram: a line `steelyard 1 KIND`, then `name=value` lines; values hold no line breaks."""
        pid = os.getpid()
        if pid != self._pid:
            # A forked child is a process of its own.
            self._pid, self.number = pid, 0
        self.number += 1
        lines = ["steelyard 1 " + kind, "pid=%d" % pid, "number=%d" % self.number]
        lines += ["%s=%s" % (name, str(value).replace("\n", " ")) for name, value in fields if value is not None]
        payload = "\n".join(lines).encode("utf-8", "replace")
        for address in self._addresses:
            try:
                self._socket.sendto(payload, address)
                return
            except OSError:
                continue


def _addresses():
    # type: () -> list[str]
    named = os.environ.get("STEELYARD_SOCKET")
    return [named] if named else ["/run/steelyard/agent.sock", "\0steelyard-agent"]
