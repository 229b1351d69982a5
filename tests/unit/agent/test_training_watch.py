"""Datagrams become rows with the job, the rank and the device of their process."""

from dataclasses import replace

import pytest

from steelyard_agent.devices.guard import Holders
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.model import DeviceInfo, DeviceProcess
from steelyard_agent.training.endpoint import Received
from steelyard_agent.training.watch import Told, TrainingWatch
from tests.standins.agent_parts import a_device

T0 = 1_700_000_000_000


class Box:
    """Datagrams that the test posts."""

    def __init__(self) -> None:
        self.dropped = 0
        self.waiting: list[Received] = []

    def take(self) -> list[Received]:
        waiting, self.waiting = self.waiting, []
        return waiting


class Node:
    """A watch over made-up processes; devices are numbered from 1."""

    def __init__(self, *ranks: int, world_size: int = 2) -> None:
        self.alive = {
            100 + rank: ProcessFacts(
                100 + rank, T0 - 9000, "python3", "ines", "", JobIdentity("17", "slurm"), Ranks(rank, rank, world_size)
            )
            for rank in ranks
        }
        self.box = Box()
        self.watch = TrainingWatch(self.box, self)

    def read(self, pid: int) -> ProcessFacts | None:
        return self.alive.get(pid)

    def end_look(self) -> None:
        pass

    def say(self, pid: int, number: int, kind: str = "step", **fields: object) -> None:
        lines = [f"steelyard 1 {kind}", f"number={number}", *(f"{name}={value}" for name, value in fields.items())]
        self.box.waiting.append(Received(pid, "\n".join(lines).encode()))

    def step(self, pid: int, steps: int, at_s: int = 0) -> None:
        told = {"steps": steps, "seconds": steps, "tokens": 100 * steps, "time": T0 / 1000 + at_s}
        self.say(pid, steps + 1, **told, step_seconds=1, step_tokens=100)

    def take(self, at_s: int = 0) -> Told:
        return self.watch.take(T0 + at_s * 1000, lambda info: info.index + 1)


def held(info: DeviceInfo, *pids: int) -> Holders:
    return info, [DeviceProcess(pid, None) for pid in pids]


def test_a_step_has_its_process_job_and_device() -> None:
    node = Node(0, 1)
    node.watch.look([held(a_device(0), 100), held(a_device(1), 101)])
    node.step(101, 1)
    (step,) = node.take().steps
    assert (step.pid, step.job, step.run, step.rank, step.world_size, step.device) == (101, "17", "17", 1, 2, 2)
    assert (step.devices, step.tokens, step.token_copies, step.step_time_s) == (1.0, 100, 1, 1.0)
    assert (step.origin, step.tokens_origin, step.ts_ms) == ("inferred", "inferred", T0)


def test_ranks_that_share_a_device_have_parts_of_it() -> None:
    node = Node(0, 1)
    node.watch.look([held(a_device(0, kind="cpu"), 100, 101)])
    for pid in (100, 101):
        node.step(pid, 1)
    assert [step.devices for step in node.take().steps] == [0.5, 0.5]


def test_a_device_that_is_not_known_is_absent() -> None:
    node = Node(0)
    node.watch.look([held(a_device(0), 100), held(a_device(1), 100)])
    node.step(100, 1)
    (step,) = node.take().steps
    assert not step.HasField("device")
    assert not step.HasField("devices")


def test_the_framework_knows_the_device_best() -> None:
    node = Node(0)
    node.watch.look([held(a_device(0), 100), held(a_device(1), 100)])
    node.say(100, 1, "facts", device_type="cuda", device_uuid="1", architecture="GPT")
    node.step(100, 1)
    told = node.take()
    assert (told.steps[0].device, told.trainings[0].device) == (2, 2)


def test_declared_tokens_are_the_whole_jobs() -> None:
    node = Node(0, 1)
    node.say(100, 1, "facts", **{"declared.declared_tokens_per_step": "4e6", "run": "llama"})
    node.step(100, 1)
    told = node.take()
    (step,) = told.steps
    assert (step.tokens, step.token_copies, step.tokens_origin, step.run) == (4_000_000, 2, "declared", "llama")
    assert told.trainings[0].origins["declared_tokens_per_step"] == "declared"


