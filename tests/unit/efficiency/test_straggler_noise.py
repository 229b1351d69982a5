"""The alarm's score follows the signal's own noise and the size of the fleet."""

import numpy as np
import pytest

from steelyard_efficiency.stragglers import (
    HALF_HOURS,
    REFERENCE_RANKS,
    Detector,
    Noise,
    known_median,
    slowest_by_nature,
    threshold_for,
)


def detector(sd: float, correlation: float, ranks: int = 512, minutes: int = 120) -> Detector:
    """What has seen so many minutes of healthy ranks, with outliers and one slow rank."""
    random = np.random.default_rng(7)
    found, state = Detector.start(ranks), random.normal(0, sd, ranks)
    for _ in range(minutes):
        state = correlation * state + random.normal(0, sd * (1 - correlation**2) ** 0.5, ranks)
        minute = 1 + np.where(random.random(ranks) < 0.02, 3 * state, state)
        minute[0] += 0.2
        found = found.after(minute)
    return found


def test_the_score_rises_with_noise_and_ranks() -> None:
    # The page's own figure: what 1 % of noise that lasts takes in a fleet of 307,000 ranks.
    assert threshold_for(0.01, 0.6) == pytest.approx(0.60)
    assert threshold_for(0.02, 0.6) == pytest.approx(2.4)
    scores = [threshold_for(0.02, 0.6, ranks) for ranks in (1, 64, 4096, REFERENCE_RANKS)]
    assert scores == sorted(scores)
    assert scores[0] == 0.60
    assert threshold_for(0.001, 0.0, 10 * REFERENCE_RANKS) == 0.60


def test_the_noise_is_learnt_along_with_the_baseline() -> None:
    assert detector(0.01, 0.6).noise.threshold(REFERENCE_RANKS) == 0.60
    assert detector(0.02, 0.6).noise.threshold(REFERENCE_RANKS) == pytest.approx(2.4, rel=0.25)
    assert detector(0.03, 0.0).noise.threshold(REFERENCE_RANKS) == pytest.approx(30 * 0.0009 / 0.02, rel=0.25)
    # Too few minutes say nothing.
    assert detector(0.02, 0.6, minutes=30).noise.threshold(REFERENCE_RANKS) == 0.60
    assert detector(0.0, 0.0).noise.threshold(REFERENCE_RANKS) == 0.60


def test_the_fleet_s_size_decides_whether_it_is_an_alarm() -> None:
    found = detector(0.02, 0.6)
    slow = 1 + np.where(np.arange(512) == 3, 0.1, 0.0)
    while not found.alarms(64)[3]:
        found = found.after(slow)
    assert not found.alarms(REFERENCE_RANKS)[3]
    assert found.alarms(64).sum() == 1


def test_a_rank_that_is_well_again_is_no_alarm_half_an_hour_later() -> None:
    random = np.random.default_rng(3)
    found = detector(0.005, 0.0)
    slow = np.where(np.arange(512) == 3, 0.1, 0.0)
    for _ in range(2 * 1440):
        found = found.after(1 + random.normal(0, 0.005, 512) + slow)
    assert found.alarms(REFERENCE_RANKS)[3]
    for _ in range(35):
        found = found.after(1 + random.normal(0, 0.005, 512))
    assert not found.alarms(REFERENCE_RANKS).any()


def test_looks_that_share_windows_take_no_threshold_that_nothing_reaches() -> None:
    # Each look's value is the mean of what three looks' windows say, as far as few looks can tell a lasting noise.
    random = np.random.default_rng(5)
    drawn = random.normal(0, 0.012, (22, 64))
    noise = Noise()
    for look in range(20):
        noise = noise.after(drawn[look : look + 3].mean(axis=0))
    assert 0.15 <= noise.threshold(REFERENCE_RANKS, HALF_HOURS) < 0.3
    assert noise.threshold(REFERENCE_RANKS) > noise.threshold(REFERENCE_RANKS, HALF_HOURS)


def test_the_median_is_of_what_is_known() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 5.0], [2.0, np.nan, 9.0]])
    assert known_median(values, 0).tolist()[::2] == [1.5, 5.0]
    assert np.isnan(known_median(values, 0)[1])
    assert known_median(values, 1).tolist() == [2.0, 5.0, 5.5]
    assert known_median(values[0], 0) == 2.0


def test_slowest_by_nature_is_slow_in_both_halves() -> None:
    window = np.ones((12, 8)) + np.random.default_rng(2).normal(0, 0.002, (12, 8))
    window[:, 1] += 0.05
    window[6:, 2] += 0.05
    window[3, 1] = np.nan
    assert np.flatnonzero(slowest_by_nature(window, 6)).tolist() == [1]
    assert not slowest_by_nature(window[:11], 6).any()
