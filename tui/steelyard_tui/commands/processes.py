"""A tree of Steelyard's own programs, started for one command and gone with it."""

import ctypes
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

from steelyard_proto.errors import SteelyardError

_PR_SET_PDEATHSIG: Final = 1
# Agents promise to be gone 2 s after SIGTERM; the collector commits what is queued first.
_STOP_S: Final = 10.0


class Ended(SteelyardError):
    """A signal asked this program to end."""

    exit_code = 128 + signal.SIGTERM


def end_on_signals() -> None:
    """SIGTERM and SIGHUP raise `Ended` from now on, so that everything that was started is ended too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(f"ended by {signal.Signals(number).name}")


@dataclass(slots=True)
class Child:
    """One program of the tree."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(slots=True)
class ProcessTree:
    """Starts programs with their output in files, and ends them in the reverse order."""

    directory: Path
    children: list[Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Starts one program; what it says goes into `<directory>/<name>.log`."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(environ),
                # Ctrl-C is ours alone: it reaches the others as the SIGTERM that we send, in our order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def check(self) -> None:
        """Raises SteelyardError if a program has ended, with the last lines of what it said."""
        for child in self.children:
            code = child.process.poll()
            if code is not None:
                raise SteelyardError(f"{child.name} ended with code {code}; its last words:\n{last_lines(child.log)}")

    def last_words(self) -> str:
        """What each program said last; the logs may be gone when this is read."""
        return "\n".join(f"[{child.name}]\n{last_lines(child.log, 4)}" for child in self.children)

    def stop(self) -> None:
        """Ends every program: asked first, forced where it doesn't listen."""
        # A second ctrl-C waits until all are gone.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            for child in reversed(self.children):
                _stop(child)
            self.children.clear()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(child: Child) -> None:
    if child.process.poll() is not None:
        return
    child.process.send_signal(signal.SIGTERM)
    try:
        child.process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()


def program(name: str) -> str:
    """The path of one of our programs, beside the running Python."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise SteelyardError(f"{name} is not installed beside {sys.executable}; install steelyard[all]")
    return str(path)


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def wait_until(
    condition: Callable[[], bool],
    tree: ProcessTree,
    what: str,
    timeout_s: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Waits for a condition while every program of the tree lives.

    Raises:
        SteelyardError: a program ended, or the time is over.
    """
    deadline = monotonic() + timeout_s
    while not condition():
        tree.check()
        if monotonic() > deadline:
            raise SteelyardError(f"waited {timeout_s:.0f} s for {what}; last words:\n{tree.last_words()}")
        sleep(0.1)


def wait_for_line(child: Child, pattern: str, tree: ProcessTree, timeout_s: float) -> re.Match[str]:
    """Waits until a program has said a line that matches; returns the match."""
    found: list[re.Match[str]] = []

    def said() -> bool:
        match = re.search(pattern, child.log.read_text(errors="replace"))
        if match is not None:
            found.append(match)
        return bool(found)

    wait_until(said, tree, f"{child.name} to be ready", timeout_s)
    return found[0]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
