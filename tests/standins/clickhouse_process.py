"""The ClickHouse stand-in as a process of its own, as a server is."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PASSWORD = "only for tests"


@dataclass(frozen=True)
class ServerProcess:
    """A running stand-in."""

    folder: Path
    port: int
    process: "subprocess.Popen[str]"

    @property
    def dsn(self) -> str:
        return f"clickhouse://steelyard:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/"

    def tell(self, what: str, text: str) -> None:
        """From now on it refuses inserts, or cuts them off; see the stand-in."""
        (self.folder / what).write_text(text)

    def inserts(self, table: str) -> int:
        """Blocks that were taken for this table; the stand-in writes one byte for each."""
        path = self.folder / "taken" / table
        return path.stat().st_size if path.exists() else 0

    def untell(self, what: str) -> None:
        (self.folder / what).unlink()


@contextmanager
def clickhouse_process(folder: Path, version: str = "") -> Iterator[ServerProcess]:
    """A running stand-in over an engine of its own in this folder."""
    command = [sys.executable, "-m", "tests.standins.clickhouse_server", str(folder), "--password", PASSWORD]
    command += ["--version", version] if version else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield ServerProcess(folder, int(process.stdout.readline()), process)
        finally:
            process.kill()
