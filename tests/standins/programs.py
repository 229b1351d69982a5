"""The real programs as processes, for tests that kill them, starve them and start them again."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.standins.agent_parts import until

BIN = Path(sys.executable).parent
_READY_S = 60.0


def free_port() -> int:
    """A port that nobody listens on now; for what must come back at the same address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Program:
    """One program that can be started again and again; stderr is appended to its log."""

    folder: Path
    name: str
    arguments: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    # Where this run's words begin in the log.
    _log_from: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Starts it, without waiting for anything."""
        assert not self.is_running
        ours = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
        environ = {**ours, "XDG_CONFIG_HOME": str(self.folder), **self.environ}
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log, env=environ)
        self.starts += 1

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def said(self) -> str:
        """What this run has said so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode(errors="replace")

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def terminate(self, timeout_s: float = 30.0) -> float:
        """SIGTERM; returns the seconds that it took to end."""
        assert self.process is not None
        started_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout_s)
        return time.monotonic() - started_s

    @property
    def code(self) -> int | None:
        assert self.process is not None
        return self.process.poll()


class Collector(Program):
    """`steelyard-collector daemon` over an embedded store, or another by its DSN, always at the same address."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        store: Path | None = None,
        dsn: str = "",
        environ: Mapping[str, str] | None = None,
        name: str = "collector",
    ):
        self.address = f"127.0.0.1:{free_port()}"
        self.store = store or folder / "store"
        command = [str(BIN / "steelyard-collector"), "daemon", "--store", dsn or f"chdb://{self.store}"]
        # Short commits and rollups all the time: more instants at which a kill can hurt.
        command += ["--listen", self.address, "--http-listen", "127.0.0.1:0", "--commit-ms", "100"]
        super().__init__(folder, name, [*command, *flags], environ or {})

    def serve(self) -> None:
        """Starts it and waits until it listens."""
        self.start()
        self.wait()

    def wait(self) -> None:
        """Waits until it listens."""

        def listens() -> bool:
            assert self.is_running, f"the collector ended:\n{self.said}"
            return "(HTTP, read-only SQL)" in self.said

        until(listens, _READY_S)

    @property
    def http(self) -> str:
        found = re.search(r"listening on (\S+) \(HTTP", self.said)
        assert found is not None
        return found.group(1)

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """The answer to a query of anybody, by the public door."""
        body = f"{sql} FORMAT JSONEachRow".encode()
        settings = "output_format_json_quote_64bit_integers=0"
        with urllib.request.urlopen(f"http://{self.http}/?{settings}", body, timeout=_READY_S) as answer:
            return [json.loads(line) for line in answer]


class Simulator(Program):
    """`steelyard-agent simulate`: nodes with real spools and senders, and a file of what they spooled."""

    def __init__(
        self,
        folder: Path,
        address: str,
        *flags: str,
        nodes: int = 4,
        devices: int = 8,
        environ: Mapping[str, str] | None = None,
    ):
        self.truth = folder / "truth.jsonl"
        command = [str(BIN / "steelyard-agent"), "simulate", "--nodes", str(nodes), "--devices", str(devices)]
        command += ["--chip", "H20", "--collector", address, "--flush", "1", "--drain", "25"]
        command += ["--truth", str(self.truth), "--state-dir", str(folder / "fleet"), "--log-level", "info"]
        super().__init__(folder, "simulator", [*command, *flags], environ or {})

    def welcomed(self, since: int = 0) -> set[str]:
        """The agents that a collector has welcomed, by what was said from a place on."""
        return set(re.findall(r"welcomed by collector \S+ as agent (\d+)", self.said[since:]))

    @property
    def told(self) -> int:
        """Messages so far."""
        return self.truth.read_bytes().count(b"\n") if self.truth.exists() else 0


class Agent(Program):
    """`steelyard-agent daemon`, quick: ten ticks a second, and what it gathers goes at once."""

    def __init__(
        self, folder: Path, address: str, *settings: str, name: str = "agent", environ: Mapping[str, str] | None = None
    ):
        self.state_dir = folder / f"{name}-state"
        command = [str(BIN / "steelyard-agent"), "daemon", "--collector", address, "--state-dir", str(self.state_dir)]
        quick = ("sampling.fast_period_ms=100", "sampling.host_period_ms=100", "sampling.flush_ms=200")
        command += ["--node", name]
        command += [part for setting in (*quick, *settings) for part in ("--set", setting)]
        super().__init__(folder, name, command, environ or {})

    @property
    def spool_bytes(self) -> int:
        """Of all segments."""
        return sum(path.stat().st_size for path in self.state_dir.glob("spool/segment-*.spool"))


def end(programs: Iterable[Program]) -> None:
    """Leaves nothing running."""
    for program in programs:
        program.kill()
