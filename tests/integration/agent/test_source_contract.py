"""What every source promises, whatever it reads: the rules of devices/base.py, one test for all of them.

Vendors' sources run on their stand-in libraries, the replay on a recording of one; the CPU and the host are this
machine's own.
"""

import gc
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from steelyard_agent.devices.base import Source
from steelyard_agent.model import Absent, DeviceInfo, Origin, Value
from steelyard_proto.chips import load_chips
from steelyard_proto.errors import DeviceError, DeviceLost
from steelyard_proto.metrics import Metric, MetricClass, catalogue
from tests.integration.agent.source_cases import CASES, Clock
from tests.standins.amdgpu_tree import BOARDS, AmdTree
from tests.standins.build import build
from tests.standins.exporter import ExporterServer
from tests.standins.scenario import VARIABLE, Scenario

CLASSES: Final[tuple[MetricClass, ...]] = ("fast", "slow", "processes")
TICKS: Final = 6
MANY_TICKS: Final = 800

# unit -> what a figure of it can be on any machine there is
PLAUSIBLE: Final[Mapping[str, tuple[float, float]]] = {
    "ratio": (0, 1),
    "MHz": (1, 20_000),
    "W": (0, 5_000),
    "C": (-60, 250),
    "V": (0.1, 20),
    "bytes": (0, 1e16),
    "bytes/s": (0, 1e13),
    "count": (0, 1e12),
    "level": (0, 1e6),
}


