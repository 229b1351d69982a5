from dataclasses import replace

import pytest

from steelyard_agent.devices.simulator.workload import IDLE, Slowdown, Workload, load_of, steps_done

JOB = Workload(step_s=4.0, compute_share=0.75, steps_per_checkpoint=10, checkpoint_s=8.0, from_s=0.0)


def test_a_window_of_one_step_shows_the_steps_shares() -> None:
    load = load_of(JOB, 4.0, 4.0)
    assert load.running == pytest.approx(1.0)
    assert load.compute == pytest.approx(0.75)


@pytest.mark.parametrize(("at_s", "compute"), [(1.0, 1.0), (3.0, 1.0), (3.5, 0.5), (4.0, 0.0)])
def test_a_device_computes_first_and_communicates_then(at_s: float, compute: float) -> None:
    assert load_of(JOB, at_s, 1.0).compute == pytest.approx(compute)


def test_seconds_add_up_to_the_whole() -> None:
    seconds = [load_of(JOB, float(at), 1.0) for at in range(1, 97)]
    whole = load_of(JOB, 96.0, 96.0)
    assert sum(load.compute for load in seconds) == pytest.approx(96 * whole.compute)
    assert sum(load.running for load in seconds) == pytest.approx(80)  # two rounds of ten steps, two checkpoints


def test_nothing_runs_during_a_checkpoint() -> None:
    assert load_of(JOB, 44.0, 1.0) == IDLE


def test_nothing_runs_before_the_start_and_after_the_end() -> None:
    job = replace(JOB, from_s=10.0, to_s=20.0)
    assert load_of(job, 9.0, 1.0) == IDLE
    assert load_of(job, 30.0, 1.0) == IDLE
    assert load_of(job, 11.0, 1.0).running == pytest.approx(1.0)
    assert load_of(job, 20.5, 1.0).running == pytest.approx(0.5, abs=0.01)


def test_a_slow_rank_makes_all_ranks_slow() -> None:
    slow = replace(JOB, slowdowns=(Slowdown(0.0, 1000.0, 2.0),))
    assert steps_done(slow, 40.0) == 5
    assert steps_done(JOB, 40.0) == 10
    well, ill = load_of(slow, 8.0, 8.0), load_of(slow, 8.0, 8.0, own_factor=2.0)
    # The others wait in their communication: busy, and half as active.
    assert well.running == pytest.approx(1.0)
    assert well.compute == pytest.approx(0.375)
    assert ill.compute == pytest.approx(0.75)


def test_slow_times_end() -> None:
    job = replace(JOB, slowdowns=(Slowdown(8.0, 16.0, 2.0),))
    assert steps_done(job, 8.0) == 2
    assert steps_done(job, 16.0) == 3
    assert steps_done(job, 24.0) == 5


def test_a_job_that_stalls_is_busy_and_does_nothing() -> None:
    job = replace(JOB, slowdowns=(Slowdown(6.0, 100.0, 1e6),))
    load = load_of(job, 50.0, 1.0)
    assert load.running == pytest.approx(1.0)
    assert load.compute < 0.01
    assert steps_done(job, 100.0) == 1
