import itertools
import math

import pytest

from steelyard_agent.devices.base import Source
from steelyard_agent.devices.simulator.faults import Fault, FaultKind
from steelyard_agent.devices.simulator.source import SimulatedGroup, SimulatorSource, open_simulator
from steelyard_agent.devices.simulator.workload import Workload
from steelyard_agent.model import Absent
from steelyard_proto.chips import load_chips
from steelyard_proto.errors import ConfigError, DeviceLost
from steelyard_proto.metrics import catalogue

CHIPS = sorted(chip.name for chip in load_chips().by_name.values())
JOB = Workload(step_s=3.0, tensor=0.6)


class Bench:
    """Simulated devices on a clock that the test moves."""

    def __init__(self, *groups: SimulatedGroup, seed: int = 1) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []
        self.source = SimulatorSource(
            groups, node="n", seed=seed, clock=lambda: self.now_s, sleep=self.slept_s.append, zero_s=100.0
        )

    def sample(self, index: int = 0, metric_class: str = "fast") -> dict[str, float]:
        info = self.source.all_devices()[index]
        values = self.source.sample(info.uid, metric_class)  # type: ignore[arg-type]
        ids = info.metrics[metric_class]  # type: ignore[index]
        assert len(values) == len(ids)
        known = catalogue().by_id
        return {known[i].name: v for i, v in zip(ids, values, strict=True) if not isinstance(v, Absent)}

    def run(self, seconds: int, index: int = 0) -> list[dict[str, float]]:
        seen = []
        for _ in range(seconds):
            self.now_s += 1.0
            seen.append(self.sample(index))
        return seen


def faulty(kind: FaultKind, device: int | None = 0, from_s: float = 0.0, to_s: float = math.inf) -> SimulatedGroup:
    return SimulatedGroup("H100", 2, JOB, (Fault(kind, device, from_s, to_s),))


def mean(seen: list[dict[str, float]], name: str) -> float:
    return sum(values[name] for values in seen) / len(seen)


@pytest.mark.parametrize("chip", CHIPS)
def test_every_chip_stays_within_its_table_and_its_units(chip: str) -> None:
    bench = Bench(SimulatedGroup(chip, 2, JOB))
    entry = load_chips().by_name[chip]
    [info, _] = bench.source.discover()
    assert (info.origin, info.chip, info.vendor) == ("simulated", chip, entry.vendor)
    assert load_chips().match(info.name) is entry
    by_name = catalogue().by_name
    seen = bench.run(120)
    for values in seen:
        for name, value in values.items():
            if by_name[name].unit == "ratio":
                assert 0 <= value <= 1, name
            if by_name[name].kind != "gauge":
                assert isinstance(value, int), name
        assert values["core_clock_mhz"] <= (entry.clock_mhz or 1800) + 8
        assert values["power_w"] <= (entry.tdp_w or 350) * entry.dies
        assert 20 <= values["chip_temp_c"] <= 105
        assert values["hbm_used_bytes"] <= info.memory_bytes
    assert mean(seen, "busy") > 0.9
    assert len({values["power_w"] for values in seen}) > 30


@pytest.mark.parametrize("chip", ["H100", "910B2", "MI300X"])
def test_the_energy_is_the_power_over_time(chip: str) -> None:
    bench = Bench(SimulatedGroup(chip, 1, JOB))
    before = bench.run(1)[0]["energy_mj"]
    seen = bench.run(600)
    energies = [before, *(values["energy_mj"] for values in seen)]
    assert all(b >= a for a, b in itertools.pairwise(energies))
    assert (energies[-1] - before) / 1000 == pytest.approx(sum(values["power_w"] for values in seen), rel=0.002)


def test_counters_never_fall() -> None:
    bench = Bench(SimulatedGroup("H100", 1, JOB))
    counters = {m.name for m in catalogue().of("device") if m.kind == "counter"}
    seen = bench.run(100)
    for before, after in itertools.pairwise(seen):
        assert all(after[name] >= before[name] for name in counters & before.keys())
    assert seen[-1]["link_tx_bytes"] > seen[0]["link_tx_bytes"]


def test_percents_are_whole_where_the_vendor_gives_whole_ones() -> None:
    ascend = Bench(SimulatedGroup("910B2", 1, JOB)).run(30)
    nvidia = Bench(SimulatedGroup("H100", 1, JOB)).run(30)
    assert all(round(v["core_active"] * 100) / 100 == v["core_active"] for v in ascend)
    assert all(round(v["busy"] * 100) / 100 == v["busy"] for v in nvidia)
    assert any(round(v["core_active"] * 100) / 100 != v["core_active"] for v in nvidia)


def test_what_a_chip_cant_tell_is_no_metric_of_it() -> None:
    a100 = Bench(SimulatedGroup("A100-80G", 1, JOB)).sample()
    assert {"core_active", "tensor_active", "hbm_bw_active"}.isdisjoint(a100)
    assert {"busy", "energy_mj", "link_tx_bytes"} <= a100.keys()
    assert "power_limit_w" not in Bench(SimulatedGroup("910B2", 1, JOB)).sample(metric_class="slow")
    assert "tensor_active" not in Bench(SimulatedGroup("MI300X", 1, JOB)).sample()


