"""The steps that a simulated job's processes would tell: in lockstep, as its workload sets the time."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from steelyard_agent.devices.simulator.workload import Workload, step_end_s, steps_done
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.model import DeviceInfo
from steelyard_agent.simulate.plan import JobPlan
from steelyard_proto.v1 import batch_pb2

# Roughly the data's part of the law that Hoffmann et al. fitted (2022).
_LEAST_LOSS: Final = 1.69
_LOSS_SCALE: Final = 410.0
_LOSS_POWER: Final = 0.28


@dataclass(frozen=True, slots=True)
class End:
    """A step's end on the simulation's clock; or that of several, of which it is the last.

    Attributes:
        number: of the step in its job.
        took_s: the mean of the steps.
        is_checkpoint: a checkpoint was written before it.
        steps: how many.
    """

    number: int
    at_s: float
    took_s: float
    is_checkpoint: bool
    steps: int = 1


class JobSteps:
    """The steps of one job from one look to the next."""

    def __init__(self, workload: Workload, from_s: float) -> None:
        """Args: the job, and the time from which on its steps are told."""
        self._workload = workload
        self._done = steps_done(workload, from_s)
        # The step that is under way began before anybody looked: its time isn't known.
        self._end_s: float | None = None

    def until(self, at_s: float) -> Iterator[End]:
        """The steps that ended since the last call; the first one only sets the clock."""
        done = steps_done(self._workload, at_s)
        while self._done < done:
            self._done += 1
            end_s = step_end_s(self._workload, self._done)
            if self._end_s is not None:
                is_first = (self._done - 1) % self._workload.steps_per_checkpoint == 0
                yield End(self._done, end_s, end_s - self._end_s, is_first and self._done > 1)
            self._end_s = end_s


def by_minute(ends: Iterable[End], zero_ms: int) -> list[End]:
    """Neighbouring steps of one kind that ended in one minute of Unix time, as one.

    Args:
        ends: in their order.
        zero_ms: the Unix time at which the simulation's clock begins.
    """
    found: list[End] = []
    for (_, is_checkpoint), group in groupby(ends, lambda end: (_ms(end, zero_ms) // 60_000, end.is_checkpoint)):
        steps = list(group)
        mean_s = sum(end.took_s for end in steps) / len(steps)
        found.append(End(steps[-1].number, steps[-1].at_s, mean_s, is_checkpoint, len(steps)))
    return found


def step_rows(
    job: JobPlan,
    ends: Sequence[End],
    processes: Sequence[tuple[DeviceInfo, ProcessFacts]],
    zero_ms: int,
    key_of: Callable[[DeviceInfo], int],
) -> list[batch_pb2.Step]:
    """A row for each end and process; the tokens are the whole job's, so that each of its ranks says them."""
    return [
        batch_pb2.Step(
            ts_ms=_ms(end, zero_ms),
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
            steps=end.steps,
            step_time_s=end.took_s,
            tokens=end.steps * job.tokens_per_step,
            token_copies=who.ranks.world_size or 1,
            mark="checkpoint" if end.is_checkpoint else "",
            origin="declared",
            tokens_origin="declared",
            total_steps=end.number,
            loss=None if end.is_checkpoint else _loss(end.number * job.tokens_per_step),
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
    facts += [
        name for name in ("sequence_length", "layers", "heads", "hidden", "tensor_parallel") if getattr(job, name)
    ]
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
            tensor_parallel=job.tensor_parallel or None,
        )
        for info, who in processes
    ]


def _loss(tokens: int) -> float:
    """A loss that falls with the tokens as that of a language model does."""
    return _LEAST_LOSS + _LOSS_SCALE * math.pow(tokens, -_LOSS_POWER)


def _ms(end: End, zero_ms: int) -> int:
    return zero_ms + int(end.at_s * 1000)
