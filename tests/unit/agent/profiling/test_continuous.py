"""Windows that nobody asks for: who has opted in, whose turn it is, and when."""

from dataclasses import dataclass, field, replace

import pytest

from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.profiling.accounts import Accounts
from steelyard_agent.profiling.continuous import Continuous, Plan
from steelyard_agent.profiling.frames import Request
from steelyard_agent.profiling.loss import Loss
from steelyard_agent.profiling.request import WindowSpec
from steelyard_agent.profiling.roster import Roster, Sender, Trainer
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.window import Window
from steelyard_agent.profiling.windows import Clocks
from steelyard_proto.v1 import batch_pb2


@dataclass
class Node:
    """Trainers of a job, and a clock."""

    now_s: float = 1000.0
    begun: list[Window] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    world_size: int = 3

    def read(self, pid: int) -> ProcessFacts:
        ranks = Ranks(pid % 10, None, self.world_size)
        return ProcessFacts(pid, 5, "python", "u", "", JobIdentity("job-1", "slurm", "bert"), ranks)

    def end_look(self) -> None:
        """Nothing is kept."""

    def is_busy(self, trainer: Trainer) -> bool:
        return trainer.pid in self.busy

    def begin(self, window: Window) -> None:
        self.begun.append(window)


def open_continuous(node: Node, *patterns: str, share: float = 0.002) -> tuple[Continuous, Roster, StepLog]:
    roster, steps = Roster(lambda: node.now_s), StepLog()
    clocks = Clocks(lambda: node.now_s, lambda: int(node.now_s * 1000))
    plan = Plan(patterns, "blue", 600.0, share)
    made = Continuous(plan, roster, node, steps, node, clocks, lambda _, text: node.notes.append(text), lambda: 0.5)
    return made, roster, steps


def hear(node: Node, roster: Roster, pids: range, types: int = 3) -> None:
    for pid in pids:
        roster.note(Sender(pid, 0, ""), Request(types, pid), "kineto")


def train(steps: StepLog, pids: range) -> None:
    steps.take(batch_pb2.Step(pid=pid, start_ms=5, ts_ms=1, steps=1, step_time_s=0.1) for pid in pids)


def run(node: Node, made: Continuous, roster: Roster, seconds: int, pids: range = range(10, 13)) -> None:
    for _ in range(seconds // 5):
        node.now_s += 5
        hear(node, roster, pids)
        made.advance()


def test_one_rank_after_another_each_period() -> None:
    node = Node()
    made, roster, steps = open_continuous(node, "job-*")
    train(steps, range(10, 13))
    run(node, made, roster, 2500)
    assert [window.trainer.pid for window in node.begun] == [10, 11, 12, 10]
    assert {(window.cause, window.ask, window.spec.steps) for window in node.begun} == {("continuous", "", 3)}


@pytest.mark.parametrize(
    ("patterns", "is_in"),
    [((), False), (("*",), True), (("bert",), True), (("gpt",), False), (("partition:blue",), True),
     (("partition:red",), False), (("gpt", "be*"), True)],
)  # fmt: skip
def test_only_who_has_opted_in(patterns: tuple[str, ...], is_in: bool) -> None:
    node = Node()
    made, roster, steps = open_continuous(node, *patterns)
    train(steps, range(10, 13))
    run(node, made, roster, 1000)
    assert bool(node.begun) is is_in


def test_nothing_before_steps_are_seen_while_paused_or_while_all_are_busy() -> None:
    node = Node()
    made, roster, steps = open_continuous(node, "*")
    run(node, made, roster, 1000)
    assert not node.begun, "what a window costs could not be told"
    train(steps, range(10, 13))
    made.is_paused = True
    run(node, made, roster, 1000)
    assert not node.begun
    made.is_paused = False
    node.busy = {10, 12}
    run(node, made, roster, 10)
    assert [window.trainer.pid for window in node.begun] == [11]


def test_npu_monitor_is_for_those_that_have_it_and_is_priced_by_its_own_windows() -> None:
    node = Node()
    made, roster, steps = open_continuous(node, "*")
    by_steps, made.plan = made.plan, replace(made.plan, tool="npu_monitor", spec=WindowSpec(0, 10_000))
    train(steps, range(10, 14))
    for _ in range(100):
        roster.note(Sender(13, 0, ""), Request(3, 13), "npu")
        run(node, made, roster, 5)
    assert [(window.trainer.pid, window.tool, window.spec.duration_ms) for window in node.begun] == [
        (13, "npu_monitor", 10_000)
    ]
    tools = ("kineto", "npu_trace", "npu_monitor", "py_spy", "msprof")
    assert [tool for tool in tools if made.plan.counts(tool)] == ["npu_monitor"]
    assert [tool for tool in tools if by_steps.counts(tool)] == ["kineto", "npu_trace"]


def test_msprof_is_for_trainings_on_npus() -> None:
    node = Node()
    made, roster, steps = open_continuous(node, "*")
    made.plan = replace(made.plan, tool="msprof", spec=WindowSpec(0, 10_000))
    train(steps, range(10, 14))
    for _ in range(100):
        roster.note(Sender(12, 0, ""), Request(3, 12), "npu")
        roster.note_reader(13, 0)
        run(node, made, roster, 5)
    assert {(window.trainer.pid, window.tool) for window in node.begun} <= {(12, "msprof"), (13, "msprof")}
    assert node.begun
    assert [tool for tool in ("kineto", "py_spy", "msprof") if made.plan.counts(tool)] == ["msprof"]


def test_it_slows_down_when_windows_cost_more_than_the_budget_and_says_so() -> None:
    node = Node()
    made, roster, steps = open_continuous(node, "*")
    train(steps, range(10, 13))
    run(node, made, roster, 400)
    assert len(node.begun) == 1
    made.price("job-1", Loss(10.0, 10.0, 10.0, 0.0, 50))
    run(node, made, roster, 600)
    assert len(node.begun) == 2
    assert "every 5000 s" in node.notes[0]
    run(node, made, roster, 4900)
    assert len(node.begun) == 2
    run(node, made, roster, 200)
    assert len(node.begun) == 3


def test_the_cost_of_a_window_is_written_once_the_steps_behind_it_are_known() -> None:
    now_s, steps = [0.0], StepLog()
    accounts = Accounts(steps, lambda: now_s[0], lambda: 77)

    def tell(first: int, last: int) -> None:
        rows = [(n, 0.6 if n == 100 else 0.1) for n in range(first, last)]
        end_ms = [100 * n + (500 if n >= 100 else 0) for n, _ in rows]
        steps.take(
            batch_pb2.Step(pid=7, start_ms=5, ts_ms=at, steps=1, step_time_s=length)
            for at, (_, length) in zip(end_ms, rows, strict=True)
        )

    tell(1, 105)
    accounts.add(batch_pb2.Profile(pid=7, start_ms=5, ts_ms=9_950, to_ms=10_450, written_ms=50, id="x"))
    assert accounts.settle() == []
    tell(105, 140)
    assert accounts.settle() == [], "it looks only now and then"
    now_s[0] = 6.0
    ((profile, loss),) = accounts.settle()
    assert (profile.id, profile.written_ms) == ("x", 77)
    assert profile.loss_s == pytest.approx(0.5) == loss.loss_s
    assert accounts.is_idle
