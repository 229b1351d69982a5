"""The training processes of a simulated node, as a reader of /proc would tell them."""

import random

from steelyard_agent.devices.simulator.source import index_of_pid
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks, Scheduler
from steelyard_agent.simulate.plan import JobPlan, NodePlan


class SimulatedTrainers:
    """One process on each device of the node's job."""

    def __init__(self, plan: NodePlan, job: JobPlan | None, *, zero_ms: int, seed: int) -> None:
        """Args: the node, its job, the Unix time at which the simulation's clock begins, the seed of the noise."""
        self._plan = plan
        self._job = job
        self._zero_ms = zero_ms
        self._random = random.Random(f"{seed}/{plan.name}/trainers")

    def read(self, pid: int) -> ProcessFacts | None:
        """The process with a pid of the simulator's."""
        index, job = index_of_pid(pid), self._job
        if job is None or not 0 <= index < self._plan.devices:
            return None
        scheduler: Scheduler = job.scheduler
        return ProcessFacts(
            pid=pid,
            start_ms=self._zero_ms + int(job.workload.from_s * 1000),
            command="python3",
            user=job.user,
            container=f"{hash_of(job.id):012x}" if scheduler == "kubernetes" else "",
            job=JobIdentity(job.id, scheduler, job.name),
            ranks=Ranks(self._plan.first_rank + index, index, self._plan.world_size),
            cpu_share=1.05 + 0.4 * self._random.random(),
            rss_bytes=int((9 + self._random.random()) * (1 << 30)),
            threads=96,
        )

    def end_look(self) -> None:
        """Nothing is remembered."""


def hash_of(text: str) -> int:
    """A number of 48 bits that is the same in every run."""
    return random.Random(text).getrandbits(48)
