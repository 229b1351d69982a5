"""What `make bench` runs can be loaded: no test runs a bench, so that one could rot unseen."""

import importlib
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES

FILES = {path.stem.removeprefix("bench_") for path in (Path(__file__).parents[1] / "bench").glob("bench_*.py")}


def test_every_bench_is_listed() -> None:
    assert set(BENCHES) == FILES


@pytest.mark.parametrize("name", sorted(BENCHES))
def test_a_bench_can_be_loaded(name: str) -> None:
    assert callable(importlib.import_module(f"tests.bench.bench_{name}").run)