@dataclass(frozen=True)
class Rig:
    """A source, how time passes for it, and what it shall say of its figures' origin."""

    source: Source
    advance: Callable[[float], None]
    origin: Origin = "measured"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, tuple[str, ...]], Path]:
    """Compiles each stand-in once."""
    return cache(lambda name, without: build(name, tmp_path_factory.mktemp(name), without=without))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 8 H100, recorded by the program."""
    folder = tmp_path_factory.mktemp("recording")
    build("nvml", folder)
    settings = ["sources.cpu=false", "sources.dcmi=false", "sampling.fast_period_ms=200"]
    command = [sys.executable, "-m", "steelyard_agent.cli", "record", str(folder / "recording"), "--seconds", "2"]
    command += [part for setting in settings for part in ("--set", setting)]
    environ = {"LD_LIBRARY_PATH": str(folder), "HOME": str(folder)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "recording"


@pytest.fixture(params=CASES)
def rig(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    libraries: Callable[[str, tuple[str, ...]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig]:
    case, clock = CASES[request.param], Clock()
    advance = clock.advance
    if case.standin:
        # A copy, so that each test has a library of its own: one that was loaded before keeps its state.
        shutil.copy(libraries(case.standin, case.without), tmp_path)
        monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
        scenario = Scenario(tmp_path / "scenario", devices=4, **dict(case.scenario))

        def advance(seconds: float) -> None:
            clock.advance(seconds)
            scenario.set({"clock": clock.now_s})

        advance(0)
    if case.board:
        tree = AmdTree(tmp_path, BOARDS[case.board], count=4)
        tree.hold(4711, 0, 1 << 30)

        def advance(seconds: float) -> None:
            clock.advance(seconds)
            tree.tick(clock.now_s)

    exporter = ExporterServer() if case.page else None
    if exporter and (page := case.page):
        (tmp_path / "exporter").write_text(exporter.url, encoding="ascii")
        exporter.page = page(clock.now_s)

        def advance(seconds: float) -> None:
            clock.advance(seconds)
            exporter.page = page(clock.now_s)

    if case.origin == "replayed":
        shutil.copy(request.getfixturevalue("recording"), tmp_path / "recording")
    source = case.make(tmp_path, clock)
    yield Rig(source, advance, case.origin)
    source.close()
    if exporter:
        exporter.close()


def metrics_of(info: DeviceInfo, metric_class: MetricClass) -> list[Metric]:
    return [catalogue().by_id[number] for number in info.metrics.get(metric_class, ())]


def sampled(rig: Rig, info: DeviceInfo) -> list[tuple[Metric, Value]]:
    found: list[tuple[Metric, Value]] = []
    for metric_class in CLASSES:
        values = rig.source.sample(info.uid, metric_class)
        found.extend(zip(metrics_of(info, metric_class), values, strict=True))
    return found


def test_devices_are_told_apart_and_marked(rig: Rig) -> None:
    infos = rig.source.discover()
    assert infos
    assert len({info.uid for info in infos}) == len(infos)
    for info in infos:
        assert info.uid
        assert info.vendor
        assert info.name
        assert info.origin == rig.origin
        assert info.memory_bytes >= 0


def test_metrics_stand_in_the_catalogue_once(rig: Rig) -> None:
    entity = rig.source.capabilities.entity
    for info in rig.source.discover():
        numbers = [number for metric_class in CLASSES for number in info.metrics.get(metric_class, ())]
        assert numbers
        assert len(set(numbers)) == len(numbers)
        for metric_class in CLASSES:
            for metric in metrics_of(info, metric_class):
                assert (metric.entity, metric.metric_class, metric.retired) == (entity, metric_class, "")
        for name in info.notes:
            assert name in catalogue().by_name


def test_figures_are_of_their_kind_and_can_be(rig: Rig) -> None:
    infos = rig.source.discover()
    for _ in range(TICKS):
        rig.advance(1)
        for info in infos:
            for metric, value in sampled(rig, info):
                _check(metric, value, info)


def _check(metric: Metric, value: Value, info: DeviceInfo) -> None:
    where = f"{info.uid} {metric.name} {value}"
    if isinstance(value, Absent):
        assert value.reason, where
        return
    assert not isinstance(value, bool), where
    if metric.kind == "gauge":
        assert isinstance(value, float), where
        assert math.isfinite(value), where
    else:
        assert isinstance(value, int), where
        assert 0 <= value < 1 << 63, where
    if metric.unit in PLAUSIBLE:
        low, high = PLAUSIBLE[metric.unit]
        assert low <= value <= high, where
    chip = load_chips().by_name.get(info.chip)
    if chip is not None and chip.tdp_w and metric.name == "power_w":
        assert 0 < value <= 1.5 * chip.tdp_w * (chip.dies if info.power_scope == "package" else 1), where


def test_memory_in_use_fits_the_memory(rig: Rig) -> None:
    for info in rig.source.discover():
        values = {metric.name: value for metric, value in sampled(rig, info)}
        used, total = values.get("hbm_used_bytes"), values.get("hbm_total_bytes")
        if isinstance(used, float) and isinstance(total, float):
            assert 0 < used <= total


def test_most_figures_are_there(rig: Rig) -> None:
    infos = rig.source.discover()
    for info in infos:
        rig.source.sample(info.uid, "fast")
    rig.advance(1)
    # The CPU's and the host's activity needs time that really passes.
    time.sleep(0.03)
    for info in infos:
        fast = rig.source.sample(info.uid, "fast")
        present = [value for value in fast if not isinstance(value, Absent)]
        assert len(present) >= 0.5 * len(fast)


def test_counters_only_rise(rig: Rig) -> None:
    infos = rig.source.discover()
    before: dict[tuple[str, str], int] = {}
    for _ in range(TICKS):
        rig.advance(1)
        for info in infos:
            for metric, value in sampled(rig, info):
                # One that wraps may start again at any tick.
                if metric.kind != "counter" or metric.bits or isinstance(value, Absent):
                    continue
                assert value >= before.get((info.uid, metric.name), 0), f"{info.uid} {metric.name}"
                before[info.uid, metric.name] = int(value)


def test_same_answer_twice_and_after_closing(rig: Rig) -> None:
    first = rig.source.discover()
    assert rig.source.discover() == first
    rig.source.close()
    if rig.source.name in ("cpu", "host"):
        return  # they keep files open that closing gives back for good
    again = rig.source.discover()
    assert [info.uid for info in again] == [info.uid for info in first]
    assert [info.metrics for info in again] == [info.metrics for info in first]


def test_processes_are_pids_or_a_reason(rig: Rig) -> None:
    infos = rig.source.discover()
    if not rig.source.capabilities.has_processes:
        pytest.skip("the source tells no processes")
    for info in infos:
        holders = rig.source.processes(info.uid)
        if isinstance(holders, Absent):
            assert holders.reason
            continue
        for holder in holders:
            assert 0 < holder.pid < 1 << 22
            assert holder.hbm_used_bytes is None or holder.hbm_used_bytes >= 0


def test_polling_harms_nothing(rig: Rig) -> None:
    infos = rig.source.discover()
    for _ in range(10):
        rig.advance(0.1)
        for info in infos:
            rig.source.poll(info.uid)
    rig.advance(1)
    for info in infos:
        assert rig.source.sample(info.uid, "fast")


@pytest.mark.parametrize("metric_class", CLASSES)
def test_unknown_device_is_lost(rig: Rig, metric_class: MetricClass) -> None:
    rig.source.discover()
    with pytest.raises(DeviceLost) as caught:
        rig.source.sample("there is no such device", metric_class)
    assert caught.value.device == "there is no such device"
    assert caught.value.vendor


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("nvml-h100", {"driver_gone": 999}),
        ("nvml-h100", {"lost.1": 1}),
        ("dcmi-910b", {"lost.1": 1}),
        ("dcmi-910b", {"held.1": -8005}),
        ("dcmi-910b", {"booting.1": 1}),
    ],
)
def test_a_failing_device_gives_no_figures(
    name: str, keys: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, clock = CASES[name], Clock()
    build(case.standin, tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
    scenario = Scenario(tmp_path / "scenario", devices=2, clock=clock.now_s)
    source = case.make(tmp_path, clock)
    infos = source.discover()
    clock.advance(1)
    scenario.set({"clock": clock.now_s, **keys})
    with pytest.raises(DeviceError) as caught:
        source.sample(infos[1].uid, "fast")
    assert caught.value.call
    assert caught.value.code is not None
    source.close()


def test_nothing_grows(rig: Rig) -> None:
    infos = rig.source.discover()

    def run(ticks: int) -> None:
        for _ in range(ticks):
            for info in infos:
                rig.source.sample(info.uid, "fast")
        for info in infos:
            rig.source.sample(info.uid, "slow")
            if rig.source.capabilities.has_processes:
                rig.source.processes(info.uid)

    run(MANY_TICKS // 4)
    gc.collect()
    files, threads, memory = _open_files(), set(threading.enumerate()), _resident_bytes()
    run(MANY_TICKS)
    gc.collect()
    assert _open_files() == files
    assert not set(threading.enumerate()) - threads
    assert _resident_bytes() - memory < 1 << 20


def test_closing_gives_everything_back(rig: Rig) -> None:
    files, threads = _open_files(), set(threading.enumerate())
    infos = rig.source.discover()
    for info in infos:
        rig.source.sample(info.uid, "fast")
    rig.source.close()
    gc.collect()
    # A thread that waits for events ends when its wait does, a second later at most.
    deadline_s = time.monotonic() + 5
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not left
    assert _open_files() == files


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
