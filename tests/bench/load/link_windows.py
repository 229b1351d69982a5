"""Profile windows of simulated jobs as the continuous schedule makes them, to try the search for slow links on.

A step is compute, one kind of collective in tensor groups and another over which gradients are summed, none of it
hidden. A rank stands in a collective for its transfer and for whoever of its group comes later. Ranks differ for good
in their compute, groups in their transfer; both also differ from window to window; a few transfers take much longer.
No such figures of real fleets are published: the noise is chosen.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steelyard_efficiency.straggler_windows import Cause, Window
from tests.bench.load.jobs import Floats

Ranks = npt.NDArray[np.int64]

# One window a node each ten minutes, give or take a half, its ranks in turn.
_RANKS_OF_NODE: Final = 8
_EVERY_S: Final = 600.0
# Of a step, and how far ranks and groups differ for good, and windows from one another.
_COMPUTE, _RANK_SD, _COMPUTE_NOISE = 0.72, 0.015, 0.01
_TENSOR, _GRADIENTS, _GROUP_SD, _TRANSFER_NOISE = 0.15, 0.08, 0.03, 0.08
_IDLE, _IDLE_NOISE = 0.05, 0.10
# Transfers that meet others' traffic, and what they take at most.
_LONG_SHARE, _LONG_FACTOR = 0.03, 3.0


@dataclass(frozen=True, slots=True)
class Slow:
    """What is slow in a job, from a moment on.

    Attributes:
        rank: which.
        cause: clock: it computes longer; host: it waits for so much more of its compute; link: the transfers of its
            tensor group take longer.
        factor: so much.
        from_s: the moment.
    """

    rank: int
    cause: Cause
    factor: float
    from_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """What stays the same from window to window.

    Attributes:
        compute: of a step, by rank.
        tensor: transfers of each tensor group, and
        gradients: of the ranks in each place of them, over which gradients are summed.
        noise: of transfers, from window to window.
    """

    compute: Floats
    tensor: Floats
    gradients: Floats
    noise: float


def make_job(random: np.random.Generator, ranks: int, tensor_parallel: int, noisier: float = 1.0) -> Job:
    """A job on whole nodes; `noisier`: how much more transfers differ than they do by default."""
    tensor = np.exp(random.normal(0, noisier * _GROUP_SD, ranks // tensor_parallel))
    gradients = np.exp(random.normal(0, noisier * _GROUP_SD, tensor_parallel))
    compute = np.exp(random.normal(0, _RANK_SD, ranks))
    return Job(_COMPUTE * compute, _TENSOR * tensor, _GRADIENTS * gradients, noisier * _TRANSFER_NOISE)


def scheduled(random: np.random.Generator, ranks: int, until_s: float) -> tuple[Floats, Ranks]:
    """When continuous windows begin, and of which ranks they are."""
    nodes, count = ranks // _RANKS_OF_NODE, int(until_s / _EVERY_S * 1.3) + 8
    gaps = _EVERY_S * (0.5 + random.random((nodes, count)))
    gaps[:, 0] = _EVERY_S * random.random(nodes)
    at_s = np.cumsum(gaps, axis=1).ravel()
    rank = (_RANKS_OF_NODE * np.arange(nodes)[:, None] + np.arange(count) % _RANKS_OF_NODE).ravel()
    order = np.argsort(at_s)
    order = order[at_s[order] < until_s]
    return at_s[order], rank[order]


def asked(ranks: int, every_s: float, until_s: float) -> tuple[Floats, Ranks]:
    """The same of a job whose ranks are all profiled at once, again and again."""
    moments = np.arange(every_s / 2, until_s, every_s)
    return np.repeat(moments, ranks), np.tile(np.arange(ranks), len(moments))


def windows(
    random: np.random.Generator, job: Job, schedule: tuple[Floats, Ranks], slow: Slow | None, *, is_one_kind: bool
) -> list[Window]:
    """What a profiler records at these times; `is_one_kind`: gradients are summed by the tensor groups' kind."""
    at_s, rank = schedule
    size = len(job.gradients)
    block, place, count = rank // size, rank % size, np.arange(len(rank))
    after = np.zeros(len(rank), bool) if slow is None else at_s >= slow.from_s
    own = job.compute[block[:, None] * size + np.arange(size)] * random.normal(1, _COMPUTE_NOISE, (len(rank), size))
    idle = _IDLE * np.exp(random.normal(0, _IDLE_NOISE, own.shape))
    tensor = job.tensor[block] * _of_group(random, job.noise, at_s, block)
    # When the last group of all comes to the sum of gradients; the most of many is above their mean.
    ready = job.compute.reshape(-1, size).max(axis=1) * (1 + 1.4 * _COMPUTE_NOISE) + _IDLE + job.tensor
    last = np.full(len(rank), ready.max())
    if slow is not None:
        theirs, extra_s = after & (block == slow.rank // size), (slow.factor - 1) * job.compute[slow.rank]
        if slow.cause == "link":
            extra_s = (slow.factor - 1) * job.tensor[slow.rank // size]
            tensor[theirs] *= slow.factor
        else:
            (own if slow.cause == "clock" else idle)[theirs, slow.rank % size] += extra_s
        last[after] = np.maximum(last[after], ready[slow.rank // size] + extra_s)
    last *= random.normal(1, _COMPUTE_NOISE / 2, len(rank))
    begins = own + idle
    first = tensor + begins.max(axis=1) - begins[count, place]
    gradients = job.gradients[place] * _of_group(random, job.noise, at_s, place)
    second = gradients + np.maximum(0.0, last - begins.max(axis=1) - tensor)
    compute, free = own[count, place], idle[count, place]
    shares = np.stack([compute, free, first, second]) / (compute + free + first + second)
    return [
        Window(who, int(1000 * moment), "", "kineto", share[0], share[1], _collectives(share[2], share[3], is_one_kind))
        for who, moment, share in zip(rank.tolist(), at_s.tolist(), shares.T.tolist(), strict=True)
    ]


def _of_group(random: np.random.Generator, noise: float, at_s: Floats, group: Ranks) -> Floats:
    """Noise of transfers: the same for who of a group is profiled at the same moment."""
    _, which = np.unique(np.stack([at_s, group]), axis=1, return_inverse=True)
    count = int(which.max()) + 1
    usual = np.exp(random.normal(0, noise, count))
    drawn: Floats = np.where(random.random(count) < _LONG_SHARE, random.uniform(1, _LONG_FACTOR, count), 1.0) * usual
    return drawn[which.ravel()]


def _collectives(first: float, second: float, is_one_kind: bool) -> dict[str, float]:
    if is_one_kind:
        return {"reduce-scatter": first + second}
    return {"all-reduce": first, "reduce-scatter": second}
