"""Runs a simulated fleet: ticks every node once a second, flushes each in its own turn, stops with everything sent."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.simulator.source import SimulatorSource
from steelyard_agent.sampling.sampler import Clock
from steelyard_agent.sampling.schedule import Schedule, TickCounts
from steelyard_agent.simulate.node import FAST_MS, SLOW_MS, SimulatedNode, Surroundings
from steelyard_agent.simulate.past import Past, live_through
from steelyard_agent.simulate.plan import FleetPlan
from steelyard_proto.errors import ConfigError

log = logging.getLogger(__name__)

# Each node has a thread and a stream; more of them belong into several processes.
MOST_NODES: Final = 500
_OWN_TICKS: Final = 10
# Until the collector has said what it wants.
_FLUSH_MS: Final = 5000
_SLOW_TICKS: Final = SLOW_MS // FAST_MS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        welcomed: nodes that a collector has welcomed.
        spooled: messages.
        acknowledged: of them.
        last_error: why a stream ended last; empty where none did.
    """

    nodes: int
    devices: int
    ticks: int
    late_ticks: int
    welcomed: int
    spooled: int
    acknowledged: int
    last_error: str


def open_fleet(plan: FleetPlan, around: Surroundings, clock: Clock, history_s: float = 0.0) -> list[SimulatedNode]:
    """Makes the nodes; nothing is sent yet.

    Args:
        plan: the fleet.
        around: what all nodes share.
        clock: time; that of a `Past` where there is a history.
        history_s: seconds from now to the zero of the simulation's clock.

    Raises:
        ConfigError: there are too many for one process.
        SpoolError: the state directory can't be used.
    """
    if len(plan.nodes) > MOST_NODES:
        raise ConfigError(
            f"{len(plan.nodes)} nodes are too many for one process; start several with {MOST_NODES} at most, "
            "each with a --prefix of its own"
        )
    zero_s, zero_ms = clock.monotonic() + history_s, int(around.now_s() * 1000)
    if around.truth is not None:
        around.truth.begin(zero_ms)
    nodes = []
    for node in plan.nodes:
        source = SimulatorSource(
            plan.groups(node), node=node.name, seed=around.seed, clock=clock.monotonic, zero_s=zero_s
        )
        nodes.append(SimulatedNode(node, plan.jobs_on(node), source, around, zero_ms))
    return nodes


def run_fleet(
    nodes: Sequence[SimulatedNode],
    clock: Clock,
    *,
    seconds: float,
    flush_ms: int | None,
    drain_s: float,
    past: Past | None = None,
) -> Outcome:
    """Runs until the time is over or the clock's pause says to stop.

    Args:
        nodes: from `open_fleet`.
        clock: time.
        seconds: how long, the past left out; infinite for until stopped.
        flush_ms: how long a node gathers; None for as long as the collector wants.
        drain_s: how long the end waits for acknowledgements.
        past: what is made and sent first; `clock` is its clock.
    """
    for node in nodes:
        node.start()
    if past is not None:
        live_through(nodes, past)
    counts = TickCounts()
    start_s = clock.monotonic()
    schedule = Schedule(FAST_MS / 1000, start_s, counts)
    number = 0
    while not clock.pause(max(0.0, schedule.due_s - clock.monotonic())):
        now_s = clock.monotonic()
        if now_s - start_s >= seconds:
            break
        if schedule.take(now_s):
            _tick(nodes, number, clock.wall_ms(), flush_ms)
            number += 1
    _end(nodes, drain_s)
    states = [node.sender.state for node in nodes]
    return Outcome(
        nodes=len(nodes),
        devices=sum(node.plan.devices for node in nodes),
        ticks=number,
        late_ticks=counts.late,
        welcomed=sum(state.welcomes > 0 for state in states),
        spooled=sum(node.ring.counts.spooled for node in nodes),
        acknowledged=sum(state.acked for state in states),
        last_error=next((state.last_error for state in states if state.last_error), ""),
    )


def _tick(nodes: Sequence[SimulatedNode], number: int, ts_ms: int, flush_ms: int | None) -> None:
    for place, node in enumerate(nodes):
        node.tick(
            ts_ms, is_slow=number % _SLOW_TICKS == 0, is_own=number == 0 or number % _OWN_TICKS == place % _OWN_TICKS
        )
        every = max(1, (flush_ms or node.sender.state.flush_ms or _FLUSH_MS) // FAST_MS)
        # Not all in the same second: a fleet's agents weren't started together.
        if number % every == place % every:
            node.flush()


def _end(nodes: Sequence[SimulatedNode], drain_s: float) -> None:
    for node in nodes:
        node.gatherer.flush()
        node.sender.state.is_draining = True
        node.sender.wake()
    until_s = time.monotonic() + drain_s
    for node in nodes:
        node.stop(max(0.5, until_s - time.monotonic()))
        if node.unacknowledged:
            log.warning("%s: %d messages wait in its spool", node.plan.name, node.unacknowledged)
