"""The method's worked examples, to the last printed digit."""

import math

import pytest

from steelyard_efficiency.between import (
    NoShare,
    Prior,
    Share,
    inverse,
    jobs_like_these,
    pooled_prior,
    probability_within,
    scaled,
    these_jobs,
    these_workloads,
    workloads_like_these,
)
from steelyard_efficiency.student import probability, quantile
from steelyard_efficiency.verdict import verdict
from steelyard_efficiency.within import job_figure

FLEET = Prior(0.05**2, 12)


def logs(*values: float) -> list[float]:
    return [math.log(value) for value in values]


def share(side: list[float], reference: list[float], prior: Prior | None = None) -> Share:
    result = jobs_like_these(side, reference, prior)
    assert isinstance(result, Share)
    return result


@pytest.mark.parametrize(
    ("p", "df", "t"),
    [(0.975, 1, 12.7062047362), (0.975, 2, 4.3026527297), (0.975, 6, 2.4469118511), (0.975, 30, 2.0422724563),
     (0.9, 3.5, 1.5761164), (0.995, 1000, 2.5807546980)],
)  # fmt: skip
def test_quantiles_of_the_tables(p: float, df: float, t: float) -> None:
    assert quantile(p, df) == pytest.approx(t, rel=2e-3 if df == 3.5 else 1e-9)
    assert probability(quantile(p, df), df) == pytest.approx(p, abs=1e-12)
    assert quantile(1 - p, df) == pytest.approx(-quantile(p, df))


def test_three_against_three_without_a_prior() -> None:
    result = share(logs(820, 780, 800), logs(1000, 1040, 960))
    assert round(result.ratio, 5) == 0.80026
    assert (round(result.low, 5), round(result.high, 5)) == (0.73744, 0.86843)
    assert result.df is not None
    assert (round(result.df, 4), round(result.se, 6)) == (3.3549, 0.027247)


def test_three_against_three_with_the_fleet_s_variance() -> None:
    result = share(logs(820, 780, 800), logs(1000, 1040, 960), FLEET)
    assert (round(result.low, 5), round(result.high, 5)) == (0.73847, 0.86722)
    assert result.df is not None
    assert (round(result.df, 4), round(result.se, 6)) == (9.9002, 0.036013)
    within = probability_within(result, 0.80, 0.05)
    assert within is not None
    assert round(within, 4) == 0.8863
    far = probability_within(result, 1.00, 0.05)
    assert far is not None
    assert round(far, 4) == 0.0004


def test_one_against_one() -> None:
    result = share(logs(800), logs(1000), FLEET)
    assert (round(result.ratio, 1), round(result.low, 5), round(result.high, 5)) == (0.8, 0.67289, 0.95111)
    assert result.df == pytest.approx(6)
    assert isinstance(jobs_like_these(logs(800), logs(1000)), NoShare)


def test_two_against_five_is_cochran_and_cox_s() -> None:
    result = share(logs(820, 780), logs(1000, 1040, 960, 1010, 990))
    assert (round(result.ratio, 5), round(result.low, 5), round(result.high, 5)) == (0.80002, 0.58106, 1.10149)


def test_from_five_a_side_on_the_fleet_is_not_asked() -> None:
    result = share(logs(820, 780, 800, 790, 810), logs(1000, 1040, 960, 1010, 990), FLEET)
    assert (round(result.ratio, 5), round(result.low, 5), round(result.high, 5)) == (0.80015, 0.77091, 0.83050)
    assert result.df is not None
    assert round(result.df, 4) == 7.0338
    assert result.prior_cv is None


def test_a_job_s_minutes() -> None:
    counts = [30, 31, 29, 30, 28, 32, 30, 27, 29, 30, 31, 30]
    seconds = [60.2, 59.8, 60.1, 60.5, 59.7, 60.3, 61, 60.2, 59.5, 60, 60.1, 60.4]
    job = job_figure(counts, seconds)
    assert job is not None
    assert (round(job.ratio, 6), round(job.y, 6)) == (0.494597, -0.704012)
    assert f"{job.variance:.6e}" == "1.654814e-04"
    assert (job.batches, job.correlation, job.df) == (12, 0, 11)


def test_minutes_that_hang_together_are_too_short_a_window() -> None:
    job = job_figure([20, 22, 21, 25, 24, 26, 25, 21, 20, 19, 20, 22], [60.0] * 12)
    assert job is not None
    inflation = (1 + job.correlation) / (1 - job.correlation)
    assert (round(job.y, 6), round(job.correlation, 6), round(inflation, 6)) == (-0.999521, 0.637255, 4.513514)
    assert f"{job.variance:.6e}" == "4.271178e-03"
    assert job.df == 1
    assert not job.is_long_enough
    assert isinstance(these_jobs([job], [job]), NoShare)


def test_the_last_batch_takes_the_rest() -> None:
    counts = [30 + k % 5 - 2 for k in range(47)]
    seconds = [60 + k % 3 - 1 for k in range(47)]
    job = job_figure(counts, seconds)
    assert job is not None
    assert (round(job.y, 6), f"{job.variance:.6e}", job.batches, job.df) == (-0.694922, "4.983828e-05", 23, 22)


def test_the_fleet_s_prior() -> None:
    prior = pooled_prior([[100, 104, 96], [50, 55], [10, 10.2, 9.9, 10.4], [7]])
    assert prior is not None
    assert (f"{prior.variance:.6e}", prior.df, prior.groups) == ("1.529615e-03", 6, 3)
    assert not prior.is_usable


def test_three_workloads() -> None:
    sides = {
        "7B": (logs(80, 84), logs(100, 104)),
        "13B": (logs(40, 42), logs(52, 50)),
        "70B": (logs(9, 9.4), logs(10, 10.6)),
    }
    these, like = these_workloads(sides), workloads_like_these(sides)
    assert isinstance(these, Share)
    assert isinstance(like, Share)
    assert (round(these.ratio, 5), round(these.low, 5), round(these.high, 5), these.df) == (
        0.83264,
        0.79463,
        0.87246,
        6,
    )
    assert (round(like.low, 5), round(like.high, 5), like.df) == (0.71561, 0.96880, 2)


def test_cost_swaps_the_ends() -> None:
    tokens = share(logs(820, 780, 800), logs(1000, 1040, 960), FLEET)
    cost = scaled(inverse(tokens), 1.2 / 2.0)
    assert (round(cost.ratio, 5), round(cost.low, 5), round(cost.high, 5)) == (0.74976, 0.69187, 0.81249)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.76, 0.85, "consistent"), (0.83, 0.88, "consistent"), (0.81, 0.83, "consistent"),
     (0.86, 0.90, "not consistent"), (0.60, 0.74, "not consistent"),
     (0.70, 0.95, "undecided"), (0.69, 0.79, "undecided"), (0.84, 0.93, "undecided")],
)  # fmt: skip
def test_verdicts_on_a_claim_of_four_fifths(low: float, high: float, expected: str) -> None:
    assert verdict(0.80, low, high) == expected