def test_a_nonsense_declaration_is_named_once_and_left_out() -> None:
    node = Node(0)
    for number in (1, 2):
        node.say(100, number, "facts", **{"declared.parameters": "-7", "parameters": 124, "architecture": "GPT"})
    told = node.take()
    assert [event.code for event in told.events] == ["declared_nonsense"]
    assert "STEELYARD_PARAMETERS=-7" in told.events[0].text
    assert (told.trainings[-1].parameters, told.trainings[-1].origins["parameters"]) == (124, "inferred")


NONSENSE = {
    "declared_tokens_per_step": ("STEELYARD_TOKENS_PER_STEP", "1.5"),
    "price_per_device_hour": ("STEELYARD_PRICE", "nan"),
    "sequence_length": ("STEELYARD_SEQUENCE_LENGTH", "0"),
    "tensor_parallel": ("STEELYARD_TENSOR_PARALLEL", "9" * 300),
    "data_parallel": ("STEELYARD_DATA_PARALLEL", "two"),
}


def test_every_nonsense_is_named_by_its_variable_and_the_rest_counts() -> None:
    node = Node(0)
    said = {f"declared.{name}": text for name, (_, text) in NONSENSE.items()}
    node.say(100, 1, "facts", **said, **{"declared.precision": "BF16", "declared.model": "glm"})
    node.step(100, 1)
    told = node.take()
    texts = [event.text for event in told.events]
    assert len(texts) == len(NONSENSE)
    for variable, text in NONSENSE.values():
        assert any(f"{variable}={text[:40]} is no " in line and "left out" in line for line in texts), variable
    training = told.trainings[-1]
    assert (training.model, training.precision, training.origins["precision"]) == ("glm", "bfloat16", "declared")
    assert not any(training.HasField(name) for name in NONSENSE)
    assert [(step.tokens, step.tokens_origin, step.token_copies) for step in told.steps] == [(100, "inferred", 1)]


@pytest.mark.parametrize(
    ("declared", "precision", "origin"),
    [("bf61", "float32", "inferred"), ("torch.bfloat16", "bfloat16", "declared"), ("FP8", "float8", "declared")],
)
def test_a_precision_that_nobody_knows_is_named_and_what_was_inferred_counts(
    declared: str, precision: str, origin: str
) -> None:
    node = Node(0)
    node.say(100, 1, "facts", **{"declared.precision": declared, "precision": "float32"})
    told = node.take()
    assert (told.trainings[-1].precision, told.trainings[-1].origins["precision"]) == (precision, origin)
    texts = [event.text for event in told.events]
    assert len(texts) == (origin == "inferred")
    assert all("STEELYARD_PRECISION=bf61 is none of bfloat16, " in text and "left out" in text for text in texts)


def test_tensor_parallel_without_group_facts_has_no_tokens() -> None:
    node = Node(0)
    node.say(100, 1, "facts", **{"absent.tensor_parallel": "nobody says which ranks share", "architecture": "GPT"})
    node.step(100, 1)
    (step,) = node.take().steps
    assert not step.HasField("tokens")
    assert step.tokens_absent == "nobody says which ranks share"


def test_a_clock_far_from_ours_is_not_believed() -> None:
    node = Node(0)
    node.step(100, 1, at_s=-86_400)
    assert [step.ts_ms for step in node.take().steps] == [T0]


def test_facts_are_sent_when_they_change() -> None:
    node = Node(0)
    node.say(100, 1, "facts", architecture="GPT")
    assert len(node.take().trainings) == 1
    node.say(100, 2, "facts", architecture="GPT")
    assert not node.take(30).trainings
    node.say(100, 3, "facts", architecture="Llama")
    assert [row.architecture for row in node.take(60).trainings] == ["Llama"]


