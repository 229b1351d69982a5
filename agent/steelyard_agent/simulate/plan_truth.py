"""What is true of a simulated fleet beside its messages: its faults, how fast its chips are, what its jobs did.

Steps are those that a job tells, checkpoints apart. Pairs of chips are compared by workload (what a job says that it
trains) as their jobs would go without faults and without the small differences between them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from steelyard_agent.devices.simulator.device import slowdown_factor
from steelyard_agent.devices.simulator.source import uid_of
from steelyard_agent.simulate.plan import FleetPlan, JobPlan
from steelyard_agent.simulate.steps import End


@dataclass(slots=True)
class Counted:
    """Steps of a job, those that a checkpoint came before apart."""

    steps: int = 0
    productive_s: float = 0.0
    checkpoint_steps: int = 0
    checkpoint_s: float = 0.0

    def add(self, ends: Iterable[End]) -> None:
        """Counts steps."""
        for end in ends:
            if end.is_checkpoint:
                self.checkpoint_steps += end.steps
                self.checkpoint_s += end.steps * end.took_s
            else:
                self.steps += end.steps
                self.productive_s += end.steps * end.took_s


def fault_lines(plan: FleetPlan, zero_ms: int) -> Iterator[dict[str, Any]]:
    """A line for each fault: when it is, whom it concerns, and how much longer the steps of its job take."""
    for node in plan.nodes:
        for fault in node.faults:
            of = [place.job for place in node.placements if fault.device is None or place.holds(fault.device)]
            yield {
                "fault": fault.kind,
                "node": node.name,
                "devices": [uid_of(node.name, index) for index in range(node.devices) if fault.concerns(index)],
                "from_ms": zero_ms + int(fault.from_s * 1000),
                "to_ms": zero_ms + int(fault.to_s * 1000) if math.isfinite(fault.to_s) else None,
                "code": fault.code or None,
                "step_factors": {
                    job: slowdown_factor(plan.jobs[job].workload.compute_share, {fault.kind}) for job in of
                },
            }


def share_lines(plan: FleetPlan) -> Iterator[dict[str, Any]]:
    """A line for each workload and pair of chips that run it, and for each pair over all that both run (null)."""
    rates = _rates(plan)
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for workload, of_chip in rates.items():
        for chip, reference in permutations(sorted(of_chip), 2):
            share = of_chip[chip] / of_chip[reference]
            shares[chip, reference].append(share)
            yield _share(workload, chip, reference, share)
    for (chip, reference), found in sorted(shares.items()):
        yield _share(None, chip, reference, _mean(found))


def job_lines(plan: FleetPlan, counts: Mapping[str, Counted]) -> Iterator[dict[str, Any]]:
    """A line for each job; steps, tokens and seconds are null where it tells none."""
    for job in plan.jobs.values():
        places = plan.places_of(job.id)
        counted = counts.get(job.id)
        devices = [uid_of(node.name, place.first + index) for node, place in places for index in range(place.count)]
        yield {
            "job": job.id,
            "workload": job.name,
            "chips": sorted({node.chip for node, _ in places}),
            "devices": devices,
            "steps": counted and counted.steps,
            "tokens": counted and counted.steps * job.tokens_per_step,
            "productive_s": counted and counted.productive_s,
            "checkpoint_steps": counted and counted.checkpoint_steps,
            "checkpoint_s": counted and counted.checkpoint_s,
            "tokens_per_s_device": counted
            and counted.productive_s
            and counted.steps * job.tokens_per_step / counted.productive_s / len(devices),
        }


def _share(workload: str | None, chip: str, reference: str, share: float) -> dict[str, Any]:
    return {"share": share, "workload": workload, "chip": chip, "reference": reference}


def _rates(plan: FleetPlan) -> dict[str, dict[str, float]]:
    """Tokens per second of a device, by workload and chip; jobs on several chips say nothing of one."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for job in plan.jobs.values():
        chips = {node.chip for node, _ in plan.places_of(job.id)}
        if job.tokens_per_step and len(chips) == 1:
            found[job.name][chips.pop()].append(_rate(plan, job))
    return {workload: {chip: _mean(rates) for chip, rates in of.items()} for workload, of in found.items()}


def _rate(plan: FleetPlan, job: JobPlan) -> float:
    devices = sum(place.count for _, place in plan.places_of(job.id))
    return job.tokens_per_step / job.workload.step_s / job.pace / devices


def _mean(values: list[float]) -> float:
    """Of ratios: the geometric one."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))
