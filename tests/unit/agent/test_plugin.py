"""What a source of another package tells beside its figures reaches the guard and the doctor."""

import math
import time
from collections.abc import Mapping, Sequence

import pytest

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.devices.plugin import PluginSource
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.errors import DeviceError
from steelyard_proto.metrics import MetricClass

INFO = DeviceInfo("chip-0", "mychip", "npu", "My Chip", {"fast": (1,)})


class Chips:
    """A source with a thread of its own, whose library can be replaced under it."""

    name = "mychip"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.hangs_for_s: list[float] = []
        self.outdated = ""
        self.refuses = False

    def discover(self) -> Sequence[DeviceInfo]:
        if self.refuses:
            raise DeviceError("refuses", vendor="mychip", call="open")
        return [INFO]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        return [0.5]

    def poll(self, uid: str) -> None:
        pass

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        return []

    def under_way_s(self) -> Sequence[float]:
        return self.hangs_for_s

    def why_outdated(self) -> str:
        return self.outdated

    def latencies_us(self, uid: str) -> Mapping[int, float]:
        return {1: 120.0}

    def close(self) -> None:
        pass


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def chips() -> Chips:
    return Chips()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(chips: Chips, clock: Clock) -> PluginSource:
    return PluginSource("mychip", lambda: chips, monotonic=clock)


def test_what_hangs_in_its_own_threads_is_counted_and_ages(chips: Chips, source: PluginSource, clock: Clock) -> None:
    guard = GuardedSource(source, deadline_s=2.0, monotonic=time.monotonic, wall_ms=lambda: 0)
    chips.hangs_for_s = [0.5, 100.0]
    guard.discover()
    assert guard.stats().abandoned == 1
    clock.now_s += 2
    assert guard.stats().abandoned == 2
    chips.hangs_for_s = []
    guard.start_tick(("fast",))
    guard.collect(30.0)
    assert guard.stats().abandoned == 0
    guard.close()


def test_a_source_that_can_go_on_only_in_a_new_process_moves_there(chips: Chips, source: PluginSource) -> None:
    source.discover()
    assert source.why_outdated() == ""
    chips.outdated, chips.refuses = "its library was replaced", True
    with pytest.raises(DeviceError, match="refuses"):
        source.discover()
    assert source.why_outdated() == "its library was replaced"


def test_latencies_are_the_sources(source: PluginSource) -> None:
    assert source.latencies_us("chip-0") == {}
    source.discover()
    assert source.latencies_us("chip-0") == {1: 120.0}


@pytest.mark.parametrize("told", [["long"], [-1.0], [math.nan], 7])
def test_a_duration_that_cant_be_is_the_sources_error(chips: Chips, source: PluginSource, told: object) -> None:
    chips.hangs_for_s = told  # type: ignore[assignment]
    with pytest.raises(DeviceError):
        source.discover()
