"""What an agent costs its node: memory, CPU and wake-ups with 8 devices, and with all there is; beside its peers."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from steelyard_proto.errors import SteelyardError
from steelyard_tui.client import Client, connect
from tests.bench.agents import DEVICES, agent, compile_packages, metrics_present, trainers
from tests.bench.figure import Figure
from tests.bench.machine import cost_of, wait_for
from tests.bench.peers import PEERS, installed, running, scrape
from tests.bench.processes import Collector, collector, program
from tests.bench.watched import Watched
from tests.standins.amdgpu_tree import BOARDS, AmdTree
from tests.standins.build import build
from tests.standins.exporter import ExporterServer, dcgm_page

_WARM_UP_S, _SECONDS, _LOOK_S = 20, 120, 5
_FAST_MS, _SETTLED_TICKS, _MORE_TICKS = 5, 2_000, 20_000
_FAST_LIMIT_S = 600.0
_TEN_HERTZ = ("--set", "sampling.fast_period_ms=100", "--set", "sampling.host_period_ms=100")
# Of each vendor but NVIDIA, in the agent that has all of them.
_OTHERS = 2


@dataclass(frozen=True, slots=True)
class _Node:
    """What the agents of the bench find."""

    folder: Path
    libraries: Mapping[str, Path]
    pids: Sequence[int]


def run(progress: Callable[[str], None]) -> list[Figure]:
    """All agents at once for 2 minutes, then one with fast ticks."""
    compile_packages()
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as name, trainers() as pids:
        folder = Path(name)
        libraries = {vendor: build(vendor, folder / vendor) for vendor in ("nvml", "dcmi")}
        node = _Node(folder, libraries, pids)
        figures = _at_once(node, progress)
        return [*figures, _growth(node, progress)]


def _at_once(node: _Node, progress: Callable[[str], None]) -> list[Figure]:
    peers = installed()
    with ExitStack() as stack:
        plain = stack.enter_context(_collector(node.folder / "plain"))
        tls, access = _tls_collector(node.folder / "tls", stack)
        to_plain, to_tls = ("--collector", plain.address), ("--collector", tls.address, *access)
        nvml = node.libraries["nvml"]

        def start(name: str, library: Path, *flags: str, **more: str) -> Watched:
            started = agent(node.folder, name, library, node.pids, *flags, more=more)
            return Watched(stack.enter_context(started).pid)

        amd = AmdTree(node.folder / "amd", BOARDS["MI300X"], count=_OTHERS)
        exporter = ExporterServer(dcgm_page(1000.0, _OTHERS))
        stack.callback(exporter.close)
        watched = {
            "nvidia": start("nvidia", nvml, *to_plain),
            "tls": start("tls-agent", nvml, *to_tls),
            "ascend": start("ascend", node.libraries["dcmi"], *to_plain),
            "16": start("sixteen", nvml, *to_plain, STEELYARD_STANDIN_GPUS="16"),
            "10_hz": start("ten-hertz", nvml, *to_plain, *_TEN_HERTZ),
            "full": Watched(stack.enter_context(_full_agent(node, amd, exporter, plain)).pid),
        }
        watched |= {name: Watched(stack.enter_context(running(peer, nvml))) for name, peer in peers.items()}
        progress(f"{len(watched)} processes warm up for {_WARM_UP_S} s, then {_SECONDS} s of sampling")
        scrape(_WARM_UP_S, peers)
        started_s = time.monotonic()
        for one in watched.values():
            one.begin()
        for _ in range(_SECONDS // _LOOK_S):
            # The exporter's own looks at its driver are rarer than ours at its page.
            now_s = 1000.0 + time.monotonic() - started_s
            amd.tick(now_s)
            exporter.page = dcgm_page(now_s, _OTHERS)
            scrape(_LOOK_S, peers)
            for one in watched.values():
                one.look()
        seconds = time.monotonic() - started_s
        with connect(plain.address) as client:
            for name in ("nvidia", "full"):
                ticks = _ticks(client, name)
                assert ticks >= _SECONDS, f"{ticks} ticks of {name} reached the store in {seconds:.0f} s"
            vendors = _vendors(client, "full")
    return [*_figures(watched, seconds), *_full_figures(watched["full"], vendors, seconds), _metrics(node.folder)]


def _full_agent(
    node: _Node, amd: AmdTree, exporter: ExporterServer, target: Collector
) -> "AbstractContextManager[subprocess.Popen[bytes]]":
    """An agent with all sources, profiling and the trainers' endpoint."""
    both = ":".join(str(library.parent) for library in node.libraries.values())
    return agent(
        node.folder, "full", node.libraries["nvml"], node.pids, "--collector", target.address,
        "--set", "profiling.enabled=true", "--set", f"profiling.folder={node.folder / 'profiles'}",
        program_of=("full_agent", str(amd.sys), exporter.url),
        more={"LD_LIBRARY_PATH": both, "STEELYARD_STANDIN_NPUS": str(_OTHERS)},
    )  # fmt: skip


