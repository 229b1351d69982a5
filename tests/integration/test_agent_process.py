"""The daemon as a process of its own: signals, kills, restarts, and what it says."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.settings import default_text
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import Behaviour, IngestServer

HOST = batch_pb2.KIND_HOST_SAMPLES
AGENT = [sys.executable, "-m", "steelyard_agent.cli"]
FAST = ("--set", "sampling.fast_period_ms=100", "--set", "sampling.host_period_ms=100")


class Daemon:
    """One run of the program."""

    def __init__(self, state_dir: Path, address: str, *more: str) -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
        self.log = state_dir.parent / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*AGENT, "daemon", "--collector", address, "--state-dir", str(state_dir), "--node", "n1", *FAST, *more],
                env={**environ, "XDG_CONFIG_HOME": str(state_dir)},
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def kill(self) -> None:
        self.process.kill()
        self.end(5)

    def terminate(self) -> float:
        started_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.end(10)
        return time.monotonic() - started_s

    def end(self, timeout_s: float) -> int:
        out, _ = self.process.communicate(timeout=timeout_s)
        assert out == b"", "stdout is data"
        return self.process.returncode


@pytest.fixture
def server() -> Iterator[IngestServer]:
    with IngestServer(Behaviour(flush_ms=300)) as running:
        yield running


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir()
    return path


def ticks(server: IngestServer, kind: int) -> list[tuple[int, int]]:
    """Layout and time of all ticks of a kind, as they came."""
    found: list[tuple[int, int]] = []
    for batch in server.seen.batches(kind):
        stamps = memoryview(batch.ts_ms).cast("q")
        found += [(batch.layout, stamp) for stamp in stamps]
    return found


def test_streams_the_host_and_flushes_on_sigterm(server: IngestServer, state_dir: Path) -> None:
    server.behaviour.flush_ms = 60_000
    daemon = Daemon(state_dir, server.address)
    until(lambda: server.seen.hellos)
    time.sleep(1)
    assert server.seen.batches(HOST) == [], "nothing is due yet: the flush on SIGTERM is what brings it"
    took_s = daemon.terminate()
    assert took_s < 2
    assert daemon.process.returncode == 0
    assert len(ticks(server, HOST)) >= 5
    assert server.seen.faults == []
    [hello] = server.seen.hellos
    assert hello.node.name == "n1"
    assert hello.node.cpus == os.cpu_count()
    assert hello.node.origin == batch_pb2.ORIGIN_MEASURED
    uids = {device.uid for message in (hello, *server.seen.describes) for device in message.devices}
    assert "cpu:n1" in uids


def test_killed_at_any_time_it_goes_on_without_gap_or_repeat(server: IngestServer, state_dir: Path) -> None:
    draw = random.Random(5)
    for _ in range(4):
        hellos = len(server.seen.hellos)
        daemon = Daemon(state_dir, server.address)
        until(lambda n=hellos: len(server.seen.hellos) > n)  # type: ignore[misc]
        time.sleep(draw.uniform(0.2, 1.2))
        daemon.kill()
    daemon = Daemon(state_dir, server.address)
    until(lambda: len(server.seen.hellos) == 5)
    time.sleep(0.5)
    assert daemon.terminate() < 2
    assert len({(hello.agent_id, hello.epoch) for hello in server.seen.hellos}) == 1
    for kind in (HOST, batch_pb2.KIND_DEVICE_SAMPLES):
        numbers = server.seen.numbers(kind)
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 5
        stamps = sorted(ticks(server, kind), key=lambda tick: tick[0])
        assert stamps == sorted(set(stamps)), "each layout's ticks come once and in order"
    assert server.seen.faults == []
    assert server.seen.lost == []


def test_without_a_collector_it_spools_and_delivers_later(server: IngestServer, state_dir: Path) -> None:
    server.stop()
    daemon = Daemon(state_dir, server.address, "--set", "sampling.flush_ms=200")
    spool = state_dir / "spool"
    until(lambda: spool.exists() and sum(p.stat().st_size for p in spool.glob("segment-*")) > 3000)
    assert daemon.terminate() < 2
    assert server.seen.hellos == []
    server.start()
    again = Daemon(state_dir, server.address)
    until(lambda: len(server.seen.numbers(HOST)) > 3)
    assert again.terminate() < 2
    numbers = server.seen.numbers(HOST)
    assert numbers == list(range(1, len(numbers) + 1))
    log = daemon.log.read_text()
    assert log.count("no collector answers") == 1
    assert f"collector {server.address}: no collector answers; start one there with `steelyard-collector" in log


def test_a_second_daemon_is_refused(server: IngestServer, state_dir: Path) -> None:
    daemon = Daemon(state_dir, server.address)
    until(lambda: server.seen.hellos)
    second = Daemon(state_dir, server.address)
    assert second.end(20) == 1
    assert f"{state_dir}/spool: another agent uses this spool; stop it, or name another with --state-dir" in (
        second.log.read_text()
    )
    assert daemon.terminate() < 2


def test_hung_and_broken_collectors_do_not_hold_up_the_end(state_dir: Path) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        daemon = Daemon(state_dir, f"127.0.0.1:{silent.getsockname()[1]}")
        until(lambda: (state_dir / "agent-id").exists())
        time.sleep(1)
        assert daemon.terminate() < 2
        assert daemon.process.returncode == 0


def test_events_and_own_figures_arrive(server: IngestServer, state_dir: Path) -> None:
    daemon = Daemon(state_dir, server.address, "--set", "sampling.agent_period_ms=1000")
    until(lambda: len(ticks(server, batch_pb2.KIND_AGENT_SAMPLES)) >= 2)
    daemon.terminate()
    batch = server.seen.batches(batch_pb2.KIND_AGENT_SAMPLES)[-1]
    layouts = {layout.id: layout for m in (*server.seen.hellos, *server.seen.describes) for layout in m.layouts}
    layout = layouts[batch.layout]
    assert sorted([*layout.gauges, *layout.counters]) == [metric.id for metric in catalogue().of("agent")]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["daemon", "--set", "x=1"], 2, "is no setting"),
        (["daemon", "--collector", "nowhere"], 2, "host:port"),
        (["daemon", "--config", "/nonexistent.toml"], 2, "/nonexistent.toml: can't be read"),
        (["nothing"], 2, "invalid choice"),
        ([], 2, "COMMAND"),
        (["daemon", "--state-dir", "/proc/nowhere"], 1, "--state-dir"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, words: str) -> None:
    done = subprocess.run([*AGENT, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_print_config_and_version_and_help() -> None:
    def out(*arguments: str) -> str:
        return subprocess.run([*AGENT, *arguments], capture_output=True, text=True, timeout=30, check=True).stdout

    assert out("daemon", "--print-config") == default_text()
    assert out("version").startswith("steelyard-agent ")
    assert "examples:" in out("--help")
    assert "examples:" in out("daemon", "--help")


def test_an_exporters_page_is_read_without_tls() -> None:
    code = (
        "import sys, steelyard_agent.devices.scrape.source; print('ssl' in sys.modules); "
        "import ssl; print(ssl.OPENSSL_VERSION)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("False\nOpenSSL")


def test_the_daemon_stays_light() -> None:
    code = (
        "import sys; from steelyard_agent.sending.light_grpc import import_grpc_lightly as f; f(); "
        "import steelyard_agent.daemon, steelyard_agent.sending.sender, steelyard_agent.devices.registry; "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"ssl", "importlib.metadata", "email", "http", "numpy", "psutil", "pynvml", "urllib.request"}
    assert not loaded & {"typing_extensions", "ctypes.util", "tempfile", "shutil", "lzma"}
