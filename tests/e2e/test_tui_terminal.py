"""`steelyard` in a real pseudo-terminal: encoding, resizing, leaving, and being ended."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.standins.query_process import query_process

DEADLINE_S = 30.0
LEAVES_ALTERNATE_SCREEN = "\x1b[?1049l"


class Terminal:
    """The screens in a pseudo-terminal, and everything that they have written."""

    def __init__(self, address: str, folder: Path, environ: Mapping[str, str], *flags: str) -> None:
        program = str(Path(sys.executable).parent / "steelyard")
        settings = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            **environ,
        }
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(program, [program, *flags, "--collector", address], settings)
        self.resize(80, 24)
        self.text = ""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def cut(self) -> None:
        """Takes the terminal away, as a lost connection does."""
        os.close(self._fd)
        self._fd = -1

    def ended(self, timeout_s: float) -> int:
        """Its exit code, once it has ended without anybody reading."""
        end = time.monotonic() + timeout_s
        while (done := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            assert time.monotonic() < end, "it goes on"
            time.sleep(0.05)
        self.pid = 0
        return os.waitstatus_to_exitcode(done[1])

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def until(self, wanted: str) -> None:
        """Reads until a pattern has been written."""
        end = time.monotonic() + DEADLINE_S
        while not re.search(wanted, self.text):
            assert time.monotonic() < end, f"waited for {wanted!r}; the end of the output:\n{self.text[-2000:]!r}"
            if not self._read(0.2):
                break
        assert re.search(wanted, self.text), f"it ended without {wanted!r}:\n{self.text[-2000:]!r}"

    def _written(self, timeout_s: float) -> bool:
        """Not by select(): after other tests, this process may have more than 1,023 files open."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def _read(self, timeout_s: float) -> bool:
        if self._written(timeout_s):
            try:
                self.text += os.read(self._fd, 65536).decode("utf-8", "replace")
            except OSError:
                return False
        return True

    def wait(self) -> int:
        """The exit code, when it has ended."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._read(0.05) and self._written(0.05):
                    pass
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it didn't end")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._fd >= 0:
            os.close(self._fd)


@contextmanager
def terminal(address: str, folder: Path, environ: Mapping[str, str], *flags: str) -> Iterator[Terminal]:
    screen = Terminal(address, folder, environ, *flags)
    try:
        yield screen
    finally:
        screen.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with query_process("--devices", "400") as address:
        yield address


def test_it_draws_and_leaves_the_terminal_as_it_was(address: str, tmp_path: Path) -> None:
    with terminal(address, tmp_path, {}) as screen:
        screen.until("MI300X")
        screen.press("q")
        assert screen.wait() == 0
        assert LEAVES_ALTERNATE_SCREEN in screen.text


def test_it_follows_a_resize_though_the_environment_names_a_size(address: str, tmp_path: Path) -> None:
    with terminal(address, tmp_path, {"LINES": "24", "COLUMNS": "80"}) as screen:
        screen.until("MI300X")
        screen.resize(160, 48)
        # Only a wide screen has it.
        screen.until("W/dev")
        screen.press("q")
        assert screen.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_good_order(address: str, tmp_path: Path, number: signal.Signals) -> None:
    with terminal(address, tmp_path, {}) as screen:
        screen.until("MI300X")
        os.kill(screen.pid, number)
        assert screen.wait() == 128 + number
        assert LEAVES_ALTERNATE_SCREEN in screen.text


def test_a_terminal_that_goes_away_ends_it(address: str, tmp_path: Path) -> None:
    with terminal(address, tmp_path, {}) as screen:
        screen.until("MI300X")
        screen.cut()
        assert screen.ended(60) == 128 + signal.SIGHUP


def test_ascii_writes_nothing_else(address: str, tmp_path: Path) -> None:
    with terminal(address, tmp_path, {}, "--ascii") as screen:
        screen.until("MI300X")
        screen.press("5")
        screen.until("n00000/0")
        screen.press("\r")
        screen.until("samples as they came")
        screen.press("q")
        assert screen.wait() == 0
        assert screen.text.isascii()


def test_no_color_writes_no_colour_but_greys(address: str, tmp_path: Path) -> None:
    with terminal(address, tmp_path, {"NO_COLOR": "1"}) as screen:
        screen.until("MI300X")
        screen.press("q")
        assert screen.wait() == 0
        colours = re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", screen.text)
        assert all(red == green == blue for red, green, blue in colours)