def _figures(watched: Mapping[str, Watched], seconds: float) -> list[Figure]:
    ours, tls, ascend = watched["nvidia"], watched["tls"], watched["ascend"]
    absent = [f"{peer.name} is not installed" for peer in PEERS if peer.name not in watched]
    peers = {peer.name: watched[peer.name] for peer in PEERS if peer.name in watched}
    rss = "; ".join([*(f"{name} {peer.rss_mb:.1f}" for name, peer in peers.items()), *absent])
    cpu = "; ".join([*(f"{name} {peer.share(seconds):.4f}" for name, peer in peers.items()), *absent])
    wakeups = "; ".join([*(f"{name} {peer.wakeups(seconds):.0f}" for name, peer in peers.items()), *absent])
    return [
        Figure("rss_mb", ours.rss_mb, "MB", "<= 40", f"the most in {seconds:.0f} s; {rss}"),
        Figure("cpu_share", ours.share(seconds), "of a core", "<= 0.003", f"scraped at 1 Hz: {cpu}"),
        Figure("wakeups_per_s", ours.wakeups(seconds), "1/s", "<= 25", f"scraped at 1 Hz: {wakeups}"),
        *_beside("tls", tls, seconds, "the same with TLS and a token"),
        *_beside("ascend", ascend, seconds, f"{DEVICES} Ascend, power at 10 Hz"),
        *_beside("16", watched["16"], seconds, "16 GPUs"),
        *_beside("10_hz", watched["10_hz"], seconds, f"{DEVICES} GPUs and the host at 10 Hz"),
    ]


def _beside(name: str, one: Watched, seconds: float, how: str) -> list[Figure]:
    """Figures without a limit."""
    return [
        Figure(f"rss_{name}_mb", one.rss_mb, "MB", "", how),
        Figure(f"cpu_share_{name}", one.share(seconds), "of a core"),
        Figure(f"wakeups_{name}_per_s", one.wakeups(seconds), "1/s"),
    ]


def _full_figures(full: Watched, vendors: Mapping[str, int], seconds: float) -> list[Figure]:
    """The agent that has everything; what it really sampled stands beside it."""
    found = ", ".join(f"{count} {vendor}" for vendor, count in sorted(vendors.items()))
    how = f"devices in the store: {found}; with the host, trainers' endpoint and profiling"
    return [
        Figure("full_rss_mb", full.rss_mb, "MB", "<= 48", how),
        Figure("full_cpu_share", full.share(seconds), "of a core", "<= 0.005"),
        Figure("full_wakeups_per_s", full.wakeups(seconds), "1/s", "<= 35"),
    ]


def _metrics(folder: Path) -> Figure:
    """What was measured is no easier than the issue says: metrics that each device really gave at each tick."""
    nvidia, ascend = metrics_present(folder / "nvidia", "nvidia"), metrics_present(folder / "ascend", "huawei")
    more = ", ".join(f"{count} each {period_ms / 1000:g} s" for period_ms, count in sorted(nvidia.items())[1:])
    return Figure("metrics_per_device", nvidia[1000], "", "", f"each second, and {more}; Ascend {ascend[1000]}")


def _growth(node: _Node, progress: Callable[[str], None]) -> Figure:
    """How much larger the agent is after many ticks, at a period that only this bench can set."""
    progress(f"{_SETTLED_TICKS + _MORE_TICKS:,} ticks, one each {_FAST_MS} ms")
    with ExitStack() as stack:
        target = stack.enter_context(_collector(node.folder / "fast"))
        flags = ("--collector", target.address)
        library = node.libraries["nvml"]
        started = agent(node.folder, "fast-agent", library, node.pids, *flags, program_of=("fast_agent", str(_FAST_MS)))
        process = stack.enter_context(started)
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


def _vendors(client: Client, node: str) -> dict[str, int]:
    """Devices of a node that gave samples, by vendor."""
    query = (
        "SELECT vendor, uniqExact(device_id) AS devices FROM steelyard.device_history "
        "WHERE level = 'raw' AND node = {node:String} AND busy IS NOT NULL GROUP BY vendor"
    )
    table = client.sql(query, {"node": node}).table
    return dict(zip(table.column("vendor").to_pylist(), table.column("devices").to_pylist(), strict=True))
