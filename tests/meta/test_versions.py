"""The three programs tell the package's version; the agent's stands in a file of its own, for it starts light."""

from importlib.metadata import version

import pytest

from steelyard_agent.cli import main as agent
from steelyard_collector.cli import main as collector
from steelyard_tui.cli import main as screens


def test_each_program_tells_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for program in (agent, collector, screens):
        assert program(["version"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0].startswith(f"steelyard-agent {version('steelyard')} ")
    assert told[1:] == [f"{version('steelyard')}\n"] * 2
