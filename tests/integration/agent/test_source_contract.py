"""What every source promises, whatever it reads: the rules of devices/base.py, one test for all of them.

Vendors' sources run on their stand-in libraries, the replay on a recording of one, another package's is that of
docs/sources.md; the CPU and the host are this machine's own. What happens to devices is in test_source_troubles.py.
"""

import ctypes
import gc
import math
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from steelyard_agent.devices.base import EventSource
from steelyard_agent.model import Absent, DeviceInfo, Value
from steelyard_proto.chips import load_chips
from steelyard_proto.errors import DeviceError, DeviceLost
from steelyard_proto.metrics import Metric, MetricClass, catalogue
from tests.integration.agent.source_cases import CASES, Clock, Rig
from tests.standins.build import build
from tests.standins.open_files import open_files
from tests.standins.scenario import VARIABLE, Scenario

CLASSES: Final[tuple[MetricClass, ...]] = ("fast", "slow", "processes")
TICKS: Final = 6

# unit -> what a figure of it can be on any machine there is
PLAUSIBLE: Final[Mapping[str, tuple[float, float]]] = {
    "ratio": (0, 1),
    "MHz": (1, 20_000),
    "W": (0, 5_000),
    "C": (-60, 250),
    "V": (0.1, 20),
    "bytes": (0, 1e16),
    "bytes/s": (0, 1e13),
    "GT/s": (2.5, 128),
    "count": (0, 1e12),
    "level": (0, 1e6),
}


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
                check_figure(metric, value, info)


def check_figure(metric: Metric, value: Value, info: DeviceInfo) -> None:
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


def test_nothing_grows(rig: Rig, request: pytest.FixtureRequest) -> None:
    infos = rig.source.discover()
    told = rig.source.events if isinstance(rig.source, EventSource) else None
    case = CASES[request.node.callspec.params["rig"]]

    def run(ticks: int) -> Grown:
        """So many ticks of one device, with all else at the daemon's pace; what has grown by them."""
        before = Grown.now()
        for number in range(ticks):
            rig.clock.advance(case.tick_s)
            rig.source.sample(infos[0].uid, "fast")
            if told is not None:
                told()
            if number % 10 == 0 and rig.source.capabilities.has_processes:
                rig.source.processes(infos[0].uid)
            if number % 60 == 0:
                rig.source.sample(infos[-1].uid, "slow")
            if number % 300 == 0:
                rig.source.discover()
        return Grown.now().since(before)

    run(case.ticks // 10)
    # What grows without end grows in both halves; a table that is made larger once does in one.
    first, second = run(case.ticks // 2), run(case.ticks // 2)
    assert min(first.files, second.files) <= 0
    assert min(first.threads, second.threads) <= 0
    # An exporter's stand-in is in this process too, and keeps some texts of its own for a while.
    assert min(first.blocks, second.blocks) <= 250
    assert min(first.allocated_bytes, second.allocated_bytes) <= 1 << 16
    assert min(first.resident_bytes, second.resident_bytes) <= 1 << 18


@dataclass(frozen=True)
class Grown:
    """What this process holds, or what it holds more.

    Attributes:
        blocks: of Python's allocator, one or two for each object.
        allocated_bytes: by C's, large objects and libraries among them; 0 where the C library doesn't say.
    """

    files: int
    threads: int
    blocks: int
    allocated_bytes: int
    resident_bytes: int

    @classmethod
    def now(cls) -> "Grown":
        gc.collect()
        return cls(
            open_files().total(),
            threading.active_count(),
            sys.getallocatedblocks(),
            _allocated_bytes(),
            _resident_bytes(),
        )

    def since(self, before: "Grown") -> "Grown":
        return Grown(
            self.files - before.files,
            self.threads - before.threads,
            self.blocks - before.blocks,
            self.allocated_bytes - before.allocated_bytes,
            self.resident_bytes - before.resident_bytes,
        )


class _Mallinfo2(ctypes.Structure):
    """Of malloc.h."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def _allocated_bytes() -> int:
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = _Mallinfo2
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)


def test_closing_gives_everything_back(rig: Rig) -> None:
    files, threads = open_files(), set(threading.enumerate())
    infos = rig.source.discover()
    for info in infos:
        rig.source.sample(info.uid, "fast")
    rig.source.close()
    gc.collect()
    # A thread that waits for events ends when its wait does, two seconds later at most.
    deadline_s = time.monotonic() + 60
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not left
    assert not open_files() - files


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
