"""Host stacks: what py-spy writes, what is made of it, and what is told when it can't look."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from steelyard_agent.profiling.py_spy import PySpy, find_program
from steelyard_agent.profiling.sampled import Sampled, Unsampled
from steelyard_agent.profiling.spy_socket import SpySocket
from steelyard_proto.host_stacks import HostStack, parse_raw, waits_of
from steelyard_proto.v1 import ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.fabric_trainer import FabricTrainer
from tests.standins.profiling import OpenProfiling, open_for_test

LOADER = "_MultiProcessingDataLoaderIter._try_get_data (torch/utils/data/dataloader.py:1291)"
# Of py-spy 0.4.3 over a training whose data loader is slow.
RAW = f"""\
thread (29655): MainThread;<module> (slow.py:7);{LOADER};wait (multiprocessing/connection.py:947) 72
thread (29655): MainThread;<module> (slow.py:8);Optimizer.step (torch/optim/optimizer.py:500) 2
thread (29714): QueueFeederThread;Thread.run (threading.py:982);Queue._feed (multiprocessing/queues.py:231) 74
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sy-") as folder:
        yield Path(folder)


def test_paths_are_told_apart_by_what_they_wait_for_and_helpers_are_left_out() -> None:
    waiting, working = parse_raw(RAW)
    assert waiting == HostStack(
        "MainThread", ("<module> (slow.py:7)", LOADER, "wait (multiprocessing/connection.py:947)"), 72, "data"
    )
    assert (working.samples, working.waits, working.frames[0]) == (2, "", "<module> (slow.py:8)")


@pytest.mark.parametrize(
    ("innermost", "waits"),
    [
        ("_BaseDataLoaderIter.__next__ (torch/utils/data/dataloader.py:725)", "data"),
        ("all_reduce (torch/distributed/distributed_c10d.py:2810)", "collective"),
        ("synchronize (torch/cuda/__init__.py:1040)", "device"),
        ("Event.synchronize (torch/cuda/streams.py:220)", "device"),
        ("synchronize (torch_npu/npu/utils.py:60)", "device"),
        ("Dataset.__next__ (mine.py:3)", ""),
        ("synchronize (mine.py:3)", ""),
    ],
)
def test_waits(innermost: str, waits: str) -> None:
    assert waits_of(("<module> (train.py:1)", innermost)) == waits


def test_the_innermost_wait_counts() -> None:
    assert waits_of((LOADER, "barrier (torch/distributed/distributed_c10d.py:4000)", "f (x.py:1)")) == "collective"


def test_lines_that_make_no_sense_are_left_out() -> None:
    assert parse_raw("\n \nno count\n;; x\n 5\nf (a.py:1) 5\n") == (HostStack("", ("f (a.py:1)",), 5, ""),)


def stand_in(folder: Path, body: str) -> str:
    """A program in py-spy's place; its output file is $out."""
    script = folder / "spy"
    script.write_text(f'#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\nout="$2"\n{body}\n')
    script.chmod(0o755)
    return str(script)


def asked(opened: OpenProfiling, trainer: FabricTrainer) -> None:
    trainer.ask(types=1)
    opened.ask(ingest_pb2.ProfileAsk(pid=os.getpid(), host_stacks=True))
    until(lambda: len(opened.states()) >= 2)


