"""What an agent costs its node: memory, CPU and wake-ups with 8 devices, beside TLS, Ascend and a peer."""

import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from steelyard_proto.errors import SteelyardError
from steelyard_tui.client import Client, connect
from tests.bench.agents import DEVICES, agent, compile_packages, metrics_present, trainers
from tests.bench.figure import Figure
from tests.bench.machine import Cost, cost_of, wait_for
from tests.bench.processes import Collector, collector, program
from tests.standins.build import build

_WARM_UP_S, _SECONDS = 20, 120
_FAST_MS, _SETTLED_TICKS, _MORE_TICKS = 5, 2_000, 20_000
_FAST_LIMIT_S = 600.0
# Its own port, so that a node-exporter of this machine isn't taken for ours.
_PEER, _PEER_PORT = "prometheus-node-exporter", 39_100


@dataclass(slots=True)
class _Watched:
    """A process over the measured time."""

    pid: int
    first: Cost = field(init=False)
    last: Cost = field(init=False)
    rss_mb: float = 0.0

    def begin(self) -> None:
        self.first = cost_of(self.pid)

    def look(self) -> None:
        self.last = cost_of(self.pid)
        self.rss_mb = max(self.rss_mb, self.last.rss_mb)

    def share(self, seconds: float) -> float:
        return (self.last.cpu_s - self.first.cpu_s) / seconds

    def wakeups(self, seconds: float) -> float:
        return (self.last.wakeups - self.first.wakeups) / seconds


def run(progress: Callable[[str], None]) -> list[Figure]:
    """All agents at once at 1 Hz for 2 minutes, then one with fast ticks."""
    compile_packages()
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as name:
        folder = Path(name)
        libraries = {vendor: build(vendor, folder / vendor) for vendor in ("nvml", "dcmi")}
        with trainers() as pids:
            figures = _at_one_hertz(folder, libraries, pids, progress)
            return [*figures, _growth(folder, libraries["nvml"], pids, progress)]


