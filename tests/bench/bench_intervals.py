"""Coverage of the two intervals, and the verdicts' errors, over simulated jobs of the whole chain from steps on."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from steelyard_efficiency.between import Prior, Share, jobs_like_these, pooled_prior, these_jobs
from steelyard_efficiency.verdict import verdict
from steelyard_efficiency.within import JobFigure, job_figure
from tests.bench.figure import Figure
from tests.bench.load.jobs import Floats, Minutes, simulate

_TRUTH = 0.80
_DRAWS = 2000
_SIDES = ((1, 1), (2, 2), (3, 3), (5, 5), (3, 20), (20, 20))
_FLEET_GROUPS, _FLEET_JOBS = 12, 3
_CV, _CV_LOG_SD = 0.06, 0.6
_CHUNK = 100
_OTHER_CHUNKS = 5
Hits = dict[str, list[bool]]


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Draws fleets and pairs of sides, and counts how often each interval holds the truth."""
    seed = int(datetime.now(UTC).strftime("%Y%m%d"))
    random = np.random.default_rng(seed)
    calibrated: Hits = {}
    verdicts: Hits = {"not": [], "consistent": []}
    for first in range(0, _DRAWS, _CHUNK):
        progress(f"draws {first} to {first + _CHUNK} of {_DRAWS}")
        for n_a, n_r in _SIDES:
            _draw(random, (n_a, n_r), None, calibrated, verdicts if (n_a, n_r) == (3, 3) else None)
    unlike: Hits = {}
    for cv in (0.15, 0.05):
        for _ in range(_OTHER_CHUNKS):
            for sides in _SIDES[:4]:
                _draw(random, sides, cv, unlike, None)
    wall: Hits = {}
    for _ in range(_OTHER_CHUNKS):
        _draw(random, (3, 3), None, wall, None, productive=False)
    coverage = {name: float(np.mean(hits)) for name, hits in calibrated.items()}
    worst, best = min(coverage, key=coverage.__getitem__), max(coverage, key=coverage.__getitem__)
    note = f"seed {seed}, {_DRAWS} draws; "
    return [
        Figure("coverage_min", coverage[worst], "", ">= 0.93", note + worst),
        Figure("coverage_max", coverage[best], "", "<= 0.985", note + best),
        *(Figure(f"coverage {name}", value, "", "", "nominal 0.95") for name, value in coverage.items()),
        *(
            Figure(f"coverage {n}", float(np.mean(hits)), "", "", "500 draws, unlike the fleet")
            for n, hits in unlike.items()
        ),
        *(
            Figure(f"coverage {n} wall", float(np.mean(hits)), "", "", "500 draws, checkpoint steps counted too")
            for n, hits in wall.items()
        ),
        Figure(
            "wrong_not_consistent",
            float(np.mean(verdicts["not"])),
            "",
            "<= 0.035",
            "3v3, truth 5 points from the claim",
        ),
        Figure(
            "wrong_consistent",
            float(np.mean(verdicts["consistent"])),
            "",
            "<= 0.035",
            "3v3, truth 10 points from the claim",
        ),
    ]


def _draw(
    random: np.random.Generator,
    sides: tuple[int, int],
    cv: float | None,
    hits: Hits,
    verdicts: Hits | None,
    *,
    productive: bool = True,
) -> None:
    n_a, n_r = sides
    effects = [_job_effects(random, n, cv) for n in (n_a, n_r)]
    minutes = simulate(
        np.concatenate([(effects[0] + np.log(_TRUTH)).ravel(), effects[1].ravel()]), random, productive=productive
    )
    priors = _priors(random) if min(sides) < 5 else [None] * _CHUNK
    suffix = f"{n_a}v{n_r}" + (f" CV {cv:.2f}" if cv else "")
    for draw in range(_CHUNK):
        a = [_figure(minutes, draw * n_a + job) for job in range(n_a)]
        r = [_figure(minutes, _CHUNK * n_a + draw * n_r + job) for job in range(n_r)]
        of_these = _TRUTH * float(np.exp(effects[0][draw].mean() - effects[1][draw].mean()))
        _count(hits, f"these jobs {suffix}", these_jobs(a, r), of_these)
        like = jobs_like_these([job.y for job in a], [job.y for job in r], priors[draw])
        _count(hits, f"jobs like these {suffix}", like, _TRUTH)
        if verdicts is not None and isinstance(like, Share):
            verdicts["not"].append(verdict(_TRUTH + 0.05, like.low, like.high) == "not consistent")
            verdicts["consistent"].append(verdict(_TRUTH - 0.10, like.low, like.high) == "consistent")


def _job_effects(random: np.random.Generator, jobs: int, cv: float | None) -> Floats:
    sd = np.full((_CHUNK, 1), cv) if cv else _CV * np.exp(random.normal(0, _CV_LOG_SD, (_CHUNK, 1)))
    return random.normal(0, 1, (_CHUNK, jobs)) * sd


def _priors(random: np.random.Generator) -> list[Prior | None]:
    sd = _CV * np.exp(random.normal(0, _CV_LOG_SD, (_CHUNK, _FLEET_GROUPS, 1)))
    effects = random.normal(0, 1, (_CHUNK, _FLEET_GROUPS, _FLEET_JOBS)) * sd
    rates = np.exp(simulate(effects.ravel(), random).log_rates()).reshape(effects.shape)
    return [pooled_prior(groups.tolist()) for groups in rates]


def _figure(minutes: Minutes, job: int) -> JobFigure:
    figure = job_figure(*(values.tolist() for values in minutes.of(job)))
    assert figure is not None
    return figure


def _count(hits: Hits, name: str, share: object, truth: float) -> None:
    # A window that is refused as too short makes no statement, so it neither holds nor misses.
    if isinstance(share, Share):
        hits.setdefault(name, []).append(share.low <= truth <= share.high)
