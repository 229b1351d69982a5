"""Sad states of Ascend nodes, through the guard: what they cost, what is said of them, and that they pass."""

import logging
import time
from pathlib import Path

import pytest

from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.model import Absent
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.npus import guard_over, reasons, source_over, tick
from tests.standins.scenario import VARIABLE, Scenario


class Clock:
    """Real seconds, and as many more as the test adds: looks for lost devices come seconds and minutes later."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("dcmi", tmp_path_factory.mktemp("dcmi"))


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
    return Scenario(tmp_path / "scenario", clock=0.0)


def codes(guard: GuardedSource) -> list[str]:
    return [event.code for event in guard.events()]


def is_whole(guard: GuardedSource, clock: Clock, devices: int) -> bool:
    """A tick, some time later, in which every device says how busy it is."""
    clock.ahead_s += 200.0
    busy = [values["busy"] for values in tick(guard).values()]
    return len(busy) == devices and not any(isinstance(value, Absent) for value in busy)


@pytest.mark.parametrize(("chip", "devices"), [("910A", 8), ("910B4", 8), ("910C", 16)])
def test_a_lost_device_is_absent_and_comes_back(library: Path, scenario: Scenario, chip: str, devices: int) -> None:
    clock = Clock()
    scenario.set({"chip": chip})
    guard = guard_over(source_over(library, clock), clock)
    scenario.set({"lost.3": 1})
    values = tick(guard)
    assert len(values) == devices
    assert reasons(values[3])
    assert all(reason.startswith("lost: gone: dcmi_get_device_") for reason in reasons(values[3]))
    assert not any(reasons(values[number]) for number in values if number != 3)
    assert codes(guard) == ["device_lost"]
    scenario.drop("lost.3")

    def is_back() -> bool:
        clock.ahead_s += 200.0
        return not any(reasons(one) for one in tick(guard).values())

    until(is_back)
    # What is under way while this test's clock jumps looks hung for an instant, and comes back too.
    hung = {"device_quarantined", "source_hangs", "slow_call_hangs", "slow_call_back"}
    assert set(codes(guard)) - hung == {"device_back"}
    guard.close()


def test_a_hung_call_costs_one_device(library: Path, scenario: Scenario) -> None:
    guard = guard_over(source_over(library))
    scenario.set({"hang.dcmi_get_device_hbm_info.5": 60})
    values = tick(guard)
    assert any("has not returned" in reason for reason in reasons(values[5]))
    assert not any(reasons(values[number]) for number in range(8) if number != 5)
    assert not reasons(tick(guard)[6])
    assert (guard.stats().quarantined, guard.stats().timeouts) == (1, 1), "the call hangs on, and is left alone"
    scenario.drop("hang.dcmi_get_device_hbm_info.5")
    until(lambda: not reasons(tick(guard)[5]))
    assert codes(guard) == ["device_quarantined", "device_back"]
    assert guard.stats().timeouts == 1
    guard.close()


def test_a_hung_power_call_is_found_by_the_poll_too(library: Path, scenario: Scenario) -> None:
    guard = guard_over(source_over(library))
    scenario.set({"hang.dcmi_get_device_power_info.2": 60})

    def is_still() -> bool:
        before = guard.stats().calls
        time.sleep(1.0)
        return guard.stats().calls == before

    # Eighty calls a second until the poll meets the one that hangs; a tick before that would meet it first.
    until(is_still, 60)
    until(lambda: any("poll has not returned" in reason for reason in reasons(tick(guard)[2])), 60)
    assert not reasons(tick(guard)[1])
    scenario.drop("hang.dcmi_get_device_power_info.2")
    until(lambda: not reasons(tick(guard)[2]))
    guard.close()


def test_cards_that_hang_at_the_first_look_hide_no_other(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    scenario.set({"hang.dcmi_get_device_chip_info_v2.0": 60, "hang.dcmi_get_device_chip_info_v2.5": 60})
    source = source_over(library, clock)
    guard = guard_over(source, clock)

    def shown() -> set[int]:
        clock.ahead_s += 200.0
        return set(tick(guard))

    # On a node with much else to do a card that is well may be told by the next look only.
    until(lambda: shown() == {1, 2, 3, 4, 6, 7}, 60)
    assert {error.device for error in source.complaints} >= {"card 0", "card 5"}
    assert min(source.under_way_s()) > 0
    scenario.drop("hang.dcmi_get_device_chip_info_v2.0", "hang.dcmi_get_device_chip_info_v2.5")
    until(lambda: is_whole(guard, clock, 8), 60)
    guard.close()


def energy_mj(guard: GuardedSource) -> int:
    value = tick(guard)[0]["energy_mj"]
    assert isinstance(value, int)
    return value


def test_energy_grows_with_power_by_the_guards_polls(library: Path, scenario: Scenario) -> None:
    scenario.set({"power_w": 300})
    begin_s = time.monotonic()
    guard = guard_over(source_over(library))
    start, first_calls = energy_mj(guard), guard.stats().calls
    until(lambda: energy_mj(guard) - start > 300_000, 30)
    assert energy_mj(guard) <= 300_000 * (time.monotonic() - begin_s)
    assert guard.stats().calls - first_calls > 8 * 2, "the polls ran beside the ticks"
    guard.close()


def test_one_failing_call_leaves_the_other_figures(library: Path, scenario: Scenario) -> None:
    guard = guard_over(source_over(library))
    scenario.set({"error.dcmi_get_device_temperature.0": -8010})
    values = tick(guard)[0]
    assert values.pop("chip_temp_c") == Absent("dcmi_get_device_temperature: -8010")
    assert not any(isinstance(value, Absent) for value in values.values())
    guard.close()


@pytest.mark.parametrize(("code", "meaning"), [(-8005, "another container holds"), (-8020, "occupied by another user")])
def test_a_device_that_another_container_holds(
    library: Path, scenario: Scenario, caplog: pytest.LogCaptureFixture, code: int, meaning: str
) -> None:
    clock = Clock()
    scenario.set({"held.0": code, "held.1": code})
    source = source_over(library, clock)
    with caplog.at_level(logging.WARNING):
        guard = guard_over(source, clock)
        assert tick(guard).keys() == set(range(2, 8))
        source.discover()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2, "once for each device, not at each look"
    assert all(meaning in text for text in told)
    assert [error.code for error in source.complaints] == [code, code]
    scenario.drop("held.0", "held.1")
    until(lambda: is_whole(guard, clock, 8))
    scenario.set({"held.4": code})
    assert reasons(tick(guard)[4]) == {f"failed: dcmi_get_device_multi_utilization_rate ({code})"}
    assert not reasons(tick(guard)[3])
    guard.close()


def test_a_node_whose_devices_are_all_held_says_so(library: Path, scenario: Scenario) -> None:
    scenario.set({"held": -8005})
    guard = guard_over(source_over(library))
    assert guard.devices() == []
    assert "another container holds" in guard.stats().problem
    assert codes(guard) == ["discover_failed"]
    guard.close()


@pytest.mark.parametrize("key", ["booting", "error.dcmi_init", "error.dcmi_get_card_list"])
def test_a_node_that_boots_is_waited_for(library: Path, scenario: Scenario, key: str) -> None:
    clock = Clock()
    scenario.set({key: -8012})
    guard = guard_over(source_over(library, clock), clock)
    assert guard.devices() == []
    assert "the device is not ready" in guard.stats().problem
    scenario.drop(key)
    until(lambda: is_whole(guard, clock, 8))
    assert guard.stats().problem == ""
    guard.close()


def test_a_driver_that_is_reloaded_is_initialised_again(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    guard = guard_over(source_over(library, clock), clock)
    scenario.set({"lost": 1, "error.dcmi_get_card_list": -8012, "error.dcmi_init": -8012})
    assert all(reasons(values) for values in tick(guard).values())
    clock.ahead_s += 200.0
    tick(guard)
    until(lambda: "not ready" in guard.stats().problem)
    scenario.drop("lost", "error.dcmi_get_card_list", "error.dcmi_init")
    until(lambda: is_whole(guard, clock, 8))
    guard.close()


def test_a_card_that_is_pulled_and_put_back(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    guard = guard_over(source_over(library, clock), clock)
    scenario.set({"card_gone.7": 1})
    assert all(reason.startswith("lost: gone:") for reason in reasons(tick(guard)[7]))
    scenario.drop("card_gone.7")
    until(lambda: is_whole(guard, clock, 8))
    assert len(guard.devices()) == 8
    guard.close()


def test_ten_thousand_ticks_leave_nothing_behind(library: Path, scenario: Scenario) -> None:
    def resident_kib() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    source = source_over(library)
    uids = [info.uid for info in source.discover()]
    scenario.set({"error.dcmi_get_device_temperature.0": -8010})
    handles = len(list(Path("/proc/self/fd").iterdir()))
    for round_number in range(2):
        before_kib = resident_kib()
        for _ in range(100 if round_number == 0 else 10_000 // len(uids)):
            for uid in uids:
                source.sample(uid, "fast")
    assert resident_kib() - before_kib < 1024
    assert len(list(Path("/proc/self/fd").iterdir())) == handles
