"""Wires the agent's parts together and runs them until it is told to stop; the only file that knows all of them."""

import gc
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from steelyard_agent.config import Config
from steelyard_agent.devices.base import Source
from steelyard_agent.devices.moving import MovingSource
from steelyard_agent.directory import Directory, Identity
from steelyard_agent.jobs.allocation import Allocations
from steelyard_agent.jobs.watch import open_allocations, open_reader, open_watch
from steelyard_agent.node import agent_id, read_node
from steelyard_agent.sampling.gather import Gatherer
from steelyard_agent.sampling.guards import guarded, periods_of
from steelyard_agent.sampling.loop import OwnFigures, SamplingLoop
from steelyard_agent.sampling.sampler import Clock, Sampler
from steelyard_agent.self_metrics import Observed
from steelyard_agent.spool.ring import Ring
from steelyard_agent.training.endpoint import Endpoint, listen
from steelyard_agent.training.logs import LogFollower
from steelyard_agent.training.matching import open_matcher
from steelyard_agent.training.watch import Teller, TrainingWatch
from steelyard_agent.version import VERSION
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import ingest_pb2

if TYPE_CHECKING:
    from steelyard_agent.profiling.service import ProfilingService
    from steelyard_agent.sending.channel import Target
    from steelyard_agent.sending.sender import Sender

log = logging.getLogger(__name__)

# Of the two seconds that SIGTERM may take: what the last messages get to reach the collector.
_DRAIN_S: Final = 1.0
_LOOK_S: Final = 0.05


def run_daemon(
    config: Config,
    sources: Sequence[Source],
    pause: Callable[[float], bool],
    *,
    node: ingest_pb2.Node | None = None,
    patience_s: float = 0.0,
) -> int:
    """Samples and sends until `pause` says to stop; what was sampled is in the spool when it returns.

    Args:
        config: the settings.
        sources: what to sample.
        pause: sleeps so many seconds at most; True when it is time to stop.
        node: where the figures are from; None for this machine.
        patience_s: how long to wait at the end for a stream and for the last acknowledgements.

    Returns:
        how many messages wait in the spool.

    Raises:
        SpoolError: the state directory can't be used, or another agent uses it.
        ConfigError: a certificate or key can't be read.
    """
    clock = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, pause)
    agent = _assemble(config, sources, clock, node or read_node(config.node, config.labels, config.origin))
    log.info("agent %s on node %s, spool %s", agent.directory.identity.agent_id, config.node, agent.ring.directory)
    agent.ring.start()
    agent.sender.start()
    if agent.profiling is not None:
        agent.profiling.start(agent.sender.wake)
    if agent.allocations is not None:
        agent.allocations.start()
    if agent.logs is not None:
        agent.logs.start()
    try:
        agent.loop.run()
    finally:
        agent.ring.sync()
        _wait_for_stream(agent.sender, patience_s)
        agent.sender.stop(max(_DRAIN_S, patience_s))
        for guard in agent.guards:
            guard.close()
        if agent.profiling is not None:
            agent.profiling.close()
        if agent.endpoint is not None:
            agent.endpoint.close()
        if agent.logs is not None:
            agent.logs.close()
        if agent.allocations is not None:
            agent.allocations.close()
        waiting = agent.ring.waiting()
        agent.ring.close()
    log.info("stopped; %d messages acknowledged, %d wait in the spool", agent.sender.state.acked, waiting)
    return waiting


def _wait_for_stream(sender: "Sender", patience_s: float) -> None:
    until_s = time.monotonic() + patience_s
    while not sender.state.is_connected and time.monotonic() < until_s:
        time.sleep(_LOOK_S)


@dataclass(frozen=True, slots=True)
class _Agent:
    """The parts, wired."""

    ring: Ring
    directory: Directory
    guards: list[MovingSource]
    sender: "Sender"
    loop: SamplingLoop
    endpoint: Endpoint | None
    logs: LogFollower | None
    allocations: Allocations | None
    profiling: "ProfilingService | None"


