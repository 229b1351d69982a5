"""What holds for every file: its size, what it may import and what it may say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "collector", "proto", "tui")
SOURCES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "_pb2" not in path.name and "__pycache__" not in path.parts
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_why_it_exists_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module begins with its one reason to exist"
    assert len(text.splitlines()) <= 440
    assert path.stem not in {"utils", "helpers", "common", "misc", "manager", "base_utils"}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("steelyard_agent.cli", {"numpy", "pyarrow", "textual", "chdb", "clickhouse_connect", "grpc", "pynvml"}),
        ("steelyard_tui.cli", {"textual", "chdb", "clickhouse_connect", "pyarrow"}),
        ("steelyard_collector.cli", {"textual", "chdb", "cryptography"}),
    ],
)
def test_help_does_not_pay_for_what_it_does_not_use(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not unwanted & {name.partition(".")[0] for name in loaded}
