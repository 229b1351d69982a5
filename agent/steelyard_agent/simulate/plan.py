"""What a simulated fleet consists of: nodes, the jobs on them, their faults."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from steelyard_agent.devices.simulator.device import slowdown_factor
from steelyard_agent.devices.simulator.faults import Fault, FaultKind
from steelyard_agent.devices.simulator.source import SimulatedGroup
from steelyard_agent.devices.simulator.workload import Slowdown, Workload
from steelyard_agent.jobs.identity import Scheduler


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A training job over whole nodes.

    Attributes:
        id: as its scheduler numbers it.
        nodes: names, in the order of the ranks.
        tokens_per_step: over the whole job; 0 for a job whose processes tell no steps.
        parameters: of its model; 0 where it doesn't say.
        sequence_length: of its batches; 0 where it doesn't say.
        layers: of its model; 0 where it doesn't say, likewise heads and hidden.
        heads: of attention in a layer.
        hidden: size of a token's vector.
    """

    id: str
    name: str
    nodes: tuple[str, ...]
    scheduler: Scheduler = "slurm"
    user: str = ""
    workload: Workload = field(default_factory=Workload)
    tokens_per_step: int = 0
    parameters: int = 0
    sequence_length: int = 0
    layers: int = 0
    heads: int = 0
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node.

    Attributes:
        job: the id of the job on it; empty for none.
        first_rank: of the job's ranks the one on its first device.
        world_size: ranks of the job.
    """

    name: str
    chip: str
    devices: int
    job: str = ""
    first_rank: int = 0
    world_size: int = 0
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """All of it, checked: each job's nodes exist, and no node has two jobs."""

    nodes: tuple[NodePlan, ...]
    jobs: Mapping[str, JobPlan]

    @property
    def devices(self) -> int:
        """How many there are in all."""
        return sum(node.devices for node in self.nodes)

    def group(self, node: NodePlan) -> SimulatedGroup:
        """The devices of a node, with what its whole job suffers from."""
        job = self.jobs.get(node.job)
        workload = None
        if job is not None:
            members = [other for other in self.nodes if other.job == job.id]
            workload = replace(job.workload, slowdowns=tuple(_slowdowns(job.workload, members)))
        return SimulatedGroup(node.chip, node.devices, workload, node.faults)


def place(nodes: Sequence[NodePlan], jobs: Iterable[JobPlan], faults: Mapping[str, Sequence[Fault]]) -> FleetPlan:
    """Puts jobs and faults on nodes; names are taken as they are, see plan_file.py for their check."""
    by_name = {node.name: replace(node, faults=tuple(faults.get(node.name, ()))) for node in nodes}
    known = {job.id: job for job in jobs}
    for job in known.values():
        world_size = sum(by_name[name].devices for name in job.nodes)
        rank = 0
        for name in job.nodes:
            by_name[name] = replace(by_name[name], job=job.id, first_rank=rank, world_size=world_size)
            rank += by_name[name].devices
    return FleetPlan(tuple(by_name.values()), known)


def uniform_fleet(count: int, devices: int, chip: str) -> FleetPlan:
    """Nodes that are all alike, every eight of them in a job of their own; for load."""
    nodes = [NodePlan(f"{chip.lower()}-{number:05d}", chip, devices) for number in range(1, count + 1)]
    jobs = [
        JobPlan(
            id=f"load-{first // 8 + 1}",
            name="load",
            nodes=tuple(node.name for node in nodes[first : first + 8]),
            workload=Workload(step_s=0.5 + (first // 8 * 7 % 40) / 2),
        )
        for first in range(0, count, 8)
    ]
    return place(nodes, jobs, {})


def _slowdowns(workload: Workload, members: Sequence[NodePlan]) -> Iterable[Slowdown]:
    """A synchronous job is as slow as its slowest rank, at each time."""
    faults = [fault for node in members for fault in node.faults]
    bounds = sorted({bound for fault in faults for bound in (fault.from_s, fault.to_s)})
    for from_s, to_s in pairwise(bounds):
        kinds: set[FaultKind] = {fault.kind for fault in faults if fault.from_s <= from_s < fault.to_s}
        factor = max((slowdown_factor(workload.compute_share, {kind}) for kind in kinds), default=1.0)
        if factor > 1:
            yield Slowdown(from_s, to_s, factor)