def _at_one_hertz(
    folder: Path, libraries: dict[str, Path], pids: list[int], progress: Callable[[str], None]
) -> list[Figure]:
    with ExitStack() as stack:
        plain = stack.enter_context(_collector(folder / "plain"))
        tls, access = _tls_collector(folder / "tls", stack)
        to_plain, to_tls = ("--collector", plain.address), ("--collector", tls.address, *access)
        nvml, dcmi = libraries["nvml"], libraries["dcmi"]
        watched = {
            "nvidia": _Watched(stack.enter_context(agent(folder, "nvidia", nvml, pids, *to_plain)).pid),
            "tls": _Watched(stack.enter_context(agent(folder, "tls-agent", nvml, pids, *to_tls)).pid),
            "ascend": _Watched(stack.enter_context(agent(folder, "ascend", dcmi, pids, *to_plain)).pid),
        }
        if shutil.which(_PEER):
            watched["peer"] = _Watched(stack.enter_context(_peer()))
        progress(f"{len(watched)} processes warm up for {_WARM_UP_S} s, then {_SECONDS} s at 1 Hz")
        _scrape(_WARM_UP_S, "peer" in watched)
        started_s = time.monotonic()
        for one in watched.values():
            one.begin()
        for _ in range(_SECONDS // 5):
            _scrape(5, "peer" in watched)
            for one in watched.values():
                one.look()
        seconds = time.monotonic() - started_s
        with connect(plain.address) as client:
            ticks = _ticks(client, "nvidia")
    assert ticks >= _SECONDS, f"{ticks} ticks reached the store in {seconds:.0f} s"
    return [*_figures(watched, seconds), _metrics(folder)]


def _figures(watched: dict[str, _Watched], seconds: float) -> list[Figure]:
    ours, tls, ascend, peer = watched["nvidia"], watched["tls"], watched["ascend"], watched.get("peer")
    beside: dict[str, str] = dict.fromkeys(("rss", "cpu", "wakeups"), f"{_PEER} is not installed")
    if peer is not None:
        beside["rss"] = f"{_PEER} {peer.rss_mb:.1f}"
        beside["cpu"] = f"{_PEER}, scraped at 1 Hz: {peer.share(seconds):.4f}"
        beside["wakeups"] = f"{_PEER}, scraped at 1 Hz: {peer.wakeups(seconds):.0f}"
    return [
        Figure("rss_mb", ours.rss_mb, "MB", "<= 40", f"the most in {seconds:.0f} s; {beside['rss']}"),
        Figure("cpu_share", ours.share(seconds), "of a core", "<= 0.003", beside["cpu"]),
        Figure("wakeups_per_s", ours.wakeups(seconds), "1/s", "<= 25", beside["wakeups"]),
        Figure("rss_tls_mb", tls.rss_mb, "MB", "", "the same with TLS and a token"),
        Figure("cpu_share_tls", tls.share(seconds), "of a core"),
        Figure("wakeups_tls_per_s", tls.wakeups(seconds), "1/s"),
        Figure("wakeups_ascend_per_s", ascend.wakeups(seconds), "1/s", "", f"{DEVICES} Ascend, power at 10 Hz"),
        Figure("cpu_share_ascend", ascend.share(seconds), "of a core"),
        Figure("rss_ascend_mb", ascend.rss_mb, "MB"),
    ]


def _metrics(folder: Path) -> Figure:
    """What was measured is no easier than the issue says: metrics that each device really gave at each tick."""
    nvidia, ascend = metrics_present(folder / "nvidia", "nvidia"), metrics_present(folder / "ascend", "huawei")
    more = ", ".join(f"{count} each {period_ms / 1000:g} s" for period_ms, count in sorted(nvidia.items())[1:])
    return Figure("metrics_per_device", nvidia[1000], "", "", f"each second, and {more}; Ascend {ascend[1000]}")


def _growth(folder: Path, library: Path, pids: list[int], progress: Callable[[str], None]) -> Figure:
    """How much larger the agent is after many ticks, at a period that only this bench can set."""
    progress(f"{_SETTLED_TICKS + _MORE_TICKS:,} ticks, one each {_FAST_MS} ms")
    with ExitStack() as stack:
        target = stack.enter_context(_collector(folder / "fast"))
        flags = ("--collector", target.address)
        process = stack.enter_context(agent(folder, "fast-agent", library, pids, *flags, with_period_ms=_FAST_MS))
        client = stack.enter_context(connect(target.address))
        wait_for(lambda: _ticks(client, "fast-agent") >= _SETTLED_TICKS, "the first ticks", _FAST_LIMIT_S, every_s=0.5)
        settled_ticks, before = _ticks(client, "fast-agent"), cost_of(process.pid).rss_mb
        enough = settled_ticks + _MORE_TICKS
        wait_for(lambda: _ticks(client, "fast-agent") >= enough, "the ticks", _FAST_LIMIT_S, every_s=0.5)
        after = cost_of(process.pid).rss_mb
    how = (
        f"{before:.1f} MB after {settled_ticks:,} stored ticks, {after:.1f} after {_MORE_TICKS:,} more: devices each "
        f"{_FAST_MS} ms, the host and all else as shipped, the same daemon"
    )
    return Figure("growth_mb", after - before, "MB", "<= 1", how)


def _collector(folder: Path, *flags: str) -> AbstractContextManager[Collector]:
    folder.mkdir(exist_ok=True)
    return collector(folder, *flags)


def _tls_collector(folder: Path, stack: ExitStack) -> tuple[Collector, tuple[str, ...]]:
    """A collector with a certificate and tokens of `init`, and the flags of an agent that may write to it."""
    command = [program("steelyard-collector"), "init", str(folder), "--host", "127.0.0.1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running = stack.enter_context(_collector(folder, "--config", str(folder / "collector.toml")))
    return running, ("--ca-file", str(folder / "ca.pem"), "--token-file", str(folder / "agent.token"))


def _ticks(client: Client, node: str) -> int:
    """Fast ticks of a node that are in the store."""
    query = (
        "SELECT uniqExact(ts) AS ticks FROM steelyard.device_history "
        "WHERE level = 'raw' AND node = {node:String} AND vendor != 'cpu' AND busy IS NOT NULL"
    )
    with suppress(SteelyardError):
        return int(client.sql(query, {"node": node}).table.column("ticks")[0].as_py())
    return 0


@contextmanager
def _peer() -> Iterator[int]:
    with subprocess.Popen([_PEER, f"--web.listen-address=127.0.0.1:{_PEER_PORT}"], stderr=subprocess.DEVNULL) as peer:
        try:
            yield peer.pid
        finally:
            peer.terminate()


def _scrape(seconds: int, has_peer: bool) -> None:
    """Lets time pass, and asks the peer once a second as Prometheus would."""
    for _ in range(seconds):
        started_s = time.monotonic()
        if has_peer:
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{_PEER_PORT}/metrics", timeout=1) as reply,
            ):
                reply.read()
        time.sleep(max(0.0, started_s + 1.0 - time.monotonic()))
