"""The integral of power, with a clock of the test's own."""

import pytest

from steelyard_agent.devices.dcmi.energy import MAX_GAP_S, EnergyIntegral


class Clock:
    def __init__(self) -> None:
        self.now_s = 5.0

    def __call__(self) -> float:
        return self.now_s


def test_nothing_is_known_before_the_first_reading():
    energy = EnergyIntegral(Clock())
    assert energy.energy_mj is None
    energy.add(300.0)
    assert energy.energy_mj == 0


def test_jittered_readings_of_a_ramp_give_its_area():
    clock = Clock()
    energy = EnergyIntegral(clock)
    for passed_s in (0.0, 0.08, 0.13, 0.1, 0.09, 0.6):
        clock.now_s += passed_s
        energy.add(100.0 * (clock.now_s - 5.0))  # 100 W more each second: 50 J after 1 s
    assert clock.now_s == pytest.approx(6.0)
    assert energy.energy_mj == pytest.approx(50_000, abs=1)


def test_a_gap_is_not_made_up():
    clock = Clock()
    energy = EnergyIntegral(clock)
    energy.add(400.0)
    clock.now_s += MAX_GAP_S + 0.01
    energy.add(400.0)
    assert energy.energy_mj == 0
    clock.now_s += 0.1
    energy.add(400.0)
    assert energy.energy_mj == pytest.approx(40_000, abs=1)
