"""Simulated profiles: parts add up to the window, ranks take turns, names are those of the vendor's software."""

from dataclasses import replace

import pytest

from steelyard_agent.devices.simulator.device import slowdown_factor
from steelyard_agent.devices.simulator.faults import FaultKind
from steelyard_agent.devices.simulator.workload import Slowdown, Workload
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.model import DeviceInfo
from steelyard_agent.simulate.plan import JobPlan, NodeJob, NodeSpan, Placement
from steelyard_agent.simulate.profiles import PERIOD_MS, SimulatedProfiler, Window
from steelyard_agent.simulate.steps import End

NOW_MS = 1_764_000_000_000
END = End(9, 60.0, 2.0, is_checkpoint=False)


def processes(vendor: str, ranks: int = 2) -> list[tuple[DeviceInfo, ProcessFacts]]:
    return [
        (
            DeviceInfo(uid=f"d{rank}", vendor=vendor, kind="npu", name="a chip", metrics={}, index=rank),
            ProcessFacts(
                100 + rank, NOW_MS - 5, "python3", "me", "", JobIdentity("17", "slurm"), Ranks(rank, rank, ranks)
            ),
        )
        for rank in range(ranks)
    ]


def window(profiler: SimulatedProfiler, vendor: str, at_ms: int, *, is_checkpoint: bool = False) -> Window | None:
    plan = JobPlan("17", "llama", (NodeSpan("n"),), tokens_per_step=8192, parameters=10**9)
    job = NodeJob(plan, Placement("17", 0, 2, 0, 2), Workload(step_s=2.0, compute_share=0.8))
    ends = [replace(END, is_checkpoint=is_checkpoint)]
    return profiler.window(job, ends, processes(vendor), at_ms, lambda info: info.index + 1)


@pytest.mark.parametrize("vendor", ["nvidia", "amd", "huawei"])
def test_parts_add_up_to_the_window_and_everything_is_of_the_profile(vendor: str) -> None:
    found = window(SimulatedProfiler("n", 1, lambda _: ()), vendor, NOW_MS)
    assert found is not None
    profile = found.profile
    parts = [row for row in found.rows if row.by == "part"]
    assert sum(row.total_ns for row in parts) == profile.window_ns == 6_000_000_000
    assert sum(row.total_ns for row in parts if row.layer == "compute") == profile.compute_ns
    exposed = sum(row.total_ns for row in parts if row.layer == "communication")
    assert exposed == profile.communication_ns - profile.overlapped_ns > 0
    assert sum(row.total_ns for row in found.rows if row.by == "type") == profile.kernels_ns
    assert {row.profile for row in found.rows} == {stack.profile for stack in found.stacks} == {profile.id}
    assert sum(stack.samples for stack in found.stacks) == profile.samples
    assert any(row.class_name == "format conversion" for row in found.rows) is (vendor == "huawei")


def test_ranks_take_turns_and_a_checkpoint_is_not_profiled() -> None:
    profiler = SimulatedProfiler("n", 1, lambda _: ())
    first = window(profiler, "nvidia", NOW_MS)
    assert window(profiler, "nvidia", NOW_MS + PERIOD_MS // 2) is None
    later = NOW_MS + 2 * PERIOD_MS
    assert window(profiler, "nvidia", later, is_checkpoint=True) is None
    second = window(profiler, "nvidia", later)
    assert first is not None
    assert second is not None
    assert (first.profile.rank, second.profile.rank) == (0, 1)
    assert first.profile.id != second.profile.id


@pytest.mark.parametrize(
    ("kind", "slow", "part"),
    [
        ("throttle", {2}, "compute"),
        ("slow_host", {2}, "data wait"),
        # A link of one rank is its group's, and the others wait for them.
        ("slow_link", {2, 3}, "all-reduce"),
    ],
)
def test_windows_show_who_holds_a_job_up_and_by_what(kind: FaultKind, slow: set[int], part: str) -> None:
    slowdown = Slowdown(0.0, 1e9, slowdown_factor(0.8, {kind}))
    workload = Workload(step_s=2.0, compute_share=0.8, slowdowns=(slowdown,))
    plan = JobPlan("17", "llama", (NodeSpan("n"),), tokens_per_step=8192, tensor_parallel=2)
    job = NodeJob(plan, Placement("17", 0, 4, 0, 4), workload)
    profiler = SimulatedProfiler("n", 1, lambda info: {kind} if info.index == 2 else ())
    parts: dict[int, dict[str, float]] = {}
    for turn in range(4):
        at_ms = NOW_MS + turn * 2 * PERIOD_MS
        found = profiler.window(job, [END], processes("nvidia", 4), at_ms, lambda info: info.index + 1)
        assert found is not None
        told = parts[found.profile.rank] = {"compute": found.profile.compute_ns / found.profile.window_ns}
        for row in found.rows:
            if row.by == "part" and row.layer != "compute":
                told[row.name] = row.total_ns / found.profile.window_ns
    well = parts.keys() - slow
    assert min(parts[rank][part] for rank in slow) > max(parts[rank][part] for rank in well) + 0.1
    assert max(parts[rank]["reduce-scatter"] for rank in slow) < min(parts[rank]["reduce-scatter"] for rank in well)
