"""Windows of torch_npu under msMonitor, with a process that speaks its frames and leaves what torch_npu does."""

import io
import os
import socket
import struct
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.profiling.npu_outlet import npu_configuration
from steelyard_agent.profiling.request import WindowSpec
from steelyard_proto.v1 import ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.ascend_export import write_run
from tests.standins.fabric_trainer import FabricTrainer, frame
from tests.standins.profiling import OpenProfiling, open_for_test

PID = os.getpid()


@pytest.fixture
def home() -> Iterator[Path]:
    """Of the trainer; a short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sy-") as folder:
        yield Path(folder)


def fetched(opened: OpenProfiling, trainer: FabricTrainer, **what: object) -> dict[str, str]:
    trainer.ask()
    opened.ask(ingest_pb2.ProfileAsk(pid=PID, **what))  # type: ignore[arg-type]
    until(lambda: opened.states())
    return trainer.ask()


def test_a_window_of_an_npu_becomes_a_profile_and_its_folder_can_be_fetched(home: Path) -> None:
    with open_for_test(home, npu_home=home) as opened, FabricTrainer(home, str(home / "dynolog.sock")) as trainer:
        trainer.send(frame(b"ctxt", struct.pack("=iiq", 0, PID, 0)))
        assert trainer.receive() == (b"ctxt", struct.pack("=i", 1))
        told = fetched(opened, trainer)
        assert (told["PROFILE_START_STEP"], told["ACTIVITIES_ITERATIONS"]) == ("-1", "3")
        trainer.send(frame(b"npuTraceStatus", struct.pack("@iiiiiq", 2, 50, 50, 53, PID, 0)))
        run = write_run(Path(told["ACTIVITIES_LOG_FILE"]))
        (run / "FRAMEWORK").mkdir()
        (run / "FRAMEWORK/torch.op_range").write_bytes(b"raw")
        last = opened.wait_for_last()
        assert (last.state, last.text.split(";")[0]) == ("stored", "1 steps, 0.2 ms, 59 % compute, 9 % idle")
        (result,) = opened.results
        assert (result.profile.profiler, result.profile.devices, result.profile.steps) == ("npu_trace", 1, 1)
        assert {row.name for row in result.rows if row.by == "type"} >= {"MatMulV2", "TransData"}
        assert sum(row.total_ns for row in result.rows if row.by == "part") == result.profile.window_ns
        opened.answers.clear()
        opened.ask(ingest_pb2.TraceAsk(profile=last.profile), "2")
        opened.wait_for_last()
        packed = b"".join(answer.piece for answer in opened.answers)
        with tarfile.open(fileobj=io.BytesIO(packed)) as file:
            names = {name.partition("/")[2] for name in file.getnames()}
        assert names == {
            "",
            "ASCEND_PROFILER_OUTPUT",
            "ASCEND_PROFILER_OUTPUT/kernel_details.csv",
            "profiler_info_3.json",
        }
    assert not list((home / "fabric/traces").iterdir())
    assert [path.suffix for path in (home / "state/traces").iterdir()] == [".tar"]


def test_a_window_by_time_tells_no_stacks_and_says_what_to_do(home: Path) -> None:
    with open_for_test(home, npu_home=home) as opened, FabricTrainer(home, str(home / "dynolog.sock")) as trainer:
        trainer.ask()
        opened.ask(ingest_pb2.ProfileAsk(pid=PID, duration_ms=500, with_stacks=True))
        assert "ask for steps" in opened.wait_for_last().text


def test_links_in_what_it_leaves_are_not_followed(home: Path) -> None:
    (home / "secret.csv").write_text("secret")
    with open_for_test(home, npu_home=home) as opened, FabricTrainer(home, str(home / "dynolog.sock")) as trainer:
        run = write_run(Path(fetched(opened, trainer)["ACTIVITIES_LOG_FILE"]))
        (run / "ASCEND_PROFILER_OUTPUT/other.csv").symlink_to(home / "secret.csv")
        assert opened.wait_for_last().state == "stored"
        assert not any(b"secret" in path.read_bytes() for path in (home / "state/traces").iterdir())
    assert (home / "secret.csv").exists()


def test_nothing_is_kept_of_what_is_refused(home: Path) -> None:
    with (
        open_for_test(home, npu_home=home, max_trace_bytes=20_000) as opened,
        FabricTrainer(home, str(home / "dynolog.sock")) as trainer,
    ):
        run = write_run(Path(fetched(opened, trainer)["ACTIVITIES_LOG_FILE"]))
        for number in range(3):
            (run / f"ASCEND_PROFILER_OUTPUT/{number}.csv").write_bytes(b"x" * 9_000)
        assert "more than 0 MB" in opened.wait_for_last().text
    assert not list((home / "fabric/traces").iterdir())
    assert not list((home / "state/traces").iterdir())


def test_its_figures_are_taken_and_nonsense_is_told(home: Path) -> None:
    with open_for_test(home, npu_home=home) as opened, FabricTrainer(home, str(home / "dynolog_data.sock")) as trainer:
        trainer.send(frame(b"data", b'{"kind":"Kernel","duration":5}'))
        trainer.send(frame(b"data", b"\xff"))
        until(lambda: opened.poll() or opened.events)
        assert "no UTF-8" in opened.events[0].text


def test_another_daemon_and_another_users_home_are_left_alone(home: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(home / "dynolog.sock"))
        with open_for_test(home, npu_home=home) as opened:
            opened.poll()
            assert [event.code for event in opened.events] == ["fabric_taken"]
    with open_for_test(home, npu_home=Path("/proc/1")) as opened:
        opened.poll()
        assert {event.code for event in opened.events} == {"fabric_taken"}


def test_what_it_is_told() -> None:
    text = npu_configuration(WindowSpec(5, with_stacks=True, with_shapes=True), "/x")
    told = dict(line.split("=") for line in text.splitlines())
    assert told["ACTIVITIES_LOG_FILE"] == "/x"
    assert (told["PROFILE_WITH_STACK"], told["PROFILE_RECORD_SHAPES"], told["ACTIVITIES_ITERATIONS"]) == (
        "true", "true", "5",
    )  # fmt: skip
