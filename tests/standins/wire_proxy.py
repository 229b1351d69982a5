"""A TCP proxy between agents and a collector that can cut, swallow and refuse what passes."""

import selectors
import socket
import struct
import threading
from contextlib import suppress

_CHUNK = 1 << 16


class WireProxy:
    """Listens on a port of its own and hands bytes on, in a thread of its own.

    Swallowing keeps connections open and reads nothing, as a network does that drops packets: both ends believe in
    each other.
    """

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._is_open = True
        self._is_swallowing = False
        self._passes_back = True
        self.accepted = 0
        self._thread = threading.Thread(target=self._run, name="wire-proxy", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def swallow(self) -> None:
        """Nothing passes any more, and nobody is told; new connections are taken and get no answer."""
        self._is_swallowing = True

    def swallow_answers(self) -> None:
        """What agents send passes, what comes back doesn't."""
        self._passes_back = False

    def restore(self) -> None:
        """All passes again, what was held up first."""
        self._is_swallowing, self._passes_back = False, True

    def cut(self) -> None:
        """Resets every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)

    def close(self) -> None:
        self._is_open = False
        self._thread.join(10)
        self._listener.close()
        self.cut()

    def _run(self) -> None:
        self._listener.setblocking(False)
        while self._is_open:
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                with self._lock:
                    for agent, collector in self._pairs if not self._is_swallowing else ():
                        selector.register(agent, selectors.EVENT_READ, collector)
                        if self._passes_back:
                            selector.register(collector, selectors.EVENT_READ, agent)
                ready = [(key.fileobj, key.data) for key, _ in selector.select(0.02)]
            for source, target in ready:
                if target is None:
                    self._accept()
                elif isinstance(source, socket.socket):
                    self._hand_on(source, target)

    def _accept(self) -> None:
        agent, _ = self._listener.accept()
        self.accepted += 1
        try:
            collector = socket.create_connection(self._upstream, 5)
        except OSError:
            _reset(agent)
            return
        with self._lock:
            self._pairs.append((agent, collector))

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            data = source.recv(_CHUNK)
            target.settimeout(5)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            with self._lock:
                ended = [pair for pair in self._pairs if source in pair]
                self._pairs = [pair for pair in self._pairs if source not in pair]
            for pair in ended:
                for end in pair:
                    end.close()


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