def test_a_hook_that_turned_itself_off_is_an_event() -> None:
    node = Node(0)
    node.say(100, 1, "off", reason="KeyError: 3")
    (event,) = node.take().events
    assert (event.code, "KeyError: 3" in event.text) == ("hook_off", True)


def test_a_rank_that_dies_is_an_event_and_the_others_go_on() -> None:
    node = Node(0, 1)
    events = []
    for second in range(0, 70, 5):
        if second == 10:
            del node.alive[100]
        for pid in node.alive:
            node.step(pid, second // 5 + 1, at_s=second)
        if not second % 10:
            node.watch.look([held(a_device(0))])
        told = node.take(second)
        events += [(second, event.code, event.text) for event in told.events]
        assert any(step.rank == 1 for step in told.steps)
    assert events == [(40, "rank_ended", "rank 0 (process 100) of job 17 ended; others train on")]


def test_a_rank_that_dies_mid_step_and_leaves_the_others_waiting() -> None:
    node = Node(0, 1)
    for pid in (100, 101):
        node.step(pid, 1)
    node.take(0)
    del node.alive[100]
    node.watch.look([held(a_device(0))])
    assert not [event for second in range(10, 300, 10) for event in node.take(second).events]
    (event,) = node.take(301).events
    assert event.code == "rank_ended"
    assert "make no steps since" in event.text
    assert not node.take(400).events, "once"


def test_a_rank_that_was_started_again_is_not_missed() -> None:
    node = Node(0, 1)
    for pid in (100, 101):
        node.step(pid, 1)
    node.take(0)
    node.alive[200] = replace(node.alive.pop(100), pid=200, start_ms=T0 + 5000)
    node.watch.look([held(a_device(0))])
    for second in range(10, 400, 10):
        node.step(200, second)
        assert not node.take(second).events


def test_ranks_that_end_together_are_no_event() -> None:
    node = Node(0, 1)
    for pid in (100, 101):
        node.step(pid, 1)
    node.take(0)
    node.alive.clear()
    node.watch.look([held(a_device(0))])
    assert not node.take(900).events


def test_a_new_process_under_an_old_pid_begins_anew() -> None:
    node = Node(0)
    node.step(100, 5)
    node.step(100, 1)
    assert [(step.step, step.steps) for step in node.take().steps] == [(1, 1)]


def test_nonsense_is_told_once() -> None:
    node = Node(0)
    node.box.waiting = [Received(100, b"x"), Received(100, b"x"), Received(0, b"steelyard 1 step\nnumber=1")]
    assert [event.code for event in node.take().events] == ["datagram_refused"] * 2
    assert node.watch.refused == 3


def test_a_value_that_is_nonsense_in_another_way_each_step_is_told_once() -> None:
    node = Node(0)
    for number in range(1, 9):
        node.say(100, number, steps=number, seconds=number, tokens=number * 10**30)
    (event,) = node.take().events
    assert event.code == "datagram_refused"
    assert "tokens is '1000" in event.text


def test_what_the_environment_declares_counts_for_a_script_that_tells_its_own_steps() -> None:
    node = Node(0)
    declared = ("declared.model=llama", "declared.sequence_length=many", "run=again")
    node.alive[100] = replace(node.alive[100], declared=declared)
    node.say(100, 1, steps=1, seconds=1, step_seconds=1, origin="declared", refused_tokens=1)
    told = node.take()
    (training,) = told.trainings
    assert (training.model, training.run, training.origins["model"]) == ("llama", "again", "declared")
    assert [event.text.partition(": ")[2].partition(" ")[0] for event in told.events] == [
        "STEELYARD_SEQUENCE_LENGTH=many",
        "the",
    ]
    (step,) = told.steps
    assert (step.run, step.tokens_absent) == (
        "again",
        "the count that the script gives is no whole number of at least 0",
    )


def test_the_last_steps_of_a_process_that_has_ended_are_taken() -> None:
    node = Node(0)
    node.step(100, 1)
    node.take(0)
    node.step(100, 2, at_s=1)
    node.alive.clear()
    node.watch.look([held(a_device(0))])
    told = node.take(1)
    assert ([step.step for step in told.steps], told.events) == ([2], [])