def test_a_packages_power_stands_on_its_first_die() -> None:
    bench = Bench(SimulatedGroup("910C", 4, JOB))
    infos = bench.source.discover()
    assert [info.package_uid for info in infos] == ["sim:n:package-0"] * 2 + ["sim:n:package-1"] * 2
    assert {info.power_scope for info in infos} == {"package"}
    assert ["power_w" in bench.sample(index) for index in range(4)] == [True, False, True, False]
    assert "tensor_active" in bench.sample(1)


def test_the_same_seed_gives_the_same_figures() -> None:
    group = SimulatedGroup("H20", 1, JOB)
    first, again, other = (Bench(group, seed=seed).run(20) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_second_reading_at_the_same_time_changes_nothing_that_rises() -> None:
    bench = Bench(SimulatedGroup("H100", 1, JOB))
    bench.run(5)
    assert bench.sample()["energy_mj"] == bench.sample()["energy_mj"]


def test_the_rhythm_of_the_steps_shows() -> None:
    seen = Bench(SimulatedGroup("H100", 1, Workload(step_s=20.0, compute_share=0.5))).run(60)
    active = [values["tensor_active"] > 0.3 for values in seen]
    assert sum(a != b for a, b in itertools.pairwise(active)) in (5, 6)


def test_a_device_without_a_job_is_at_rest() -> None:
    seen = Bench(SimulatedGroup("H100", 1, None)).run(20)
    assert mean(seen, "busy") == 0
    assert mean(seen, "power_w") < 200
    assert seen[-1]["core_clock_mhz"] < 600


def test_a_throttled_chip_is_hot_slow_and_says_so() -> None:
    bench = Bench(faulty("throttle"))
    ill, well = bench.run(120, 0)[60:], bench.run(120, 1)[60:]
    assert mean(ill, "core_clock_mhz") < 0.7 * mean(well, "core_clock_mhz")
    assert mean(ill, "chip_temp_c") > mean(well, "chip_temp_c") + 5
    assert ill[-1]["throttle_thermal_ns"] > ill[0]["throttle_thermal_ns"]
    assert well[-1]["throttle_thermal_ns"] == 0


def test_an_idle_job_holds_its_device_and_does_nothing() -> None:
    bench = Bench(faulty("idle"))
    assert mean(bench.run(10), "busy") == 0
    assert bench.sample()["hbm_used_bytes"] > 50 << 30
    uid = bench.source.all_devices()[0].uid
    assert len(bench.source.processes(uid)) == 1  # type: ignore[arg-type]


def test_a_slow_host_leaves_its_devices_without_work() -> None:
    bench = Bench(faulty("slow_host", None))
    assert mean(bench.run(30), "busy") < 0.95


def test_a_lost_device_is_gone_and_comes_back() -> None:
    bench = Bench(faulty("lost", to_s=50.0))
    assert [info.index for info in bench.source.discover()] == [1]
    with pytest.raises(DeviceLost):
        bench.sample(0)
    bench.now_s += 50
    assert len(bench.source.discover()) == 2
    assert bench.sample(0)


def test_a_slow_link_carries_less_and_tells_errors() -> None:
    bench = Bench(faulty("slow_link"))
    ill, well = bench.run(60, 0), bench.run(60, 1)
    assert 0 < mean(ill, "link_tx_bytes_per_s") < 0.5 * mean(well, "link_tx_bytes_per_s")
    assert bench.sample(0, "slow")["link_errors"] > bench.sample(1, "slow")["link_errors"] == 0


def test_errors_in_memory_are_counted_from_their_time_on() -> None:
    faults = tuple(Fault("ecc", device, at_s, math.inf) for device, at_s in ((0, -5.0), (None, 10.0), (1, 99.0)))
    bench = Bench(SimulatedGroup("H100", 2, JOB, faults))
    assert [bench.sample(index, "slow")["ecc_uncorrected"] for index in (0, 1)] == [1, 0]
    bench.now_s += 10
    assert [bench.sample(index, "slow")["ecc_uncorrected"] for index in (0, 1)] == [2, 1]


def test_a_hung_device_keeps_its_caller_until_it_is_well() -> None:
    bench = Bench(faulty("hung", to_s=30.0))
    bench.now_s += 10
    bench.sample(1)
    assert bench.slept_s == []
    bench.sample(0)
    assert bench.slept_s == [20.0]


def test_processes_end_with_their_job() -> None:
    bench = Bench(SimulatedGroup("H100", 1, Workload(to_s=10.0)))
    uid = bench.source.all_devices()[0].uid
    assert len(bench.source.processes(uid)) == 1  # type: ignore[arg-type]
    bench.now_s += 10
    assert bench.source.processes(uid) == []


def test_a_text_says_what_to_simulate() -> None:
    source: Source = open_simulator("2xH100, MI300X", node="n")
    assert [(info.chip, info.index) for info in source.discover()] == [("H100", 0), ("H100", 1), ("MI300X", 2)]


@pytest.mark.parametrize("text", ["", "8xNone", "0xH100", "99999xH100"])
def test_a_text_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        open_simulator(text, node="n")
