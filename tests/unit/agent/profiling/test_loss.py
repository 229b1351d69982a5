"""What windows cost: worked examples, honest bounds, and how the schedule follows."""

import random

import pytest

from steelyard_agent.profiling.budget import LONGEST_PERIOD_S, Budget
from steelyard_agent.profiling.loss import Loss, loss_of, student
from steelyard_agent.profiling.step_log import StepLog, Steps
from steelyard_efficiency.student import quantile
from steelyard_proto.v1 import batch_pb2


def steps(seconds: list[float], marked: frozenset[int] = frozenset()) -> list[Steps]:
    """Rows of one step each, from the time 0."""
    rows, at_ms = [], 0.0
    for number, length in enumerate(seconds):
        at_ms += 1000 * length
        rows.append(Steps(round(at_ms), 1, length, number in marked))
    return rows


def test_a_worked_example() -> None:
    lengths = [0.1] * 200
    lengths[100] = 0.6
    # In the window: the long step, and the one after it.
    found = loss_of(steps(lengths), (10_050, 10_650))
    assert found is not None
    assert found.loss_s == pytest.approx(0.5)
    assert (found.low_s, found.high_s) == pytest.approx((0.5, 0.5))


def test_what_is_spread_over_rows_of_several_steps_is_the_same() -> None:
    rows = [Steps(400 * (n + 1), 4, 0.1, False) for n in range(50)]
    rows[25] = Steps(rows[25].end_ms + 200, 4, 0.15, False)
    rows[26:] = [Steps(row.end_ms + 200, 4, 0.1, False) for row in rows[26:]]
    found = loss_of(rows, (rows[25].begin_ms + 1, rows[25].end_ms - 1))
    assert found is not None
    assert found.loss_s == pytest.approx(0.2)


def test_a_slower_past_is_not_taken_for_a_gain() -> None:
    found = loss_of(steps([0.2] * 100 + [0.15] + [0.1] * 100), (20_001, 20_149))
    assert found is not None
    assert found.loss_s == pytest.approx(0.0, abs=1e-9)


def test_a_checkpoint_in_the_window_and_too_few_steps_give_nothing() -> None:
    lengths = [0.1] * 100
    assert loss_of(steps(lengths, frozenset({50})), (5_050, 5_200)) is None
    assert loss_of(steps(lengths), (9_850, 9_950)) is None, "too few behind it"
    assert loss_of(steps(lengths), (20_000, 20_100)) is None, "none in it"
    assert loss_of([], (0, 1)) is None


def test_other_windows_are_neither_neighbours_nor_placebos() -> None:
    lengths = [0.1] * 300
    lengths[100] = lengths[120] = 1.0
    rows = steps(lengths)
    alone = loss_of(rows, (10_050, 11_000), [(12_900, 13_890)])
    assert alone is not None
    assert alone.loss_s == pytest.approx(0.9)
    assert alone.spread_s == pytest.approx(0.0, abs=1e-9)
    seen = loss_of(rows, (10_050, 11_000))
    assert seen is not None
    assert seen.spread_s > 0.05


def test_the_bounds_hold_the_truth_as_often_as_they_say() -> None:
    draw = random.Random(5)
    held = 0
    for _ in range(200):
        lengths = [0.1 * draw.lognormvariate(0, 0.2) for _ in range(200)]
        lengths[100] += 0.05
        rows = steps(lengths)
        found = loss_of(rows, (rows[99].end_ms - 20, rows[100].end_ms))
        assert found is not None
        held += found.low_s <= 0.05 <= found.high_s
    assert 180 <= held <= 200


@pytest.mark.parametrize("freedom", [4, 5, 10, 30, 100])
def test_students_quantile(freedom: int) -> None:
    assert student(freedom) == pytest.approx(quantile(0.975, freedom), rel=0.01)


def loss(seconds: float, spread_s: float = 0.0) -> Loss:
    return Loss(seconds, seconds - spread_s, seconds + spread_s, spread_s, 50)


def test_the_schedule_slows_down_while_the_upper_bound_is_over_the_budget() -> None:
    budget = Budget(0.002, 600.0)
    assert budget.period_s(1) == 600.0
    budget.add(loss(0.5))
    assert budget.period_s(1) == 600.0
    assert budget.period_s(8) == pytest.approx(8 * 0.5 / 0.002), "each node's window holds up all nodes"
    budget.add(loss(3.5))
    assert budget.period_s(1) == pytest.approx(1000.0)
    assert budget.period_s(10_000) == LONGEST_PERIOD_S


def test_more_windows_narrow_the_bound_and_noise_widens_it() -> None:
    budget = Budget(0.002, 600.0)
    budget.add(loss(0.0, 5.0))
    wide_s = budget.period_s(1)
    for _ in range(20):
        budget.add(loss(0.0, 5.0))
    assert 600.0 < budget.period_s(1) < wide_s / 3


def test_the_log_of_steps_forgets_an_earlier_process_of_the_pid() -> None:
    log = StepLog()
    log.take([batch_pb2.Step(pid=7, start_ms=1, ts_ms=100, steps=2, step_time_s=0.01, run="a")])
    assert log.has(7, 1)
    assert log.rows(7, 1) == (Steps(100, 2, 0.01, False),)
    log.take([batch_pb2.Step(pid=7, start_ms=2, ts_ms=200, steps=1, run="b")])
    assert not log.has(7, 1)
    assert (log.has(7, 2), log.rows(7, 2), log.run_of(7)) == (True, (), "b")
