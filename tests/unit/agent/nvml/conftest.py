"""A node with NVIDIA's stand-in library, two GPUs or as many as the module's DEVICES says, and their source."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.devices.nvml.source import NvmlSource
from tests.standins.build import build
from tests.standins.nvml_node import NvmlNode
from tests.standins.scenario import VARIABLE, Scenario


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("nvml", tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def node(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> NvmlNode:
    path = tmp_path / "scenario"
    monkeypatch.setenv(VARIABLE, str(path))
    return NvmlNode(library, Scenario(path, devices=getattr(request.module, "DEVICES", 2)), tmp_path)


@pytest.fixture
def source(node: NvmlNode) -> Iterator[NvmlSource]:
    source = node.source()
    yield source
    source.close()
