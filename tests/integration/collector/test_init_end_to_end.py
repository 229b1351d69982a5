"""What `steelyard-collector init` makes and prints is all that a collector, an agent and a client need."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.standins.agent_parts import until
from tests.standins.programs import BIN, Collector, Program, end


def nodes(collector: Collector, folder: Path, token: str) -> "subprocess.CompletedProcess[str]":
    """`steelyard nodes` with a client.toml of the agent's lines, but another token."""
    (folder / "steelyard").mkdir(exist_ok=True)
    client = (folder / "agent.toml").read_text(encoding="utf-8").replace("agent.token", token)
    (folder / "steelyard" / "client.toml").write_text(client, encoding="utf-8")
    ours = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    command = [str(BIN / "steelyard"), "sql", "SELECT count() AS n FROM agents WHERE node = 'init-node'"]
    command += ["--format", "csv"]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**ours, "XDG_CONFIG_HOME": str(folder)}, check=False
    )


@pytest.fixture
def made(tmp_path: Path) -> Collector:
    """A collector by the files that `init` has made; not started yet."""
    keys = tmp_path / "keys"
    collector = Collector(tmp_path, "--config", str(keys / "collector.toml"))
    host, _, port = collector.address.rpartition(":")
    command = [str(BIN / "steelyard-collector"), "init", str(keys), "--host", host, "--port", port]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    (tmp_path / "agent.toml").write_text(printed, encoding="utf-8")
    return collector


def test_an_agent_writes_a_viewer_reads_and_neither_does_the_others(made: Collector, tmp_path: Path) -> None:
    command = [str(BIN / "steelyard-agent"), "daemon", "--config", str(tmp_path / "agent.toml"), "--node", "init-node"]
    agent = Program(tmp_path, "agent", [*command, "--state-dir", str(tmp_path / "state")])
    try:
        made.serve()
        agent.start()
        until(lambda: nodes(made, tmp_path, "viewer.token").stdout.split() == ["n", "1"], 90)
        assert nodes(made, tmp_path, "operator.token").returncode == 0
        refused = nodes(made, tmp_path, "agent.token")
        assert refused.returncode != 0
        assert "a token of the role agent may not do this; it takes operator or viewer" in refused.stderr
        agent.terminate()
        assert agent.code == 0, agent.said
    finally:
        end([agent, made])
