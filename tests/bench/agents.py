"""Real agents over the vendors' stand-in libraries: found by the loader, everything compiled, as on a node."""

import compileall
import importlib.util
import os
import signal
import subprocess
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from steelyard_agent.sampling.batch import INT64_MIN
from steelyard_agent.spool.record import Frame, read_frames
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.bench.processes import program
from tests.standins.scenario import VARIABLE

DEVICES = 8
_PACKAGES = ("steelyard_agent", "steelyard_proto", "grpc", "google.protobuf", "psutil", "pynvml")
_LOAD = Path(__file__).parent / "load"
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
    folder: Path,
    name: str,
    library: Path,
    pids: Sequence[int],
    *flags: str,
    program_of: Sequence[str] = (),
    scenario: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """`steelyard-agent daemon` with its log, spool and socket under `folder`, asked to stop at the end.

    Args:
        name: of its files and of its node.
        library: the stand-in; its folder becomes the loader's path.
        pids: who holds the devices, one each.
        flags: of the daemon.
        program_of: a script of tests/bench/load and its arguments, in place of the program itself.
        scenario: of the stand-in; None for its defaults.
        more: of the environment.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    environ |= {
        "LD_LIBRARY_PATH": str(library.parent),
        "STEELYARD_STANDIN_PIDS": " ".join(map(str, pids)),
        "STEELYARD_SOCKET": str(folder / f"{name}.sock"),
        "XDG_CONFIG_HOME": str(folder),
    }
    if scenario is not None:
        environ[VARIABLE] = str(scenario)
    environ |= more or {}
    arguments = ["daemon", "--node", name, "--state-dir", str(folder / name), *flags]
    command = [program("steelyard-agent")]
    if program_of:
        # Not as a module: what finds it would be 0.9 MB of the agent's memory.
        script, *first = program_of
        command = [sys.executable, "-P", str(_LOAD / f"{script}.py"), *first]
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


def metrics_present(state_dir: Path, vendor: str) -> dict[int, int]:
    """By period in ms, the metrics that a vendor's devices give in most of the ticks in the agent's spool."""
    vendors: dict[int, str] = {}
    layouts: dict[int, batch_pb2.Layout] = {}
    cells: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for message in _spooled(state_dir / "spool"):
        for news in (message.hello, message.describe):
            vendors.update((device.key, device.vendor) for device in news.devices)
            layouts.update((layout.id, layout) for layout in news.layouts)
        layout = layouts.get(message.batch.layout)
        if layout is not None and {vendors[key] for key in layout.devices} == {vendor}:
            for metric, present in _presence(layout, message.batch):
                cells[layout.period_ms, metric] += present
    found: dict[int, int] = defaultdict(int)
    for (period_ms, _metric), present in cells.items():
        found[period_ms] += sum(present) > len(present) / 2
    return dict(found)


def _spooled(folder: Path) -> Iterator[ingest_pb2.AgentMessage]:
    for path in sorted(folder.glob("segment-*.spool")):
        with path.open("rb") as file:
            for item in read_frames(file):
                if isinstance(item, Frame):
                    yield ingest_pb2.AgentMessage.FromString(item.payload)


def _presence(layout: batch_pb2.Layout, batch: batch_pb2.Batch) -> Iterator[tuple[int, list[bool]]]:
    """Per metric, whether each device had it at each tick."""
    width = len(layout.devices) * len(batch.ts_ms) // 8
    gauges, counters = array("f", batch.gauges), array("q", batch.counters)
    for place, metric in enumerate(layout.gauges):
        yield metric, [value == value for value in gauges[place * width : (place + 1) * width]]
    for place, metric in enumerate(layout.counters):
        yield metric, [value != INT64_MIN for value in counters[place * width : (place + 1) * width]]
