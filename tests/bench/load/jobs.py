"""Jobs by the model that the method was tried on: steps to minutes, with checkpoints, stragglers and unlike jobs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STEPS = 900
STEP_S = 2.0
TOKENS_PER_STEP = 1000.0
_CORRELATION = 0.9
_STEP_SD = 0.10
_CHECKPOINT_EVERY = 100
_CHECKPOINT_STEPS = 5.0
_STRAGGLER_SLOWDOWN = 1.10
_STRAGGLER_SHARE = 0.20
_STRAGGLER_DWELL_STEPS = 20.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minute sums of many jobs, [job][minute]; minutes after a job's end hold zeros.

    Attributes:
        tokens: of the counted steps that ended in the minute.
        seconds: of the same steps.
    """

    tokens: Floats
    seconds: Floats

    def of(self, job: int) -> tuple[Floats, Floats]:
        """One job's minutes in which steps ended."""
        ended = self.tokens[job] > 0
        return self.tokens[job][ended], self.seconds[job][ended]

    def log_rates(self) -> Floats:
        """ln(tokens / second) of each job."""
        rates: Floats = np.log(self.tokens.sum(axis=1) / self.seconds.sum(axis=1))
        return rates


def simulate(log_speeds: Floats, random: np.random.Generator, *, productive: bool = True) -> Minutes:
    """Runs each job for 900 steps.

    Args:
        log_speeds: ln of each job's speed against a step of 2 s.
        random: the source of noise.
        productive: leave the steps with a checkpoint out of the sums, as every share does; else the wall figure.
    """
    jobs = log_speeds.size
    log_noise = np.empty((STEPS, jobs))
    state = random.normal(0, _STEP_SD, jobs)
    is_slow = random.random(jobs) < _STRAGGLER_SHARE
    leave = 1 / _STRAGGLER_DWELL_STEPS
    enter = leave * _STRAGGLER_SHARE / (1 - _STRAGGLER_SHARE)
    for step in range(STEPS):
        state = _CORRELATION * state + random.normal(0, _STEP_SD * (1 - _CORRELATION**2) ** 0.5, jobs)
        is_slow ^= random.random(jobs) < np.where(is_slow, leave, enter)
        log_noise[step] = state + np.where(is_slow, np.log(_STRAGGLER_SLOWDOWN), 0.0)
    step_s = STEP_S * np.exp(log_noise - log_speeds)
    step_s[_CHECKPOINT_EVERY - 1 :: _CHECKPOINT_EVERY] += _CHECKPOINT_STEPS * STEP_S * np.exp(-log_speeds)
    minute = (np.cumsum(step_s, axis=0) // 60).astype(np.int64)
    width = int(minute.max()) + 1
    cell = (minute + width * np.arange(jobs)).ravel()
    size = width * jobs
    counted = np.ones(step_s.shape)
    if productive:
        counted[_CHECKPOINT_EVERY - 1 :: _CHECKPOINT_EVERY] = 0.0
    tokens = np.bincount(cell, counted.ravel() * TOKENS_PER_STEP, minlength=size).reshape(jobs, width)
    return Minutes(tokens, np.bincount(cell, (step_s * counted).ravel(), minlength=size).reshape(jobs, width))