def test_an_ask_with_host_stacks_has_a_profile_of_them_beside_the_other(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text(RAW)
    spy = stand_in(tmp_path, f'cat {tmp_path}/raw > "$out"')
    with open_for_test(tmp_path, spy=spy) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        asked(opened, trainer)
        until(lambda: opened.poll() or opened.results)
        (result,) = opened.results
        profile = result.profile
        assert (profile.profiler, profile.state, profile.samples, profile.sampled_hz) == ("py_spy", "stored", 74, 25.0)
        assert [(s.kind, s.samples, s.waits, s.thread) for s in result.stacks] == [
            ("sampled", 72, "data", "MainThread"), ("sampled", 2, "", "MainThread"),
        ]  # fmt: skip
        assert not profile.HasField("window_ns")
        assert not any(answer.is_last for answer in opened.answers), "the window of the operators goes on"
        opened.answers.clear()
        opened.ask(ingest_pb2.TraceAsk(profile=profile.id), "2")
        opened.wait_for_last()
        assert b"".join(answer.piece for answer in opened.answers) == RAW.encode()


def test_two_profilers_are_never_at_work_in_a_process_at_once(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text(RAW)
    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done"
    spy = stand_in(tmp_path, f'{wait}; cat {tmp_path}/raw > "$out"')
    with open_for_test(tmp_path, spy=spy) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        asked(opened, trainer)
        until(lambda: "recording" in opened.states())
        assert trainer.ask() == {}
        until(lambda: opened.poll() or opened.answers[-1].text == "waits until py_spy has ended in the process")
        (tmp_path / "go").touch()
        until(lambda: opened.poll() or opened.results)
        told = trainer.ask()
        assert told, "its turn has come"
        opened.ask(ingest_pb2.ProfileAsk(pid=os.getpid(), host_stacks=True), "2")
        until(lambda: opened.poll() or opened.answers[-1].text == "waits until kineto has ended in the process")
        path = Path(told["ACTIVITIES_LOG_FILE"])
        path.with_name(f"{path.stem}_{os.getpid()}.json").write_text("no trace")
        until(lambda: opened.poll() or len([one for one in opened.results if one.stacks]) == 2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('echo "Error: Permission denied (os error 13)" >&2; exit 1', "may not read the process's memory"),
        ('echo "Error: Failed to find python version" >&2; exit 1', "py-spy: Failed to find python version"),
        (': > "$out"', "no Python was seen"),
        ("exit 0", "py-spy left nothing"),
    ],
)
def test_why_a_process_could_not_be_sampled(tmp_path: Path, body: str, reason: str) -> None:
    spy = stand_in(tmp_path, body)
    with open_for_test(tmp_path, spy=spy) as opened, FabricTrainer(tmp_path, opened.socket) as trainer:
        asked(opened, trainer)
        until(lambda: opened.poll() or opened.results)
        assert reason in opened.results[0].profile.reason
        assert opened.results[0].profile.profiler == "py_spy"


@contextmanager
def unit(path: Path, program: str) -> Iterator[None]:
    """A socket as systemd listens at for steelyard-stacks@: each connection has the command for itself."""
    command = [sys.executable, "-m", "steelyard_agent.cli", "sample-stacks", "--program", program]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        subprocess.run(command, stdin=connection, stdout=connection, check=True)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_where_the_agent_may_not_look_a_unit_does_it_for_it(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text(RAW)
    spy = stand_in(tmp_path, f'cat {tmp_path}/raw > "$out"')
    path = tmp_path / "unit"
    with (
        unit(path, spy),
        open_for_test(tmp_path, spy="/nowhere", stacks_socket=path) as opened,
        FabricTrainer(tmp_path, opened.socket) as trainer,
    ):
        asked(opened, trainer)
        until(lambda: opened.poll() or opened.results)
        profile = opened.results[0].profile
        assert (profile.state, profile.samples, profile.trace_bytes) == ("stored", 74, len(RAW)), profile.reason
        assert [path.suffix for path in (tmp_path / "state/traces").iterdir()] == [".txt"]


def said(path: Path, tmp_path: Path, pid: int = 77) -> str:
    """Why nothing was seen by the unit."""
    try:
        spy = SpySocket(path, pid, 1, 25, tmp_path / "out")
        until(spy.poll)
    except Unsampled as error:
        return str(error)
    return ""


def test_why_a_unit_saw_nothing(tmp_path: Path) -> None:
    path = tmp_path / "unit"
    assert "is steelyard-stacks.socket on?" in said(path, tmp_path)
    with unit(path, stand_in(tmp_path, 'echo "Error: Permission denied" >&2; exit 1')):
        assert "may not read the process's memory" in said(path, tmp_path)
        assert said(path, tmp_path, pid=1) == "pid is 1; give 2 to 1073741824"
    path.unlink()
    with unit(path, str(tmp_path / "nowhere")):
        assert "steelyard[stacks]" in said(path, tmp_path)


@pytest.mark.parametrize("answer", [b"", b"\n", b"[]\n", b"{}\n", b'{"cpu_s": "x"}\n', b"\xff\n"])
def test_a_unit_that_makes_no_sense_is_told(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "unit"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        spy = SpySocket(path, 77, 1, 25, tmp_path / "out")
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(answer)
        with pytest.raises(Unsampled, match="ended without an answer"):
            until(spy.poll)


def test_without_the_program_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unsampled, match=r"steelyard\[stacks\]"):
        PySpy(os.getpid(), 1, 25, tmp_path / "out", program=str(tmp_path / "nowhere"))


@pytest.mark.skipif(not shutil.which(find_program()), reason="py-spy not installed: pip install 'steelyard[stacks]'")
def test_the_real_program_sees_a_process_that_sleeps(tmp_path: Path) -> None:
    code = "import time\ndef waits():\n    time.sleep(60)\nwaits()"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        try:
            spy = PySpy(child.pid, 2, 25, tmp_path / "out")
            found: list[Sampled] = []
            until(lambda: found.extend(filter(None, [spy.poll()])) or found, 60)
        finally:
            child.kill()
    (sampled,) = found
    assert sampled.cpu_s > 0
    stack = parse_raw(sampled.text)[0]
    assert stack.frames[-1].startswith("waits (")
