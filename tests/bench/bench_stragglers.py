"""How soon a slow rank or link is found, and how often a healthy one is accused, over an eighth of a fleet's day."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np

from steelyard_efficiency.straggler_windows import LINK_NEAR_MS, Cause, confirmation, link_confirmation, link_signal
from steelyard_efficiency.stragglers import BASELINE_MINUTES, HALF_HOURS, REFERENCE_RANKS, Detector
from tests.bench.figure import Figure
from tests.bench.load.jobs import Floats
from tests.bench.load.link_windows import Slow, asked, make_job, scheduled, windows

_DAY = 1440
_NOISE, _CORRELATION, _BIAS_SD = 0.01, 0.6, 0.015
_HEAVY_SHARE, _HEAVY_FACTOR = 0.02, 3.0
_BLIP = 0.10
# An eighth of 192, 160, 120 and 32 jobs: 307,000 ranks in all.
_EIGHTH = {64: 24, 256: 20, 1024: 15, 4096: 4}
_DRAWS = {64: 40, 512: 20, 4096: 4}
_TARGET_MIN = {10: 22, 5: 28, 3: 70}
# Links are looked at each half-hour, by each rank's newest window of two hours, for a day after their baseline.
_LOOK_S, _REACH_S = 1800, 7200
_BASELINE_LOOKS, _DAY_LOOKS = 16, 48
_CAUSES = 3
# Ranks and tensor groups of the jobs of which one link becomes slow, and by how much its transfers.
_LINK_DRAWS = {(64, 8): 20, (64, 2): 20, (256, 8): 12, (1024, 8): 4}
_SLOW_LINKS = {50: 1.5, 20: 1.2, 10: 1.1}
_CONFIRM_DRAWS = 200
_CONFIRMED: dict[Cause, tuple[int, ...]] = {"clock": (0, 3, 5, 10), "host": (0, 3, 5, 10), "link": (0, 10, 20, 50)}


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
        *_links(random, progress),
        *_confirmed(random, progress),
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


def _links(random: np.random.Generator, progress: Callable[[str], None]) -> Iterator[Figure]:
    """Of slow links; the false alarms are also those where transfers are twice as restless."""
    for name, noisier in (("", 1.0), ("_noisy", 2.0)):
        accused = 0
        for ranks, jobs in _EIGHTH.items():
            progress(f"{jobs} healthy jobs of {ranks} ranks over a day, by profile windows{name.replace('_', ', ')}")
            for number in range(jobs):
                accused += int(_link_alarms(random, ranks, (8, 4, 2)[number % 3], None, noisier=noisier).any(0).sum())
        yield Figure(
            f"link_false_per_day{name}", 8.0 * accused, "ranks", "", "the same fleet, tensor groups of 8, 4, 2"
        )
    progress(f"{sum(_LINK_DRAWS.values())} jobs with a slow link, for each of five kinds")
    for percent in _SLOW_LINKS:
        yield from _found_links(random, f"{percent}pct", percent)
    yield from _found_links(random, "50pct_asked", 50, is_asked=True)
    yield from _found_links(random, "50pct_one_kind", 50, is_one_kind=True)


def _found_links(
    random: np.random.Generator, name: str, percent: int, *, is_asked: bool = False, is_one_kind: bool = False
) -> Iterator[Figure]:
    delays = []
    for (ranks, size), draws in _LINK_DRAWS.items():
        for _ in range(draws):
            onset = _BASELINE_LOOKS + random.random()
            slow = Slow(int(random.integers(ranks)), "link", _SLOW_LINKS[percent], onset * _LOOK_S)
            alarms = _link_alarms(random, ranks, size, slow, is_asked=is_asked, is_one_kind=is_one_kind)
            found = np.flatnonzero(alarms[int(onset) :, slow.rank])
            delays.append((int(onset) + found[0] + 1 - onset) * _LOOK_S / 60 if len(found) else np.inf)
    median = float(np.median(delays))
    note = f"transfers 15 % of the step, {percent} % longer; found within a day: {np.mean(np.isfinite(delays)):.0%}"
    yield Figure(f"link_delay_{name}_min", median if np.isfinite(median) else None, "min", "", note)


def _link_alarms(
    random: np.random.Generator,
    ranks: int,
    size: int,
    slow: Slow | None,
    *,
    noisier: float = 1.0,
    is_asked: bool = False,
    is_one_kind: bool = False,
) -> np.ndarray:
    """Who is accused at each look, [look][rank]; `is_asked`: all ranks once an hour in place of the schedule."""
    looks = _BASELINE_LOOKS + _DAY_LOOKS
    until_s = float(looks * _LOOK_S)
    schedule = asked(ranks, 3600.0, until_s) if is_asked else scheduled(random, ranks, until_s)
    made = windows(random, make_job(random, ranks, size, noisier), schedule, slow, is_one_kind=is_one_kind)
    known: dict[int, int | None] = {rank: rank for rank in range(ranks)}
    detector, alarms, seen = Detector.start(ranks, HALF_HOURS), [], 0
    newest = {}
    for look in range(looks):
        end_ms = 1000 * _LOOK_S * (look + 1)
        while seen < len(made) and made[seen].ts_ms < end_ms:
            newest[made[seen].device] = made[seen]
            seen += 1
        near = {rank: one for rank, one in newest.items() if one.ts_ms >= end_ms - 1000 * _REACH_S}
        told, _ = link_signal(near, known, size)
        detector = detector.after(np.array([told.get(rank, np.nan) for rank in range(ranks)]))
        alarms.append(detector.alarms(_CAUSES * REFERENCE_RANKS))
    return np.array(alarms)


def _confirmed(random: np.random.Generator, progress: Callable[[str], None]) -> Iterator[Figure]:
    """How often the next window bears out what is so, and what isn't."""
    progress(f"{_CONFIRM_DRAWS} next windows for each cause and how slow it is")
    for cause, percents in _CONFIRMED.items():
        for percent in percents:
            verdicts = [_verdict(random, cause, percent / 100) for _ in range(_CONFIRM_DRAWS)]
            said = [verdict for verdict in verdicts if verdict is not None]
            name = f"confirmed_{cause}_{percent}pct" if percent else f"confirmed_{cause}_healthy"
            note = f"jobs of 64 ranks, tensor groups of 8; nothing said of {1 - len(said) / len(verdicts):.0%}"
            yield Figure(name, float(np.mean(said)) if said else None, "share", "", note)


def _verdict(random: np.random.Generator, cause: Cause, slower: float) -> bool | None:
    ranks, size, told_ms = 64, 8, LINK_NEAR_MS
    slow = Slow(int(random.integers(ranks)), cause, 1 + slower)
    schedule = scheduled(random, ranks, 3 * told_ms / 1000)
    made = windows(random, make_job(random, ranks, size), schedule, slow, is_one_kind=False)
    own = next((one for one in made if one.device == slow.rank and one.ts_ms >= told_ms), None)
    if cause == "link":
        since = [one for one in made if one.ts_ms >= told_ms]
        return link_confirmation(own, since, {rank: rank for rank in range(ranks)}, size).is_confirmed
    return confirmation(cause, own, made).is_confirmed
