"""Simulated profiles: parts add up to the window, ranks take turns, names are those of the vendor's software."""

import pytest

from steelyard_agent.devices.simulator.workload import Workload
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.model import DeviceInfo
from steelyard_agent.simulate.plan import JobPlan, NodeJob, NodeSpan, Placement
from steelyard_agent.simulate.profiles import PERIOD_MS, SimulatedProfiler, Window
from steelyard_agent.simulate.steps import End

NOW_MS = 1_764_000_000_000


def processes(vendor: str) -> list[tuple[DeviceInfo, ProcessFacts]]:
    return [
        (
            DeviceInfo(uid=f"d{rank}", vendor=vendor, kind="npu", name="a chip", metrics={}, index=rank),
            ProcessFacts(100 + rank, NOW_MS - 5, "python3", "me", "", JobIdentity("17", "slurm"), Ranks(rank, rank, 2)),
        )
        for rank in range(2)
    ]


def window(profiler: SimulatedProfiler, vendor: str, at_ms: int, *, is_checkpoint: bool = False) -> Window | None:
    plan = JobPlan("17", "llama", (NodeSpan("n"),), tokens_per_step=8192, parameters=10**9)
    job = NodeJob(plan, Placement("17", 0, 2, 0, 2), Workload(step_s=2.0, compute_share=0.8))
    ends = [End(9, 60.0, 2.0, is_checkpoint)]
    return profiler.window(job, ends, processes(vendor), at_ms, lambda info: info.index + 1)


@pytest.mark.parametrize("vendor", ["nvidia", "amd", "huawei"])
def test_parts_add_up_to_the_window_and_everything_is_of_the_profile(vendor: str) -> None:
    found = window(SimulatedProfiler("n", 1, lambda _: 1.0), vendor, NOW_MS)
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
    profiler = SimulatedProfiler("n", 1, lambda _: 1.0)
    first = window(profiler, "nvidia", NOW_MS)
    assert window(profiler, "nvidia", NOW_MS + PERIOD_MS // 2) is None
    later = NOW_MS + 2 * PERIOD_MS
    assert window(profiler, "nvidia", later, is_checkpoint=True) is None
    second = window(profiler, "nvidia", later)
    assert first is not None
    assert second is not None
    assert (first.profile.rank, second.profile.rank) == (0, 1)
    assert first.profile.id != second.profile.id
