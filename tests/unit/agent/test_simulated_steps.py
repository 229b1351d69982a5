"""Simulated steps are those of the workload: none lost between two looks, checkpoints and slow times in their time."""

import pytest

from steelyard_agent.devices.simulator.workload import Slowdown, Workload, steps_done
from steelyard_agent.simulate.steps import End, JobSteps, by_minute


def ends(workload: Workload, to_s: int, every_s: float = 1.0) -> list[End]:
    steps = JobSteps(workload, 0.0)
    return [end for look in range(1, int(to_s / every_s) + 1) for end in steps.until(look * every_s)]


@pytest.mark.parametrize("every_s", [1.0, 7.0])
def test_each_step_stands_once_however_often_one_looks(every_s: float) -> None:
    workload = Workload(step_s=0.7, steps_per_checkpoint=1000, from_s=0.0)
    found = ends(workload, 70, every_s)
    assert [end.number for end in found] == list(range(2, steps_done(workload, 70.0) + 1))
    assert all(end.took_s == pytest.approx(0.7, abs=1e-3) for end in found)


def test_the_step_after_a_checkpoint_is_marked_and_has_its_time() -> None:
    found = ends(Workload(step_s=2.0, steps_per_checkpoint=5, checkpoint_s=6.0, from_s=0.0), 40)
    assert [end.number for end in found if end.is_checkpoint] == [6, 11]
    assert all(end.took_s == pytest.approx(8.0 if end.is_checkpoint else 2.0, abs=1e-3) for end in found)


def test_a_slowdown_makes_steps_longer() -> None:
    workload = Workload(step_s=2.0, steps_per_checkpoint=1000, from_s=0.0, slowdowns=[Slowdown(20.0, 40.0, 1.25)])
    found = ends(workload, 60)
    assert [end.took_s for end in found if 23 < end.at_s < 40] == pytest.approx([2.5] * 6, abs=1e-3)
    assert [end.took_s for end in found if end.at_s < 20] == pytest.approx([2.0] * 8, abs=1e-3)


def test_the_steps_of_a_past_minute_are_one_row_and_checkpoints_stay_apart() -> None:
    found = ends(Workload(step_s=2.0, steps_per_checkpoint=20, checkpoint_s=6.0, from_s=0.0), 180)
    rows = by_minute(found, zero_ms=0)
    assert sum(row.steps for row in rows) == len(found)
    assert rows[-1].number == found[-1].number
    assert [row.steps for row in rows if row.is_checkpoint] == [1, 1, 1]
    assert len({(int(row.at_s // 60), row.is_checkpoint) for row in rows}) == 6
    assert all(row.took_s == pytest.approx(8.0 if row.is_checkpoint else 2.0, abs=1e-3) for row in rows)
