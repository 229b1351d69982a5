"""A real torch training under KINETO_USE_DAEMON=1 is profiled, and what comes of it reaches the collector."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import Behaviour, IngestServer

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch not installed: make test TORCH=1"),
    pytest.mark.timeout(240),
]
SCRIPT = Path(__file__).with_name("train_tiny.py")
AGENT = [sys.executable, "-m", "steelyard_agent.cli", "daemon", "--node", "n1"]
FAST = ("--set", "sampling.fast_period_ms=200", "--set", "sampling.host_period_ms=200")
WAIT_S = 120.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sy-") as path:
        yield Path(path)


@contextmanager
def agent(folder: Path, server: IngestServer, *more: str) -> Iterator[None]:
    """A daemon with profiles on; it ends well."""
    settings = ["--set", "profiling.enabled=true", "--set", f"profiling.folder={folder / 'fabric'}", *FAST, *more]
    settings += ["--set", f"training.socket={folder / 'agent.sock'}"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    command = [*AGENT, "--collector", server.address, "--state-dir", str(folder / "state"), *settings]
    with subprocess.Popen(command, env={**environ, "XDG_CONFIG_HOME": str(folder)}) as process:
        try:
            until((folder / "fabric/dynolog").exists, WAIT_S)
            yield
        finally:
            process.terminate()
    assert process.returncode == 0


@contextmanager
def training(folder: Path, *command: str) -> Iterator[int]:
    """The script, as a user starts it; its pid."""
    kineto = folder / "kineto.conf"
    # Asks each second and not each 5 s.
    kineto.write_text("ON_DEMAND_CONFIG_UPDATE_INTERVAL_SECS=1\n")
    environ = {
        **os.environ,
        "KINETO_USE_DAEMON": "1",
        "KINETO_IPC_SOCKET_DIR": str(folder / "fabric"),
        "KINETO_CONFIG": str(kineto),
        "STEELYARD_SOCKET": str(folder / "agent.sock"),
        "STEELYARD_JOB": "tiny",
        "RANK": "0",
        "OMP_NUM_THREADS": "1",
    }
    words = [*command, sys.executable, str(SCRIPT)]
    with subprocess.Popen(words, env=environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: list((folder / "fabric").glob("dynoconfigclient*")), WAIT_S)
            yield process.pid
        finally:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0, "the training was harmed"


def test_an_unmodified_training_that_was_there_before_the_agent_is_profiled_on_demand(folder: Path) -> None:
    # A training that finds no folder when it imports torch never asks.
    (folder / "fabric").mkdir(mode=0o700)
    hooked = (sys.executable, "-m", "steelyard_agent.cli", "run", "--")
    behaviour = Behaviour(flush_ms=300)
    with IngestServer(behaviour) as server, training(folder, *hooked), agent(folder, server):
        seen = server.seen
        until(lambda: seen.records(batch_pb2.KIND_STEP), WAIT_S)
        behaviour.asks.append(ingest_pb2.Ask(id="a", profile=ingest_pb2.ProfileAsk(job="tiny", with_stacks=True)))
        until(lambda: any(answer.is_last for answer in seen.answers), WAIT_S)
        assert [answer.state for answer in seen.answers] == ["requested", "recording", "parsing", "stored"]
        last = seen.answers[-1]
        until(lambda: seen.records(batch_pb2.KIND_STACK), WAIT_S)
        (profile,) = [row for records in seen.records(batch_pb2.KIND_PROFILE) for row in records.profiles]
        assert (profile.id, profile.job, profile.rank, profile.steps) == (last.profile, "tiny", 0, 3)
        assert profile.HasField("device"), "the CPU is a device too"
        rows = [row for records in seen.records(batch_pb2.KIND_PROFILE_ROW) for row in records.profile_rows]
        calls = {row.name: row for row in rows if row.by == "call"}
        assert calls["aten::addmm"].count == 6, "two layers, three steps"
        assert calls["Optimizer.step#AdamW.step"].count == 3
        assert sum(row.total_ns for row in rows if row.by == "part") == profile.window_ns
        stacks = [row for records in seen.records(batch_pb2.KIND_STACK) for row in records.stacks]
        assert any("train_tiny.py" in frame for stack in stacks for frame in stack.frames)
        seen.answers.clear()
        behaviour.asks.append(ingest_pb2.Ask(id="b", trace=ingest_pb2.TraceAsk(profile=last.profile)))
        until(lambda: any(answer.is_last for answer in seen.answers), WAIT_S)
        trace = b"".join(answer.piece for answer in seen.answers)
        assert len(trace) == seen.answers[0].total_bytes == profile.trace_bytes
        assert b'"traceEvents"' in trace
        assert not seen.faults
