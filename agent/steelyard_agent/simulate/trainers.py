"""The training processes of a simulated node, as a reader of /proc would tell them."""

import random
from collections.abc import Sequence

from steelyard_agent.devices.simulator.source import index_of_pid
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.simulate.plan import NodeJob


class SimulatedTrainers:
    """One process on each device of the node's jobs."""

    def __init__(self, node: str, jobs: Sequence[NodeJob], *, zero_ms: int, seed: int) -> None:
        """Args: the node's name, its jobs, the Unix time of the simulation's zero, the seed of the noise."""
        self._jobs = jobs
        self._zero_ms = zero_ms
        self._random = random.Random(f"{seed}/{node}/trainers")

    def read(self, pid: int) -> ProcessFacts | None:
        """The process with a pid of the simulator's."""
        index = index_of_pid(pid)
        job = next((job for job in self._jobs if job.place.holds(index)), None)
        if job is None:
            return None
        plan, place = job.plan, job.place
        local = index - place.first
        return ProcessFacts(
            pid=pid,
            start_ms=self._zero_ms + int(plan.workload.from_s * 1000),
            command="python3",
            user=plan.user,
            container=f"{hash_of(plan.id):012x}" if plan.scheduler == "kubernetes" else "",
            job=JobIdentity(plan.id, plan.scheduler, plan.name),
            ranks=Ranks(place.first_rank + local, local, place.world_size),
            cpu_share=1.05 + 0.4 * self._random.random(),
            rss_bytes=int((9 + self._random.random()) * (1 << 30)),
            threads=96,
        )

    def end_look(self) -> None:
        """Nothing is remembered."""


def hash_of(text: str) -> int:
    """A number of 48 bits that is the same in every run."""
    return random.Random(text).getrandbits(48)
