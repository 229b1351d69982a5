"""What an NPU tells slowly: bandwidths in windows, and faults as events, beside ticks that never wait for them."""

import time
from pathlib import Path

import pytest

from steelyard_agent.devices.dcmi.faults import meanings
from steelyard_agent.devices.dcmi.source import DcmiSource
from steelyard_agent.model import Absent, Event
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.npus import sampled, source_over
from tests.standins.scenario import VARIABLE, Scenario


class Clock:
    """Real seconds, and as many more as the test adds."""

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
    return Scenario(tmp_path / "scenario", clock=0.0, devices=2)


def next_events(source: DcmiSource, clock: Clock, count: int, prefix: str = "n") -> list[Event]:
    """The events of the next round that has any of the prefix; what is under way when the clock jumps looks hung."""
    found: list[Event] = []

    def is_told() -> bool:
        found.extend(event for event in source.events() if event.code.startswith(prefix))
        return len(found) >= count

    clock.ahead_s += 11.0
    until(is_told)
    return found


def test_error_codes_are_events_when_they_come_and_go(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    source = source_over(library, clock)
    uid = source.discover()[1].uid
    scenario.set({"faults.1": "80E01801 DEADBEEF"})
    known, unknown = next_events(source, clock, 2)
    assert (known.severity, known.code, known.uid) == ("error", "npu_fault_80E01801", uid)
    assert known.text == "0x80E01801: HBM: multi-bit ECC error in memory in use; asks to restart the training"
    assert (unknown.severity, unknown.text) == ("warning", "0xDEADBEEF: unknown error code")
    scenario.set({"faults.1": "DEADBEEF"})
    [over] = next_events(source, clock, 1)
    assert (over.severity, over.code) == ("info", "npu_fault_80E01801_over")
    source.close()


def test_a_code_that_only_the_library_knows_has_its_text(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    source = source_over(library, clock)
    source.discover()
    scenario.set({"faults.0": "8ABCDEF0", "fault_text": "node type=SoC, fault"})
    [event] = next_events(source, clock, 1)
    assert event.text == "0x8ABCDEF0: node type=SoC, fault"
    source.close()


def test_the_networks_health_is_told_in_words(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    scenario.set({"network_health": 6})
    source = source_over(library, clock)
    source.discover()
    scenario.set({"network_health.0": 3})
    [event] = next_events(source, clock, 1)
    assert (event.code, event.text) == ("network_fault", "the NPU's network: the probed address is unreachable (3)")
    scenario.set({"network_health.0": 0})
    assert [event.code for event in next_events(source, clock, 1)] == ["network_fault_over"]
    source.close()


def test_a_link_call_that_hangs_delays_no_tick_and_comes_back(library: Path, scenario: Scenario) -> None:
    clock = Clock()
    source = source_over(library, clock)
    first, second = source.discover()
    scenario.set({"hang.dcmi_get_hccs_link_bandwidth_info.0": 60, "hccs_tx.1": 7})
    assert [event.code for event in next_events(source, clock, 1, "slow_call_hangs")] == ["slow_call_hangs"]
    assert not isinstance(sampled(source, first)["busy"], Absent)

    def has_other() -> bool:
        source.events()
        return sampled(source, second)["link_tx_bytes_per_s"] == pytest.approx(7 * 2**30)

    until(has_other)
    clock.ahead_s += 40.0
    assert sampled(source, first)["link_tx_bytes_per_s"] == Absent("not measured for 35 s")
    scenario.drop("hang.dcmi_get_hccs_link_bandwidth_info.0")
    assert "slow_call_back" in [event.code for event in next_events(source, clock, 1, "slow_call_back")]
    source.close()


def test_every_code_of_the_table_says_what_it_is() -> None:
    assert len(meanings()) > 60
    assert all(meaning.text and meaning.severity in ("warning", "error") for meaning in meanings().values())
