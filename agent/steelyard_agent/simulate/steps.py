"""The steps that a simulated job's processes would tell: in lockstep, as its workload sets the time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.simulator.workload import Workload, steps_done
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.model import DeviceInfo
from steelyard_agent.simulate.plan import JobPlan
from steelyard_proto.v1 import batch_pb2

# Halvings of a second: a step's end to a thousandth of a millisecond.
_HALVINGS: Final = 20


@dataclass(frozen=True, slots=True)
class End:
    """A step's end on the simulation's clock, and whether a checkpoint was written before it."""

    number: int
    at_s: float
    took_s: float
    is_checkpoint: bool


class JobSteps:
    """The steps of one job from one look to the next."""

    def __init__(self, workload: Workload, from_s: float) -> None:
        """Args: the job, and the time from which on its steps are told."""
        self._workload = workload
        self._seen_s = from_s
        self._done = steps_done(workload, from_s)
        # The step that is under way began before anybody looked: its time isn't known.
        self._end_s: float | None = None

    def until(self, at_s: float) -> Iterator[End]:
        """The steps that ended since the last call; the first one only sets the clock."""
        while self._done < steps_done(self._workload, at_s):
            self._done += 1
            end_s = self._find(self._done, self._seen_s, at_s)
            if self._end_s is not None:
                is_first = (self._done - 1) % self._workload.steps_per_checkpoint == 0
                yield End(self._done, end_s, end_s - self._end_s, is_first and self._done > 1)
            self._seen_s = self._end_s = end_s
        self._seen_s = at_s

    def _find(self, number: int, low_s: float, high_s: float) -> float:
        for _ in range(_HALVINGS):
            middle_s = (low_s + high_s) / 2
            if steps_done(self._workload, middle_s) >= number:
                high_s = middle_s
            else:
                low_s = middle_s
        return high_s


def step_rows(
    job: JobPlan,
    ends: Sequence[End],
    processes: Sequence[tuple[DeviceInfo, ProcessFacts]],
    zero_ms: int,
    key_of: Callable[[DeviceInfo], int],
) -> list[batch_pb2.Step]:
    """A row for each step and process; the tokens are the whole job's, so that each of its ranks says them."""
    return [
        batch_pb2.Step(
            ts_ms=zero_ms + int(end.at_s * 1000),
            device=key_of(info),
            devices=1.0,
            pid=who.pid,
            start_ms=who.start_ms,
            begin_ms=who.start_ms,
            job=who.job.id,
            run=who.job.id,
            rank=who.ranks.rank,
            local_rank=who.ranks.local_rank,
            world_size=who.ranks.world_size,
            step=end.number,
            steps=1,
            step_time_s=end.took_s,
            tokens=job.tokens_per_step,
            token_copies=who.ranks.world_size or 1,
            mark="checkpoint" if end.is_checkpoint else "",
            origin="declared",
            tokens_origin="declared",
            total_steps=end.number,
        )
        for end in ends
        for info, who in processes
    ]


def training_rows(
    job: JobPlan,
    processes: Sequence[tuple[DeviceInfo, ProcessFacts]],
    ts_ms: int,
    key_of: Callable[[DeviceInfo], int],
) -> list[batch_pb2.Training]:
    """The facts of each process; a job says its name as its model's."""
    facts = ["declared_tokens_per_step"]
    facts += ["parameters", "matmul_parameters"] if job.parameters else []
    facts += [name for name in ("sequence_length", "layers", "heads", "hidden") if getattr(job, name)]
    origins = dict.fromkeys([*facts, "model", "precision"], "declared")
    return [
        batch_pb2.Training(
            ts_ms=ts_ms,
            device=key_of(info),
            pid=who.pid,
            start_ms=who.start_ms,
            job=who.job.id,
            run=who.job.id,
            rank=who.ranks.rank,
            world_size=who.ranks.world_size,
            model=job.name,
            precision="bfloat16",
            origins=origins,
            declared_tokens_per_step=job.tokens_per_step,
            parameters=job.parameters or None,
            matmul_parameters=job.parameters or None,
            sequence_length=job.sequence_length or None,
            layers=job.layers or None,
            heads=job.heads or None,
            hidden=job.hidden or None,
        )
        for info, who in processes
    ]
