"""Windows from the ask to the rows, with a process that speaks the fabric and leaves a trace as torch writes it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_proto.v1 import ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.fabric_trainer import FabricTrainer, request
from tests.standins.profiling import OpenProfiling, open_for_test

PID = os.getpid()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sy-") as folder:
        yield Path(folder)


def event(name: str, category: str, ts: float, dur: float, **args: object) -> dict[str, object]:
    return {"ph": "X", "cat": category, "name": name, "pid": PID, "tid": PID, "ts": ts, "dur": dur, "args": args}


def trace_text() -> str:
    """Three steps of two operators on the host."""
    events: list[dict[str, object]] = []
    for step in range(3):
        at = 1000.0 * step
        events += [
            event("aten::linear", "cpu_op", at, 400.0),
            event("aten::addmm", "cpu_op", at + 50, 300.0),
            event("Optimizer.step#SGD.step", "user_annotation", at + 500, 200.0),
        ]
    return json.dumps({"schemaVersion": 1, "traceEvents": events})


def leave(told: dict[str, str], text: str) -> None:
    """Writes a trace as torch does: whole once it has its name."""
    path = Path(told["ACTIVITIES_LOG_FILE"])
    file = path.with_name(f"{path.stem}_{PID}.json")
    begun = file.with_name(f"{file.name}.tmp")
    begun.write_text(text)
    begun.rename(file)


def fetched(opened: OpenProfiling, trainer: FabricTrainer, **what: object) -> dict[str, str]:
    """Asks for a profile of this process, and fetches its configuration as that process."""
    trainer.ask()
    opened.ask(ingest_pb2.ProfileAsk(pid=PID, **what))  # type: ignore[arg-type]
    until(lambda: opened.states())
    assert opened.states() == ["requested"]
    told = trainer.ask()
    assert told, "nothing was asked of the process"
    return told


def test_a_window_becomes_a_profile_and_its_trace_can_be_fetched(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        told = fetched(opened, trainer, with_stacks=True, with_shapes=True)
        assert told["ACTIVITIES_ITERATIONS"] == "3"
        assert told["PROFILE_START_ITERATION_ROUNDUP"] == "1"
        assert told["PROFILE_WITH_STACK"] == told["PROFILE_REPORT_INPUT_SHAPES"] == "true"
        assert trainer.ask(types=1) == {}, "a window is asked for once"
        leave(told, trace_text())
        last = opened.wait_for_last()
        assert opened.states() == ["requested", "recording", "parsing", "stored"]
        assert last.text.startswith("3 steps, 2.7 ms")
        (result,) = opened.results
        assert (result.profile.id, result.profile.steps, result.profile.state) == (last.profile, 3, "stored")
        assert (result.profile.pid, result.profile.profiler, result.profile.cause) == (PID, "kineto", "asked")
        assert result.profile.trace_bytes == len(trace_text())
        calls = {row.name: row for row in result.rows if row.by == "call"}
        assert (calls["aten::linear"].total_ns, calls["aten::linear"].self_ns) == (1_200_000, 300_000)
        assert sum(row.total_ns for row in result.rows if row.by == "part") == result.profile.window_ns
        assert ("aten::linear", "aten::addmm") in {tuple(stack.frames) for stack in result.stacks}
        assert [one.code for one in opened.events] == ["profile_stored"]
        opened.answers.clear()
        opened.ask(ingest_pb2.TraceAsk(profile=last.profile), "2")
        opened.wait_for_last()
        assert b"".join(answer.piece for answer in opened.answers) == trace_text().encode()
        assert opened.answers[0].file_name == f"{last.profile}.json"
    assert not list((tmp_path / "fabric").rglob("*.json*")), "the folder is left clean"


def test_a_window_by_time_warms_up_first(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        told = fetched(opened, trainer, duration_ms=200)
        assert told["ACTIVITIES_DURATION_MSECS"] == "200"
        assert "ACTIVITIES_ITERATIONS" not in told
        assert opened.states()[-1] == "warming_up"
        leave(told, trace_text())
        assert opened.wait_for_last().state == "stored"


def test_an_empty_trace_is_no_profile_of_nothing(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        leave(fetched(opened, trainer), json.dumps({"schemaVersion": 1, "traceEvents": []}))
        last = opened.wait_for_last()
        assert (last.state, opened.results[0].profile.state) == ("failed", "failed")
        assert last.text.startswith("its trace can't be read: no operator and no kernel in it")
        assert opened.results[0].profile.HasField("window_ns") is False


@pytest.mark.parametrize("text", ['{"traceEvents": [{"ph"', "[" * 100_000])
def test_a_trace_that_makes_no_sense_fails_its_window_alone(tmp_path: Path, text: str) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        leave(fetched(opened, trainer), text)
        last = opened.wait_for_last()
        assert last.state == "failed"
        assert last.text
        assert not list((tmp_path / "state/traces").iterdir())
        opened.answers.clear()
        leave(fetched(opened, trainer), trace_text())
        assert opened.wait_for_last().state == "stored"


def test_a_trace_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with open_for_test(tmp_path, max_trace_bytes=100) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        leave(fetched(opened, trainer), trace_text())
        assert "max_trace_mb" in opened.wait_for_last().text


def test_reading_that_takes_too_much_memory_says_so(tmp_path: Path) -> None:
    with open_for_test(tmp_path, reader_bytes=60_000_000) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        leave(fetched(opened, trainer), trace_text())
        assert opened.wait_for_last().state == "failed"


def test_nothing_is_asked_of_a_process_that_can_not_take_it(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        trainer.ask(types=1)
        opened.ask(ingest_pb2.ProfileAsk(pid=PID))
        until(lambda: opened.states() == ["requested"])
        assert trainer.ask(types=1) == {}
        assert trainer.ask(types=3) != {}


def test_a_process_that_has_just_imported_torch_is_left_to_start(tmp_path: Path) -> None:
    with open_for_test(tmp_path, blind_s=1000.0) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        trainer.ask()
        opened.ask(ingest_pb2.ProfileAsk(pid=PID))
        until(lambda: opened.states() == ["requested"])
        assert trainer.ask() == {}


def test_a_second_window_of_a_process_is_refused(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        fetched(opened, trainer)
        opened.ask(ingest_pb2.ProfileAsk(pid=PID), "2")
        last = opened.wait_for_last()
        assert (last.id, last.state) == ("2", "failed")
        assert "another window" in last.text


def test_a_process_that_is_not_there_is_told_with_the_remedy(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened:
        opened.ask(ingest_pb2.ProfileAsk(job="no such job"))
        last = opened.wait_for_last()
        assert last.state == "failed"
        assert f"KINETO_IPC_SOCKET_DIR={tmp_path / 'fabric'}" in last.text


def test_one_that_has_just_started_is_waited_for(tmp_path: Path) -> None:
    with (
        open_for_test(tmp_path, appear_s=20.0) as opened,
        FabricTrainer(tmp_path, opened.socket) as trainer,
        FabricTrainer(tmp_path, opened.socket) as stranger,
    ):
        opened.ask(ingest_pb2.ProfileAsk(pid=PID))
        stranger.send(b"not yet")
        until(lambda: opened.poll() or opened.events)
        assert opened.states() == []
        trainer.ask()
        until(lambda: opened.states() == ["requested"])


@pytest.mark.parametrize("what", [{"steps": 3, "duration_ms": 5}, {"steps": 10_000}, {"duration_ms": 10**7}])
def test_an_ask_that_makes_no_sense_is_refused(tmp_path: Path, what: dict[str, int]) -> None:
    with open_for_test(tmp_path) as opened:
        opened.ask(ingest_pb2.ProfileAsk(pid=PID, **what))  # type: ignore[arg-type]
        assert opened.wait_for_last().state == "failed"


def test_one_that_speaks_for_another_process_is_refused(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        trainer.send(request(3, os.getppid()))
        trainer.send(b"no frame at all")
        trainer.send(request(3))
        assert trainer.receive() == (b"req", b""), "the sound request alone is answered"
        until(lambda: opened.poll() or len(opened.events) == 2)
        assert f"speaks for process {os.getppid()}" in opened.events[0].text
        opened.ask(ingest_pb2.ProfileAsk(pid=os.getppid()))
        assert opened.wait_for_last().state == "failed"


def test_a_trainer_that_dies_in_the_window_fails_it_with_the_reason(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from tests.standins.fabric_trainer import FabricTrainer
with FabricTrainer(Path(sys.argv[1]), sys.argv[2]) as trainer:
    while sys.stdin.readline():
        print("told" if trainer.ask() else "nothing", flush=True)
"""
    with open_for_test(tmp_path) as opened:
        command = [sys.executable, "-c", code, str(tmp_path), opened.socket]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None

            def ask() -> str:
                print("", file=child.stdin, flush=True)
                return child.stdout.readline().strip()

            assert ask() == "nothing"
            opened.ask(ingest_pb2.ProfileAsk(pid=child.pid))
            until(lambda: opened.states() == ["requested"])
            assert ask() == "told"
            child.kill()
            child.wait()
            last = opened.wait_for_last()
        assert last.state == "failed"
        assert "ended in the window" in last.text
        assert opened.results[0].profile.reason == last.text


def test_another_daemon_keeps_its_name_and_the_agent_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "fabric"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(folder / "dynolog"))
        with open_for_test(tmp_path) as opened:
            opened.poll()
            assert [event.code for event in opened.events] == ["fabric_taken"]


def test_an_ask_is_void_when_its_stream_ends_and_the_window_is_stored_all_the_same(tmp_path: Path) -> None:
    with open_for_test(tmp_path) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        told = fetched(opened, trainer)
        opened.service.lose()
        leave(told, trace_text())
        until(lambda: opened.poll() or opened.results, 100)
        assert not any(answer.is_last for answer in opened.answers)
