"""Logs are followed over rotation and truncation, and tell the steps of processes that tell none themselves."""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.devices.guard import Holders
from steelyard_agent.jobs.declared import declared_in
from steelyard_agent.jobs.facts import ProcessFacts, ProcReader
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.jobs.process_files import ProcessFiles
from steelyard_agent.model import DeviceProcess
from steelyard_agent.training.endpoint import Received
from steelyard_agent.training.logs import LogFollower, _pause_s
from steelyard_agent.training.matching import open_matcher
from steelyard_agent.training.tail import Tail, Unreadable
from steelyard_agent.training.watch import Told, TrainingWatch
from tests.standins.agent_parts import a_device, until

T0 = 1_700_000_000_000


def line(step: int) -> str:
    return (
        f" iteration {step:8d}/     100 | consumed samples: {step * 8:12d} | elapsed time per iteration (ms): 500.0 |"
        " learning rate: 1.0E-06 | global batch size:     8 | lm loss: 1.8E+00 |\n"
    )


HEAD = "  seq_length ...................................... 128\n"


class Node:
    """Two ranks of a job with one log, each with a device."""

    dropped = 0

    def __init__(self, log: Path, patterns: Path | None = None) -> None:
        self.box: list[Received] = []
        self.alive = {
            pid: ProcessFacts(
                pid, T0, "python3", "ines", "", JobIdentity("17", "slurm"), Ranks(pid - 100, pid - 100, 2),
                uid=os.getuid(), log=str(log), log_name=str(log),
            )
            for pid in (100, 101)
        }  # fmt: skip
        self.logs = LogFollower(open_matcher(patterns))
        self.watch = TrainingWatch(self, self, self.logs)

    def take(self) -> list[Received]:
        box, self.box = self.box, []
        return box

    def read(self, pid: int) -> ProcessFacts | None:
        return self.alive.get(pid)

    def end_look(self) -> None:
        pass

    def hear(self) -> Told:
        """One look, one reading of the logs, and what came of it."""
        held: list[Holders] = [(a_device(i), [DeviceProcess(pid, None)]) for i, pid in enumerate(self.alive)]
        self.watch.look(held)
        self.logs.poll()
        return self.watch.take(T0 + 60_000, lambda info: info.index + 1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "train.log"
    path.write_text(HEAD + line(1))
    return path


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_steps_of_a_log_are_those_of_its_ranks(log: Path) -> None:
    node = Node(log)
    assert not node.hear().steps
    write(log, line(10) + line(20))
    steps = node.hear().steps
    assert {(step.pid, step.rank, step.device, step.origin, step.tokens_origin) for step in steps} == {
        (100, 0, 1, "log", "log"),
        (101, 1, 2, "log", "log"),
    }
    # The first line sets the clock; what was there before tells the sequence's length.
    assert [(step.steps, step.step_time_s, step.tokens, step.devices) for step in steps] == [(10, 0.5, 5120, 1.0)] * 2
    write(log, line(30))
    told = node.hear()
    assert [step.total_steps for step in told.steps] == [20, 20]
    assert sum(step.tokens / step.token_copies for step in told.steps) == 10 * 8 * 128


def test_a_log_that_says_nothing_is_looked_at_more_rarely(log: Path) -> None:
    node = Node(log)
    node.hear()
    assert not node.logs.poll()
    write(log, line(10))
    assert node.logs.poll(), "then it is looked at each second again"
    pauses = [_pause_s(looks) for looks in range(100)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 5)


def test_the_facts_of_a_log_carry_its_origin(log: Path) -> None:
    node = Node(log)
    node.hear()
    write(log, line(10) + line(20))
    training = node.hear().trainings[0]
    assert (training.sequence_length, training.global_batch) == (128, 8)
    assert training.origins["sequence_length"] == "log"


def test_what_a_process_says_goes_before_its_log(log: Path) -> None:
    node = Node(log)
    node.hear()
    write(log, line(10) + line(20))
    node.box.append(Received(100, b"steelyard 1 step\nnumber=1\nsteps=1\nseconds=1\ntokens=7\nstep_seconds=1"))
    assert {step.origin for step in node.hear().steps} == {"inferred"}
    write(log, line(30))
    assert not node.hear().steps


def test_a_log_that_comes_later_is_read_from_its_beginning(log: Path) -> None:
    text = log.read_text()
    log.unlink()
    node = Node(log)
    assert not node.hear().steps
    log.write_text(text + line(2))
    assert [step.steps for step in node.hear().steps] == [1, 1]


def test_a_log_that_must_not_be_read_is_told_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    node = Node(pipe)
    del node.alive[101]
    (event,) = node.hear().events
    assert event.code == "log_unreadable"
    assert "is no file; write the log to a file" in event.text
    assert not node.hear().events


def test_a_rank_whose_world_is_unknown_has_steps_and_no_tokens(log: Path) -> None:
    node = Node(log)
    node.alive = {pid: dataclasses.replace(who, ranks=Ranks(0)) for pid, who in node.alive.items() if pid == 100}
    node.hear()
    write(log, line(10) + line(20))
    (step,) = node.hear().steps
    assert not step.HasField("tokens")
    assert "how many ranks" in step.tokens_absent


def test_what_the_environment_declares_counts_for_a_log_too(log: Path) -> None:
    node = Node(log)
    declared = declared_in({"STEELYARD_TOKENS_PER_STEP": "4096", "STEELYARD_MODEL": "glm", "STEELYARD_RUN": "r1"})
    node.alive = {pid: dataclasses.replace(who, declared=declared) for pid, who in node.alive.items()}
    node.hear()
    write(log, line(10) + line(20))
    told = node.hear()
    # The job's, of which each rank has a half.
    assert [(step.tokens, step.token_copies, step.tokens_origin) for step in told.steps] == [(40960, 2, "declared")] * 2
    assert {(step.run, step.origin) for step in told.steps} == {("r1", "log")}
    assert {(row.model, row.origins["model"], row.sequence_length) for row in told.trainings} == {
        ("glm", "declared", 128)
    }
    nonsense = declared_in({"STEELYARD_TOKENS_PER_STEP": "-5"})
    node.alive = {1: dataclasses.replace(node.alive[100], pid=1, ranks=Ranks(0), declared=nonsense)}
    node.hear()
    write(log, line(30) + line(40))
    told = node.hear()
    assert [event.text for event in told.events if event.code == "declared_nonsense"] == [
        "process 1: STEELYARD_TOKENS_PER_STEP=-5 is no whole number from 1 to 1000000000000; it is left out; mend it"
        " before the next start"
    ]
    # Without the world's size nobody knows how many ranks say the same tokens.
    node.alive = {2: dataclasses.replace(node.alive[1], pid=2, declared=declared)}
    node.hear()
    write(log, line(50) + line(60))
    (step,) = node.hear().steps
    assert (step.HasField("tokens"), step.tokens_absent[:26]) == (False, "declared for the whole job")


OWN = """
[[pattern]]
name = "ours"
line = 'progress (?P<step>[0-9]+)(?:(?:x+)+y)?'
step_time = "mean"
[pattern.fields]
step_s = 'took ([0-9.]+) s'
tokens_per_step = 'tokens=([0-9]+)'
[pattern.marks]
evaluate = '^(a+)+$'
"""


def test_a_pattern_of_the_user_s_is_matched_and_can_t_hang_the_agent(log: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN)
    node = Node(log, own)
    try:
        node.hear()
        write(log, "progress 1 took 2.0 s\nprogress 3 took 2.0 s tokens=640\n")
        assert [(step.steps, step.step_time_s, step.tokens) for step in node.hear().steps] == [(2, 2.0, 640)] * 2
        write(log, "a" * 60 + "b\n" + line(40) + line(50))
        told = node.hear()
        # The shipped patterns go on from there; these two lines set their clock and tell of ten steps.
        assert [(step.steps, step.step_time_s) for step in told.steps] == [(10, 0.5)] * 2
        (event,) = [event for event in told.events if event.code == "log_unreadable"]
        assert str(own) in event.text
        assert "took more than 0.5 s for a line of 61 characters; they are left out" in event.text
        assert not node.hear().events
    finally:
        node.logs.close()


def test_a_file_is_followed_over_rotation_and_truncation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("past\n")
    tail = Tail(path, os.getuid())
    assert tail.open() == ["past"]
    write(path, "one\ntw")
    assert tail.read() == ["one"]
    write(path, "o\rbar\r")
    assert tail.read() == ["two", "bar"]
    path.rename(tmp_path / "log.1")
    write(tmp_path / "log.1", "late\n")
    path.write_text("new\n")
    assert tail.read() + tail.read() == ["late", "new"]
    path.write_text("")
    assert tail.read() == []
    write(path, "again\n")
    assert tail.read() == ["again"]
    path.unlink()
    assert tail.read() == []
    tail.close()


def test_a_line_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("")
    tail = Tail(path, os.getuid())
    tail.open()
    for _ in range(40):
        write(path, "x" * 100_000)
    while tail._at < path.stat().st_size:
        assert tail.read() == []
        assert len(tail._rest) < 20_000
    write(path, "\nnext\n")
    assert tail.read()[-1] == "next"
    tail.close()


def test_another_user_s_private_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("secret\n")
    path.chmod(0o600)
    with pytest.raises(Unreadable, match="another user"):
        Tail(path, os.getuid() + 1).open()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "out.log").open("wb") as out:
        environ = {**os.environ, "STEELYARD_TOKENS_PER_STEP": "4096"}
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=out, env=environ)
    yield process
    process.communicate(b"\n", timeout=10)


def test_the_output_of_a_process_is_its_log_where_it_is_a_file(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    reader = ProcReader(ProcessFiles(), node="n", clock=time.monotonic)
    until(lambda: reader.read(child.pid) is not None)
    who = reader.read(child.pid)
    assert who is not None
    assert os.path.realpath(who.log) == str(tmp_path / "out.log")
    assert (who.uid, who.log_name) == (os.getuid(), "")
    assert who.declared == ("declared.declared_tokens_per_step=4096",)
