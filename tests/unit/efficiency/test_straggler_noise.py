"""The alarm's score follows the signal's own noise and the size of the fleet."""

import numpy as np
import pytest

from steelyard_efficiency.stragglers import REFERENCE_RANKS, Detector, threshold_for


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
