"""A source in each of its situations, for the tests that hold for all of them."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.integration.agent.source_cases import CASES, Case, Clock, Rig
from tests.standins.amdgpu_tree import BOARDS, AmdTree
from tests.standins.build import build
from tests.standins.exporter import ExporterServer
from tests.standins.plugin_package import install_example
from tests.standins.scenario import VARIABLE, Scenario

DEVICES = 4


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, tuple[str, ...]], Path]:
    """Compiles each stand-in once."""
    return cache(lambda name, without: build(name, tmp_path_factory.mktemp(name), without=without))


@pytest.fixture(scope="session")
def example_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of docs/sources.md, installed once."""
    return install_example(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 8 H100, recorded by the program."""
    folder = tmp_path_factory.mktemp("recording")
    build("nvml", folder)
    settings = ["sources.cpu=false", "sources.dcmi=false", "sampling.fast_period_ms=200"]
    command = [sys.executable, "-m", "steelyard_agent.cli", "record", str(folder / "recording"), "--seconds", "2"]
    command += [part for setting in settings for part in ("--set", setting)]
    environ = {"LD_LIBRARY_PATH": str(folder), "HOME": str(folder)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "recording"


@pytest.fixture(params=CASES)
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A source and what it stands on."""
    case, clock = CASES[request.param], Clock()
    if case.is_example:
        monkeypatch.syspath_prepend(request.getfixturevalue("example_site"))
    if case.origin == "replayed":
        shutil.copy(request.getfixturevalue("recording"), tmp_path / "recording")
    scenario = _scenario(case, request, monkeypatch)
    tree = AmdTree(tmp_path, BOARDS[case.board], count=DEVICES) if case.board else None
    if tree:
        tree.hold(4711, 0, 1 << 30)
    exporter = ExporterServer() if case.page else None
    if exporter:
        (tmp_path / "exporter").write_text(exporter.url, encoding="ascii")

    def advance(seconds: float) -> None:
        clock.advance(seconds)
        if scenario:
            scenario.set({"clock": clock.now_s})
        if tree:
            tree.tick(clock.now_s)
        if exporter and case.page:
            exporter.page = case.page(clock.now_s)

    advance(0)
    source = case.make(tmp_path, clock)
    yield Rig(source, advance, clock, tmp_path, case.origin, scenario, tree, exporter)
    source.close()
    if exporter:
        exporter.close()


def _scenario(case: Case, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Scenario | None:
    if not case.standin:
        return None
    folder: Path = request.getfixturevalue("tmp_path")
    # A copy, so that each test has a library of its own: one that was loaded before keeps its state.
    shutil.copy(request.getfixturevalue("libraries")(case.standin, case.without), folder)
    monkeypatch.setenv(VARIABLE, str(folder / "scenario"))
    return Scenario(folder / "scenario", devices=DEVICES, **dict(case.scenario))
