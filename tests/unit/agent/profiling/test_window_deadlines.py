"""Why windows end without a trace, by a clock of the test's own."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.profiling.frames import Request
from steelyard_agent.profiling.held import Held
from steelyard_agent.profiling.kineto_outlet import KinetoOutlet
from steelyard_agent.profiling.landing import Landing
from steelyard_agent.profiling.request import WindowSpec
from steelyard_agent.profiling.roster import Roster, Sender, Trainer
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.window import Window
from steelyard_agent.profiling.windows import Clocks, Windows
from steelyard_proto.v1 import batch_pb2


@dataclass
class Node:
    """One trainer, and windows over it."""

    folder: Path
    now_s: float = 100.0
    start_ms: int = 5
    told: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = StepLog()
        self.roster = Roster(lambda: self.now_s)
        landing = Landing(self.folder, False, 1000)
        landing.open()
        clocks = Clocks(lambda: self.now_s, lambda: int(1000 * self.now_s))
        outlets = {"kineto": KinetoOutlet(landing)}
        self.windows = Windows(self.roster, outlets, self, self.steps, clocks, self.told.append, Held())  # type: ignore[arg-type]

    def read(self, pid: int) -> ProcessFacts:
        return ProcessFacts(pid, self.start_ms, "python", "u", "", JobIdentity("j", "slurm"), Ranks())

    def end_look(self) -> None:
        """Nothing is kept."""

    def hear(self, types: int = 3) -> Trainer:
        return self.roster.note(Sender(7, 0, ""), Request(types, 7), "kineto")

    def begin(self, spec: WindowSpec) -> Window:
        window = Window("w", "", "asked", self.hear(), self.read(7), spec, self.now_s, 0)
        self.windows.begin(window)
        return window

    def pass_time(self, seconds: int, types: int = 3) -> str:
        """What the process is told meanwhile; it asks every 5 s."""
        told = ""
        for _ in range(seconds // 5):
            self.now_s += 5
            told += self.windows.configuration_for(self.hear(types))
            self.windows.advance()
        return told


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_one_that_tells_no_steps_is_asked_20_s_after_its_first_word_once(node: Node) -> None:
    window = node.begin(WindowSpec())
    assert node.pass_time(15) == ""
    assert node.pass_time(20).count("ACTIVITIES_LOG_FILE") == 1
    assert window.state == "recording"


def test_one_that_tells_steps_is_asked_at_once(node: Node) -> None:
    node.steps.take([batch_pb2.Step(pid=7, start_ms=5, ts_ms=1, steps=1, step_time_s=0.1)])
    node.begin(WindowSpec())
    assert "ACTIVITIES_ITERATIONS=3" in node.pass_time(5)


def test_a_profiler_of_its_own_is_told_and_left_alone(node: Node) -> None:
    window = node.begin(WindowSpec())
    assert node.pass_time(40, types=1) == ""
    assert window.state == "failed"
    assert "a profiler is at work in the process already" in window.text


def test_one_that_asks_no_more_is_told(node: Node) -> None:
    window = node.begin(WindowSpec())
    node.now_s += 61
    node.windows.advance()
    assert "asks no more" in window.text


def test_a_trace_that_never_comes_is_given_up_and_what_is_begun_removed(node: Node) -> None:
    node.steps.take([batch_pb2.Step(pid=7, start_ms=5, ts_ms=1, steps=1, step_time_s=0.1)])
    window = node.begin(WindowSpec())
    node.pass_time(5)
    begun = node.folder / "traces/w_7.json.tmp"
    begun.write_text("{")
    node.pass_time(115)
    assert window.state == "recording"
    node.pass_time(15)
    assert window.state == "failed"
    assert "can't write to the agent's folder" in window.text
    assert not begun.exists()
    assert node.windows.is_idle


def test_long_steps_are_waited_for(node: Node) -> None:
    node.steps.take([batch_pb2.Step(pid=7, start_ms=5, ts_ms=1, steps=1, step_time_s=30.0)])
    window = node.begin(WindowSpec())
    node.pass_time(600)
    assert window.state == "recording"


def test_another_process_under_the_same_number_is_not_taken_for_it(node: Node) -> None:
    window = node.begin(WindowSpec())
    node.start_ms = 6
    node.windows.advance()
    assert window.text == "the process ended before its window began"


def test_cancelled_before_it_began_and_not_after(node: Node) -> None:
    node.steps.take([batch_pb2.Step(pid=7, start_ms=5, ts_ms=1, steps=1, step_time_s=0.1)])
    first = node.begin(WindowSpec())
    node.windows.cancel("")
    assert (first.state, first.text) == ("failed", "cancelled")
    second = node.begin(WindowSpec())
    node.pass_time(5)
    node.windows.cancel("")
    assert second.state == "recording"
