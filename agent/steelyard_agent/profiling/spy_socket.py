"""py-spy behind a socket: a unit of its own runs it, which may read foreign memory where the agent may not.

A line of JSON asks (`pid`, `seconds`, `rate_hz`); a line of JSON answers (`cpu_s`, or `error`), and py-spy's text
follows to the end.
"""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from steelyard_agent.profiling.py_spy import MORE_S, MOST_BYTES
from steelyard_agent.profiling.sampled import Sampled, Unsampled

LONGEST_LINE: Final = 1024
_CONNECT_S: Final = 1.0
_CHUNK_BYTES: Final = 1 << 20


class SpySocket:
    """One run, from the asking to its end."""

    def __init__(
        self,
        path: Path,
        pid: int,
        seconds: int,
        rate_hz: int,
        target: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Asks.

        Args:
            path: the unit's socket.
            pid: the process.
            seconds: how long.
            rate_hz: looks a second.
            target: a new file for what was seen.
            clock: seconds that never jump.

        Raises:
            Unsampled: nobody answers there.
        """
        self._target = target
        self._clock = clock
        self._late_s = clock() + seconds + 2 * MORE_S
        self._heard = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_CONNECT_S)
        try:
            self._socket.connect(str(path))
            self._socket.sendall(json.dumps({"pid": pid, "seconds": seconds, "rate_hz": rate_hz}).encode() + b"\n")
        except OSError as error:
            self._socket.close()
            raise Unsampled(
                f"{path} does not answer ({error.strerror or error}); is steelyard-stacks.socket on?"
            ) from error
        self._socket.setblocking(False)

    def poll(self) -> Sampled | None:
        """What was seen; None while it is looked.

        Raises:
            Unsampled: nothing could be seen.
        """
        try:
            while more := self._socket.recv(_CHUNK_BYTES):
                self._heard += more
                if len(self._heard) > MOST_BYTES + LONGEST_LINE:
                    raise Unsampled(f"the unit sends more than {MOST_BYTES} bytes")
        except BlockingIOError:
            if self._clock() < self._late_s:
                return None
            self.close()
            raise Unsampled("the unit did not come to an end") from None
        except (OSError, Unsampled) as error:
            self.close()
            raise Unsampled(str(error)) from error
        self.close()
        return self._sampled()

    def close(self) -> None:
        """Listens no more; what runs comes to its own end."""
        self._socket.close()

    def _sampled(self) -> Sampled:
        line, _, text = bytes(self._heard).partition(b"\n")
        try:
            told: dict[str, Any] = json.loads(line)
            if reason := told.get("error"):
                raise Unsampled(str(reason)[:300])
            cpu_s = float(told["cpu_s"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unsampled("the unit ended without an answer; see journalctl -u 'steelyard-stacks@*'") from error
        try:
            self._target.write_bytes(text)
        except OSError as error:
            raise Unsampled(f"what it saw can't be kept: {error.strerror}") from error
        return Sampled(text.decode("utf-8", "replace"), cpu_s)
