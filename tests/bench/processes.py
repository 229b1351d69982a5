"""The programs that a bench measures, and the load that it sets on them, each a process of its own."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.machine import wait_for

_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector that serves."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid


@contextmanager
def collector(folder: Path, *flags: str) -> Iterator[Collector]:
    """The real daemon over a new embedded store in `folder`, asked to stop at the end."""
    log = folder / "collector.log"
    command = [
        program("steelyard-collector"), "daemon", "--store", f"chdb://{folder}/store",
        "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", *flags,
    ]  # fmt: skip
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield Collector(process, _address(process, log), log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    found: list[str] = []

    def is_ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the collector ended:\n{log.read_text(errors='replace')[-2000:]}")
        match = re.search(r"listening on (\S+:\d+)", log.read_text(errors="replace"))
        found.extend(match.groups() if match else ())
        return bool(found)

    wait_for(is_ready, "the collector to listen", _READY_S)
    return found[0]


def program(name: str) -> str:
    """The path of one of our programs, beside the running Python."""
    return str(Path(sys.executable).parent / name)


class Load:
    """A process of tests.bench.load, and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self._reading = threading.Thread(target=self._read, name="load", daemon=True)
        self._reading.start()

    @property
    def is_running(self) -> bool:
        """Whether it may say more."""
        return self._reading.is_alive()

    def wait(self, limit_s: float) -> dict[str, Any]:
        """Waits for its end and gives its last object.

        Raises:
            RuntimeError: it failed.
            TimeoutError: it has not ended in time.
        """
        self._reading.join(limit_s)
        if self._reading.is_alive():
            raise TimeoutError(f"the load has not ended within {limit_s:.0f} s")
        if self.process.wait():
            raise RuntimeError(f"the load ended with code {self.process.returncode}")
        return self.said[-1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))


@contextmanager
def running_load(address: str, *flags: str | float) -> Iterator[Load]:
    """A load generator against a collector; it doesn't outlive the block."""
    with start_module("tests.bench.load", "--collector", address, *map(str, flags)) as process:
        try:
            yield Load(process)
        finally:
            process.kill()


def start_module(module: str, *flags: str) -> subprocess.Popen[str]:
    """A module of the benches as a process of its own, its stdout to be read."""
    return subprocess.Popen([sys.executable, "-m", module, *flags], stdout=subprocess.PIPE, text=True)


def run_module(module: str, flags: Sequence[str]) -> dict[str, Any]:
    """Runs a module of the benches to its end; returns the object that it printed last."""
    done = subprocess.run([sys.executable, "-m", module, *flags], stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
