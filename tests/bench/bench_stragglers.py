"""How soon a slow rank is found, and how often a healthy one is accused, over an eighth of a fleet's day."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from steelyard_efficiency.stragglers import BASELINE_MINUTES, REFERENCE_RANKS, Detector
from tests.bench.figure import Figure
from tests.bench.load.jobs import Floats

_DAY = 1440
_NOISE, _CORRELATION, _BIAS_SD = 0.01, 0.6, 0.015
_HEAVY_SHARE, _HEAVY_FACTOR = 0.02, 3.0
_BLIP = 0.10
# An eighth of 192, 160, 120 and 32 jobs: 307,000 ranks in all.
_EIGHTH = {64: 24, 256: 20, 1024: 15, 4096: 4}
_DRAWS = {64: 40, 512: 20, 4096: 4}
_TARGET_MIN = {10: 22, 5: 28, 3: 70}


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Simulates days with and without slow ranks."""
    seed = int(datetime.now(UTC).strftime("%Y%m%d"))
    random = np.random.default_rng(seed)
    delays: dict[int, list[float]] = {percent: [] for percent in _TARGET_MIN}
    for ranks, draws in _DRAWS.items():
        progress(f"{draws} jobs of {ranks} ranks, one of which becomes slow")
        for percent in delays:
            delays[percent] += [_delay(random, ranks, percent / 100) for _ in range(draws)]
    accused = 0
    for ranks, jobs in _EIGHTH.items():
        progress(f"{jobs} healthy jobs of {ranks} ranks over a day")
        accused += sum(_false_alarms(random, ranks) for _ in range(jobs))
    count = sum(_DRAWS.values())
    note = f"seed {seed}; median of {count} jobs, those not found counted as never"
    return [
        *(
            Figure(f"delay_{percent}pct_min", float(np.median(found)), "min", f"<= {_TARGET_MIN[percent]}", note)
            for percent, found in delays.items()
        ),
        Figure(
            "false_alarms_per_day", 8.0 * accused, "ranks", "<= 24", "an eighth of 504 jobs, 307,000 ranks, times 8"
        ),
    ]


def _minutes(random: np.random.Generator, ranks: int, minutes: int) -> Floats:
    """The signal [minute][rank]: 1 for a healthy rank, with a lasting bias, correlated noise, outliers and a blip."""
    noise = np.empty((minutes, ranks))
    state = random.normal(0, _NOISE, ranks)
    for minute in range(minutes):
        state = _CORRELATION * state + random.normal(0, _NOISE * (1 - _CORRELATION**2) ** 0.5, ranks)
        noise[minute] = state
    noise *= np.where(random.random(noise.shape) < _HEAVY_SHARE, _HEAVY_FACTOR, 1.0)
    length = random.integers(1, 6, ranks)
    start = random.integers(0, _DAY, ranks)
    clock = np.arange(minutes)[:, None]
    noise += np.where((clock >= start) & (clock < start + length), _BLIP, 0.0)
    values: Floats = 1 + random.normal(0, _BIAS_SD, ranks) + noise
    return values


def _delay(random: np.random.Generator, ranks: int, slower: float) -> float:
    onset = BASELINE_MINUTES + 30 + int(random.integers(0, 60))
    signal = _minutes(random, ranks, onset + 480)
    victim = int(random.integers(ranks))
    signal[onset:, victim] *= 1 + slower
    detector = Detector.start(ranks)
    for minute, values in enumerate(signal):
        detector = detector.after(values)
        if minute >= onset and detector.alarms(REFERENCE_RANKS)[victim]:
            return float(minute - onset + 1)
    return float("inf")


def _false_alarms(random: np.random.Generator, ranks: int) -> int:
    detector = Detector.start(ranks)
    accused = np.zeros(ranks, bool)
    for values in _minutes(random, ranks, _DAY):
        detector = detector.after(values)
        accused |= detector.alarms(REFERENCE_RANKS)
    return int(accused.sum())
