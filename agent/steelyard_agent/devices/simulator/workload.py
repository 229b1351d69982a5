"""The rhythm of a training job: steps of computing and communicating, checkpoints, and what slows it down."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NEVER_S: Final = float("inf")
# Longer ago than any history of a simulation.
_LONG_AGO_S: Final = -100_000.0


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A time in which every step of a job takes `factor` times as long, for one of its ranks holds it up."""

    from_s: float
    to_s: float
    factor: float


@dataclass(frozen=True, slots=True)
class Workload:
    """What the devices of a job do. Shares are 0-1 and hold while a device computes.

    Attributes:
        step_s: a step without anything that slows it.
        compute_share: of a step; the rest is communication.
        steps_per_checkpoint: steps between checkpoints.
        checkpoint_s: what a checkpoint takes; the devices stand still.
        tensor: activity of the matrix units.
        vector: activity of the vector units.
        hbm_bw: use of the memory's bandwidth.
        hbm_fill: use of the memory.
        from_s: the job starts, on the simulation's clock; before its history by default, so that all is under way.
        to_s: it ends.
        slowdowns: what slows the whole job, by rising time; they don't overlap.
    """

    step_s: float = 4.0
    compute_share: float = 0.85
    steps_per_checkpoint: int = 150
    checkpoint_s: float = 10.0
    tensor: float = 0.55
    vector: float = 0.2
    hbm_bw: float = 0.45
    hbm_fill: float = 0.78
    from_s: float = _LONG_AGO_S
    to_s: float = _NEVER_S
    slowdowns: Sequence[Slowdown] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What a device did over a window, as shares of it.

    Attributes:
        running: the job had a kernel on the device.
        compute: of that, computing; the rest is communication, or waiting in it for others.
    """

    running: float
    compute: float


IDLE: Final = Load(0.0, 0.0)


def load_of(workload: Workload, at_s: float, window_s: float, own_factor: float = 1.0) -> Load:
    """What a device of the job did in the window that ends at `at_s`.

    Args:
        workload: the job.
        at_s: the simulation's clock.
        window_s: above 0.
        own_factor: how much longer this very device computes than it should; 1 where it is well.
    """
    end_s = min(max(at_s, workload.from_s), workload.to_s)
    begin_s = min(max(at_s - window_s, workload.from_s), workload.to_s)
    if end_s <= begin_s:
        return IDLE
    fraction = compute_share_at(workload, end_s, own_factor)
    training_s = _training_s(workload, end_s) - _training_s(workload, begin_s)
    before, after = (_computing_s(workload, _training_s(workload, s), fraction) for s in (begin_s, end_s))
    # In slow times the job's own clock runs slower than the wall's.
    pace = (_work_s(workload, end_s) - _work_s(workload, begin_s)) / (end_s - begin_s)
    scale = 1.0 / (window_s * pace) if pace > 0 else 0.0
    running = min(1.0, training_s * scale)
    return Load(running, min(running, max(0.0, after - before) * scale))


def compute_share_at(workload: Workload, at_s: float, own_factor: float = 1.0) -> float:
    """Of a step's time at `at_s` what a device computes; see `load_of`."""
    return min(0.98, workload.compute_share * own_factor / slowdown_at(workload, at_s))


def steps_done(workload: Workload, at_s: float) -> int:
    """Steps that the job has finished by then."""
    end_s = min(max(at_s, workload.from_s), workload.to_s)
    # The last step before a checkpoint has ended when the checkpoint begins, whatever the floating point makes of it.
    return int(_training_s(workload, end_s) / workload.step_s + 1e-9)


def step_end_s(workload: Workload, number: int) -> float:
    """When the job finishes a step, from 1, on the simulation's clock; a checkpoint comes after, not before it."""
    checkpoints = (number - 1) // workload.steps_per_checkpoint
    left_s = number * workload.step_s + checkpoints * workload.checkpoint_s
    at_s = workload.from_s
    for slow in workload.slowdowns:
        if slow.to_s <= at_s:
            continue
        calm_s = max(0.0, slow.from_s - at_s)
        slow_s = slow.to_s - at_s - calm_s
        if left_s <= calm_s + slow_s / slow.factor:
            return at_s + min(left_s, calm_s) + max(0.0, left_s - calm_s) * slow.factor
        left_s -= calm_s + slow_s / slow.factor
        at_s = slow.to_s
    return at_s + left_s


def slowdown_at(workload: Workload, at_s: float) -> float:
    """How much longer a step takes at `at_s` than it should."""
    for slow in workload.slowdowns:
        if slow.from_s < at_s <= slow.to_s:
            return slow.factor
    return 1.0


def _work_s(workload: Workload, at_s: float) -> float:
    """Seconds since the job's start, less what was lost to slowdowns."""
    lost_s = 0.0
    for slow in workload.slowdowns:
        overlap_s = min(at_s, slow.to_s) - max(workload.from_s, slow.from_s)
        lost_s += max(0.0, overlap_s) * (1 - 1 / slow.factor)
    return at_s - workload.from_s - lost_s


def _training_s(workload: Workload, at_s: float) -> float:
    """Of the work's seconds those in steps, checkpoints left out."""
    steps_s = workload.step_s * workload.steps_per_checkpoint
    rounds, rest_s = divmod(_work_s(workload, at_s), steps_s + workload.checkpoint_s)
    return rounds * steps_s + min(rest_s, steps_s)


def _computing_s(workload: Workload, training_s: float, fraction: float) -> float:
    """Of the steps' seconds those of computing: a device computes first, then communicates."""
    steps, rest_s = divmod(training_s, workload.step_s)
    return (steps * fraction + min(rest_s / workload.step_s, fraction)) * workload.step_s
