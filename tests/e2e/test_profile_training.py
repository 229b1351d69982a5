"""Two unmodified torch trainings, of which one loads its data slowly, profiled through a real collector and a real
agent: `steelyard diff` names what is slow."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from steelyard_tui.cli import main
from tests.standins.agent_parts import until
from tests.standins.programs import Agent, Collector, end

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch not installed: make test TORCH=1"),
    pytest.mark.timeout(300),
]
SCRIPT = Path(__file__).with_name("train_from_loader.py")
WAIT_S = 150.0


@contextmanager
def training(folder: Path, job: str, slow_ms: int) -> Iterator[None]:
    """The script, as a user starts it; it ends well, whatever was done to it."""
    kineto = folder / "kineto.conf"
    # Asks each second and not each 5 s.
    kineto.write_text("ON_DEMAND_CONFIG_UPDATE_INTERVAL_SECS=1\n")
    environ = {
        **os.environ,
        "KINETO_USE_DAEMON": "1",
        "KINETO_IPC_SOCKET_DIR": str(folder / "fabric"),
        "KINETO_CONFIG": str(kineto),
        "STEELYARD_SOCKET": str(folder / "agent.sock"),
        "STEELYARD_JOB": job,
        "RANK": "0",
    }
    words = [sys.executable, "-m", "steelyard_agent.cli", "run", "--", sys.executable, str(SCRIPT), str(slow_ms)]
    with subprocess.Popen(words, env=environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0, "the training was harmed"


def asked(capsys: pytest.CaptureFixture[str], collector: Collector, *words: str) -> str:
    """What a command prints."""
    code = main([*words, "--collector", collector.address])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_a_slow_loader_is_what_the_difference_names(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="sy-") as name, ExitStack() as running:
        folder = Path(name)
        collector = Collector(folder)
        settings = ("profiling.enabled=true", f"profiling.folder={folder / 'fabric'}")
        agent = Agent(folder, collector.address, *settings, f"training.socket={folder / 'agent.sock'}")
        running.callback(end, [agent, collector])
        collector.serve()
        agent.start()
        # A training that starts before the agent has made its folder never finds it.
        until(lambda: (folder / "fabric" / "dynolog").exists(), WAIT_S)
        running.enter_context(training(folder, "fast", 0))
        running.enter_context(training(folder, "slow", 20))
        until(lambda: len(collector.ask("SELECT DISTINCT job FROM steps WHERE step > 5")) == 2, WAIT_S)
        for job in ("fast", "slow"):
            assert "where the time went" in asked(capsys, collector, "profile", job)
        told = json.loads(asked(capsys, collector, "diff", "fast", "slow", "--per", "step", "--format", "json"))
        assert told["by_class"][0]["class"] == "data wait", told
        assert sum(change["points"] for change in told["by_class"]) == pytest.approx(told["gap_percent"])
        assert (
            "data wait"
            in asked(capsys, collector, "diff", "fast", "slow", "--per", "step").split("of these points are")[1]
        )
        (row,) = collector.ask("SELECT profile, trace_bytes, state FROM profiles WHERE job = 'slow'")
        assert row["state"] == "stored"
        trace = folder / "trace.json"
        asked(capsys, collector, "trace", "fetch", row["profile"], "-o", str(trace))
        assert trace.stat().st_size == row["trace_bytes"]
        # The same window, from the file: both are read by one parser, and nothing is lost between.
        stored = json.loads(asked(capsys, collector, "ops", row["profile"], "--format", "json"))
        from_file = json.loads(asked(capsys, collector, "ops", "--file", str(trace), "--format", "json"))
        for part in ("totals", "by_class", "calls"):
            assert stored[part] == from_file[part]
        # With stacks the loader's Python frames are its own.
        told = json.loads(asked(capsys, collector, "profile", "slow", "--with-stack", "--json"))
        assert next(part["share"] for part in told["by_class"] if part["class"] == "data wait") > 0.2
