from hypothesis import given
from hypothesis import strategies as st

from steelyard_agent.sampling.schedule import Schedule, Task, TickCounts, run_due


def test_deadlines_do_not_drift():
    counts = TickCounts()
    schedule = Schedule(1.0, 10.0, counts)
    assert not schedule.take(9.99)
    assert schedule.take(10.05)
    assert schedule.due_s == 11.0
    assert counts == TickCounts()


def test_late_ticks_are_counted_and_missed_ones_not_caught_up():
    counts = TickCounts()
    schedule = Schedule(1.0, 0.0, counts)
    assert schedule.take(3.5)
    assert not schedule.take(3.5)
    assert schedule.due_s == 4.0
    assert counts == TickCounts(late=1, missed=3)


@given(st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=40))
def test_every_deadline_is_either_taken_or_missed(steps_s):
    counts = TickCounts()
    schedule = Schedule(1.0, 0.0, counts)
    now_s = 0.0
    taken = 0
    for step_s in steps_s:
        now_s += step_s
        taken += schedule.take(now_s)
    assert taken + counts.missed == round(schedule.due_s)


def test_run_due_runs_each_task_once_and_says_how_long_to_wait():
    counts = TickCounts()
    runs = []
    tasks = [
        Task(Schedule(1.0, 5.0, counts), lambda: runs.append("fast")),
        Task(Schedule(60.0, 5.5, counts), lambda: runs.append("slow")),
    ]
    assert run_due(tasks, lambda: 5.0) == 0.5
    assert runs == ["fast"]
