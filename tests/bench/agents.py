"""Real agents over the vendors' stand-in libraries: found by the loader, everything compiled, as on a node."""

import compileall
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.processes import program

DEVICES = 8
_PACKAGES = ("steelyard_agent", "steelyard_proto", "grpc", "google.protobuf", "psutil", "pynvml")
_STOP_S = 15.0


def compile_packages() -> None:
    """Compiles all that an agent imports, as an installation does: without it each start costs 7 MB more."""
    for name in _PACKAGES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise RuntimeError(f"{name} is not installed; run `make install`")
        path = Path(found.origin)
        if path.name == "__init__.py":
            compileall.compile_dir(path.parent, quiet=2)
        else:
            compileall.compile_file(path, quiet=2)


@contextmanager
def trainers() -> Iterator[list[int]]:
    """Processes that hold the devices, with torchrun's environment; gives their pids."""
    with ExitStack() as stack:
        pids: list[int] = []
        for rank in range(DEVICES):
            told = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(DEVICES)}
            told |= {"TORCHELASTIC_RUN_ID": "bench", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
            process = subprocess.Popen(["sleep", "3600"], env={**os.environ, **told})
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield pids


@contextmanager
def agent(
    folder: Path, name: str, library: Path, pids: Sequence[int], *flags: str, with_period_ms: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """`steelyard-agent daemon` with its log, spool and socket under `folder`, asked to stop at the end.

    Args:
        name: of its files and of its node.
        library: the stand-in; its folder becomes the loader's path.
        pids: who holds the devices, one each.
        flags: of the daemon.
        with_period_ms: tick so often, below what the settings allow: see tests/bench/load/fast_agent.py.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    environ |= {
        "LD_LIBRARY_PATH": str(library.parent),
        "STEELYARD_STANDIN_PIDS": " ".join(map(str, pids)),
        "STEELYARD_SOCKET": str(folder / f"{name}.sock"),
        "XDG_CONFIG_HOME": str(folder),
    }
    arguments = ["daemon", "--node", name, "--state-dir", str(folder / name), *flags]
    command = [program("steelyard-agent")]
    if with_period_ms:
        command = [sys.executable, "-m", "tests.bench.load.fast_agent", str(with_period_ms)]
    log = folder / f"{name}.log"
    with log.open("wb") as out, subprocess.Popen([*command, *arguments], env=environ, stderr=out) as process:
        try:
            yield process
            if process.poll() is not None:
                raise RuntimeError(f"agent {name} ended:\n{log.read_text(errors='replace')[-2000:]}")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
