"""The Query stand-in as a process of its own, as a collector is."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def query_process(*arguments: str) -> Iterator[str]:
    """A running stand-in; gives its address."""
    command = [sys.executable, "-m", "tests.standins.query_server", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
