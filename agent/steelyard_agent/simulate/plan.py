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
class NodeSpan:
    """Neighbouring devices of a node, or all of them.

    Attributes:
        first: the index of the first.
        count: how many; None for all from there on.
    """

    node: str
    first: int = 0
    count: int | None = None


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A training job.

    Attributes:
        id: as its scheduler numbers it.
        nodes: the devices that it holds, in the order of the ranks.
        pace: how much faster it is than its workload says; its step_s has it in.
        tokens_per_step: over the whole job; 0 for a job whose processes tell no steps.
        parameters: of its model; 0 where it doesn't say.
        sequence_length: of its batches; 0 where it doesn't say.
        layers: of its model; 0 where it doesn't say, likewise heads and hidden.
        heads: of attention in a layer.
        hidden: size of a token's vector.
        tensor_parallel: ranks of a tensor group, which follow one another; 0 where it doesn't say.
    """

    id: str
    name: str
    nodes: tuple[NodeSpan, ...]
    pace: float = 1.0
    scheduler: Scheduler = "slurm"
    user: str = ""
    workload: Workload = field(default_factory=Workload)
    tokens_per_step: int = 0
    parameters: int = 0
    sequence_length: int = 0
    layers: int = 0
    heads: int = 0
    hidden: int = 0
    tensor_parallel: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """A job's part on one node.

    Attributes:
        job: its id.
        first: the index of its first device on the node.
        count: how many.
        first_rank: of the job's ranks the one on its first device.
        world_size: ranks of the whole job.
    """

    job: str
    first: int
    count: int
    first_rank: int
    world_size: int

    def holds(self, index: int) -> bool:
        """Whether a device of the node is the job's."""
        return self.first <= index < self.first + self.count


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node; its placements stand in the order of its devices, and a device is of one job at most."""

    name: str
    chip: str
    devices: int
    placements: tuple[Placement, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeJob:
    """A job as one node meets it: its workload with what the whole job suffers from."""

    plan: JobPlan
    place: Placement
    workload: Workload


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """All of it, checked: each job's devices exist, and none is of two jobs."""

    nodes: tuple[NodePlan, ...]
    jobs: Mapping[str, JobPlan]

    @property
    def devices(self) -> int:
        """How many there are in all."""
        return sum(node.devices for node in self.nodes)

    def with_faults(self, faults: Mapping[str, Sequence[Fault]]) -> "FleetPlan":
        """The same with more faults, by node."""
        nodes = [replace(node, faults=(*node.faults, *faults.get(node.name, ()))) for node in self.nodes]
        return replace(self, nodes=tuple(nodes))

    def places_of(self, job: str) -> list[tuple[NodePlan, Placement]]:
        """Where a job runs, in the order of the nodes."""
        return [(node, place) for node in self.nodes for place in node.placements if place.job == job]

    def jobs_on(self, node: NodePlan) -> list[NodeJob]:
        """The jobs of a node, in the order of its devices."""
        return [NodeJob(self.jobs[place.job], place, self._workload(place.job)) for place in node.placements]

    def groups(self, node: NodePlan) -> list[SimulatedGroup]:
        """The devices of a node, job by job, and those at rest between them."""
        groups: list[SimulatedGroup] = []
        at = 0
        for job in self.jobs_on(node):
            groups += _at_rest(node, job.place.first - at)
            groups.append(SimulatedGroup(node.chip, job.place.count, job.workload, node.faults))
            at = job.place.first + job.place.count
        return groups + _at_rest(node, node.devices - at)

    def _workload(self, job: str) -> Workload:
        workload = self.jobs[job].workload
        return replace(workload, slowdowns=tuple(_slowdowns(workload, self.places_of(job))))


def place(nodes: Sequence[NodePlan], jobs: Iterable[JobPlan], faults: Mapping[str, Sequence[Fault]]) -> FleetPlan:
    """Puts jobs and faults on nodes; names are taken as they are, see plan_file.py for their check."""
    by_name = {node.name: replace(node, faults=tuple(faults.get(node.name, ()))) for node in nodes}
    known = {job.id: job for job in jobs}
    for job in known.values():
        counts = [by_name[span.node].devices - span.first if span.count is None else span.count for span in job.nodes]
        rank = 0
        for span, count in zip(job.nodes, counts, strict=True):
            node = by_name[span.node]
            placed = (*node.placements, Placement(job.id, span.first, count, rank, sum(counts)))
            by_name[span.node] = replace(node, placements=tuple(sorted(placed, key=lambda part: part.first)))
            rank += count
    return FleetPlan(tuple(by_name.values()), known)


def uniform_fleet(count: int, devices: int, chip: str) -> FleetPlan:
    """Nodes that are all alike, every eight of them in a job of their own; for load."""
    nodes = [NodePlan(f"{chip.lower()}-{number:05d}", chip, devices) for number in range(1, count + 1)]
    jobs = [
        JobPlan(
            id=f"load-{first // 8 + 1}",
            name="load",
            nodes=tuple(NodeSpan(node.name) for node in nodes[first : first + 8]),
            workload=Workload(step_s=0.5 + (first // 8 * 7 % 40) / 2),
        )
        for first in range(0, count, 8)
    ]
    return place(nodes, jobs, {})


def _at_rest(node: NodePlan, count: int) -> list[SimulatedGroup]:
    return [SimulatedGroup(node.chip, count, None, node.faults)] if count else []


def _slowdowns(workload: Workload, places: Iterable[tuple[NodePlan, Placement]]) -> Iterable[Slowdown]:
    """A synchronous job is as slow as its slowest rank, at each time."""
    faults = [
        fault for node, part in places for fault in node.faults if fault.device is None or part.holds(fault.device)
    ]
    bounds = sorted({bound for fault in faults for bound in (fault.from_s, fault.to_s)})
    for from_s, to_s in pairwise(bounds):
        kinds: set[FaultKind] = {fault.kind for fault in faults if fault.from_s <= from_s < fault.to_s}
        factor = max((slowdown_factor(workload.compute_share, {kind}) for kind in kinds), default=1.0)
        if factor > 1:
            yield Slowdown(from_s, to_s, factor)
