"""Datagrams become rows with the job, the rank and the device of their process."""

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
        assert any(f"{variable}={text[:40]} is not " in line and "left out" in line for line in texts), variable
    training = told.trainings[-1]
    assert (training.model, training.precision, training.origins["precision"]) == ("glm", "bfloat16", "declared")
    assert not any(training.HasField(name) for name in NONSENSE)
    assert [(step.tokens, step.tokens_origin, step.token_copies) for step in told.steps] == [(100, "inferred", 1)]


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
    for second in (0, 40):
        for pid in (100, 101) if not second else (101,):
            node.step(pid, second + 1, at_s=second)
        node.take(second)
    del node.alive[100]
    node.watch.look([held(a_device(0))])
    node.step(101, 42, at_s=41)
    told = node.take(41)
    assert [event.code for event in told.events] == ["rank_ended"]
    assert [step.rank for step in told.steps] == [1]


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