def _assemble(config: Config, sources: Sequence[Source], clock: Clock, node: ingest_pb2.Node) -> _Agent:
    ring, directory = open_spool(config, node)
    guards = guarded(sources, config, clock)
    gatherer = Gatherer(directory, catalogue(), ring)
    sampler = Sampler(guards, gatherer, periods_of(config.sampling), clock)
    # Before gRPC, which then takes the memory that a vendor's binding has given back.
    sampler.look()
    # What the command line and the look leave behind lies in cycles: 0.8 MB of the agent's memory.
    gc.collect()
    # Imported here: what only records or simulates doesn't need gRPC's 20 MB.
    from steelyard_agent.sending.light_grpc import import_grpc_lightly

    import_grpc_lightly()
    from steelyard_agent.sending.sender import Sender

    profiling = _open_profiling(config)
    sender = Sender(ring, directory, _target(config), time.time, asked=profiling)

    def observe() -> Observed:
        stats = {guard.name: guard.stats() for guard in guards}
        return Observed(stats, sampler.counts, ring.counts, ring.bytes_on_disk(), sender.state)

    # A recording or a simulation has no processes here that could speak.
    endpoint = listen(config.training_socket) if config.origin == "measured" and config.has_training else None
    logs = LogFollower(open_matcher(config.log_patterns)) if endpoint is not None and config.has_logs else None
    # Both look at the same processes at the same ticks.
    reader = open_reader(config.node)
    watch = None if endpoint is None else TrainingWatch(endpoint, reader, logs)
    allocations = open_allocations(config.node) if config.origin == "measured" and config.has_allocations else None
    loop = SamplingLoop(
        sampler,
        gatherer,
        clock,
        flush_ms=lambda: sender.state.flush_ms or config.sampling.flush_ms,
        on_flush=sender.wake,
        own=OwnFigures(observe, config.sampling.agent_period_ms),
        follower=open_watch(reader, sources, tuple if allocations is None else allocations.newest),
        teller=_with_profiles(watch, profiling),
    )
    gc.collect()
    return _Agent(ring, directory, guards, sender, loop, endpoint, logs, allocations, profiling)


def _open_profiling(config: Config) -> "ProfilingService | None":
    if config.profiling is None or config.origin != "measured":
        return None
    # Imported here: an agent that profiles nothing doesn't pay for it.
    from steelyard_agent.profiling.opening import open_profiling

    return open_profiling(
        config.profiling, config.state_dir, open_reader(config.node), partition=config.labels.get("partition", "")
    )


def _with_profiles(watch: TrainingWatch | None, profiling: "ProfilingService | None") -> Teller | None:
    if profiling is None:
        return watch
    from steelyard_agent.profiling.teller import ProfilingTeller

    return ProfilingTeller(watch, profiling)


def open_spool(config: Config, node: ingest_pb2.Node) -> tuple[Ring, Directory]:
    """The ring of the state directory, and the devices and layouts that its epoch has seen so far.

    Raises:
        SpoolError: the directory can't be used, or another agent uses it.
    """
    directory: Directory | None = None

    def hello() -> ingest_pb2.Hello:
        assert directory is not None
        return directory.hello(ring.epoch, time.time_ns() // 1_000_000)

    ring = Ring(config.state_dir / "spool", config.spool_max_bytes, hello, time.time)
    directory = Directory(Identity(agent_id(config.state_dir), VERSION, node))
    directory.restore(ring.left_hello)
    return ring, directory


def _target(config: Config) -> "Target":
    from steelyard_agent.sending.channel import Target

    access = config.collector
    return Target(
        address=access.address,
        ca_file=access.ca_file,
        cert_file=access.cert_file,
        key_file=access.key_file,
        token=access.token,
        token_file=access.token_file,
    )
