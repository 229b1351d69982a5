"""A program in a real pseudo-terminal, read without a pause, with the times of what it writes."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.machine import wait_for

_STOP_S = 10.0


class Terminal:
    """The terminal's side: keys go in, and a thread of its own takes all that comes out."""

    def __init__(self, descriptor: int, pid: int) -> None:
        self.pid = pid
        self.written = 0
        self._descriptor = descriptor
        self._tail = b""
        self._came = threading.Condition()
        self._came_s = 0.0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except OSError:
                return
            now_s = time.monotonic()
            if not data:
                return
            with self._came:
                # The first piece after a key is what the key waits for; later ones don't move the time.
                self._came_s = self._came_s or now_s
                self.written += len(data)
                self._tail = (self._tail + data)[-65_536:]
                self._came.notify_all()

    def press(self, key: bytes, limit_s: float = 2.0) -> float:
        """Writes a key; seconds until the first byte of output, the limit if none came."""
        with self._came:
            self._came_s = 0.0
        started_s = time.monotonic()
        os.write(self._descriptor, key)
        with self._came:
            self._came.wait_for(lambda: self._came_s, limit_s)
            return self._came_s - started_s if self._came_s else limit_s

    def wait_for_text(self, text: str, limit_s: float = 30.0) -> None:
        """Waits until the program has written a text in one piece."""
        wait_for(lambda: text.encode() in self._tail, f"{text!r} on the screen", limit_s)

    def cpu_s(self) -> float:
        """The program's CPU time, of all threads that it ever had, to the nanosecond."""
        return time.clock_gettime((~self.pid << 3) | 2)  # CPUCLOCK_SCHED of a process, as in <linux/posix-timers.h>


@contextmanager
def terminal(command: Sequence[str], home: Path, columns: int, lines: int) -> Iterator[Terminal]:
    """Runs a program in a terminal of this size, its files under `home`; ends it at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    dropped = {"LINES", "COLUMNS", "NO_COLOR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"}
    kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith("STEELYARD_")}
    environ = kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "HOME": str(home)}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
            os.close(ours)
