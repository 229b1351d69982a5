"""Ascend NPUs of a stand-in libdcmi: the source over them, bare or behind its guard, and what a metric says."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from steelyard_agent.devices.dcmi.source import DcmiSource
from steelyard_agent.devices.guard import GuardedSource, Reading
from steelyard_agent.model import Absent, DeviceInfo, Value
from steelyard_proto.metrics import MetricClass, catalogue


def source_over(library: Path, clock: Callable[[], float] = time.monotonic, **roots: Path) -> DcmiSource:
    """The source, which finds this library alone."""
    return DcmiSource(library_paths=[str(library)], node="n1", clock=clock, **roots)


def guard_over(
    source: DcmiSource, clock: Callable[[], float] = time.monotonic, deadline_s: float = 0.4
) -> GuardedSource:
    """The source behind its guard, after its first look."""
    guard = GuardedSource(source, deadline_s=deadline_s, monotonic=clock, wall_ms=lambda: 1_000)
    guard.discover()
    return guard


def by_name(info: DeviceInfo, metric_class: MetricClass, values: Sequence[Value]) -> dict[str, Value]:
    """The values by their metrics' names."""
    names = [catalogue().by_id[number].name for number in info.metrics[metric_class]]
    return dict(zip(names, values, strict=True))


def sampled(source: DcmiSource, info: DeviceInfo) -> dict[str, Value]:
    """All that a device tells, of each class, by name."""
    result: dict[str, Value] = {}
    for metric_class in info.metrics:
        result |= by_name(info, metric_class, source.sample(info.uid, metric_class))
    return result


def tick(guard: GuardedSource) -> dict[int, dict[str, Value]]:
    """One tick of the fast class: what each NPU says, by its index."""
    guard.start_tick(["fast"])
    readings: list[Reading] = guard.collect(30.0)
    return {info.index: by_name(info, metric_class, values) for info, metric_class, values in readings}


def reasons(values: dict[str, Value]) -> set[str]:
    """Why a device's figures are absent; empty where one is there."""
    if not all(isinstance(value, Absent) for value in values.values()):
        return set()
    return {value.reason for value in values.values() if isinstance(value, Absent)}
