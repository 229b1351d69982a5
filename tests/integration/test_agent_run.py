"""`steelyard-agent run` and `hook install`: the training stays as it is, and its steps reach the collector."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.hook.start import HOOK_PATH, PTH_NAME
from steelyard_agent.profiling.settings import own_folder
from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import Behaviour, IngestServer

AGENT = [sys.executable, "-m", "steelyard_agent.cli"]
# A training as steelyard_step sees it, without torch: five steps, of which the first only sets the clock.
TRAINING = """
import sys, steelyard_step
for step in range(5):
    steelyard_step.step(tokens=128)
print("trained", sys.argv[1:])
sys.exit(7)
"""


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    return subprocess.run(
        [*AGENT, "run", "--", *words], env={**clean, **environ}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def server() -> Iterator[IngestServer]:
    with IngestServer(Behaviour(flush_ms=300)) as running:
        yield running


def test_steps_of_an_unmodified_command_reach_the_collector(server: IngestServer, tmp_path: Path) -> None:
    socket = str(tmp_path / "agent.sock")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    (tmp_path / "state").mkdir()
    daemon = subprocess.Popen(
        [*AGENT, "daemon", "--collector", server.address, "--state-dir", str(tmp_path / "state"), "--node", "n1",
         "--set", "sampling.fast_period_ms=100", "--set", "sampling.host_period_ms=100"],
        env={**environ, "STEELYARD_SOCKET": socket, "XDG_CONFIG_HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: os.path.exists(socket) and server.seen.hellos)
        # The process lives until its steps were read: who sent a datagram is looked up when it is taken.
        code = TRAINING.replace("sys.exit(7)", "sys.stdout.flush(); sys.stdin.read()")
        training = subprocess.Popen(
            [*AGENT, "run", "--", sys.executable, "-c", code],
            env={**environ, "STEELYARD_SOCKET": socket, "STEELYARD_JOB": "llama", "RANK": "0", "WORLD_SIZE": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: sum(step.steps for step in steps_of(server)) == 4, 20)
        assert training.stdin is not None
        training.stdin.close()
        training.wait(60)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=60)
    assert not os.path.exists(socket)
    found = steps_of(server)
    assert {(step.job, step.pid, step.rank, step.origin) for step in found} == {("llama", training.pid, 0, "declared")}
    assert sum(step.tokens for step in found) == 4 * 128
    assert all(step.tokens_origin == "declared" for step in found)


def steps_of(server: IngestServer) -> list[batch_pb2.Step]:
    return [step for records in server.seen.records(batch_pb2.KIND_STEP) for step in records.steps]


def test_the_commands_exit_code_and_output_are_its_own() -> None:
    done = run(sys.executable, "-c", TRAINING, "--lr", "1")
    assert (done.returncode, done.stdout, done.stderr) == (7, "trained ['--lr', '1']\n", "")


def test_a_signal_ends_it_as_ever() -> None:
    done = run(sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize("before", ["", "/somewhere"])
def test_nothing_but_our_directory_is_added_to_the_path(before: str) -> None:
    done = run(sys.executable, "-c", "import os; print(os.environ['PYTHONPATH'])", PYTHONPATH=before)
    assert done.stdout.strip().split(":") == [str(HOOK_PATH), *([before] if before else [])]


def test_a_sitecustomize_that_was_there_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.own = 5\n")
    done = run(sys.executable, "-c", "import sys; print(sys.own, sys._steelyard_is_armed)", PYTHONPATH=str(tmp_path))
    assert done.stdout == "5 True\n"


def test_what_cannot_be_run() -> None:
    assert run("/nowhere/python").returncode == 127
    assert run(str(Path(__file__))).returncode == 126
    assert run().returncode == 2


def test_installed_in_a_python_it_works_without_an_environment(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv/bin/python")
    show = [python, "-I", "-c", "import json, sys; print(json.dumps(getattr(sys, '_steelyard_is_armed', False)))"]

    def hook(action: str) -> str:
        done = subprocess.run([*AGENT, "hook", action, "--python", python], capture_output=True, text=True, check=True)
        return done.stderr

    def is_armed() -> object:
        done = subprocess.run(show, capture_output=True, text=True, env={}, check=True)
        assert done.stderr == ""
        return json.loads(done.stdout)

    assert PTH_NAME in hook("install")
    assert is_armed() is True
    assert "removed" in hook("remove")
    assert is_armed() is False
    assert "there is no" in hook("remove")
    next((tmp_path / "venv/lib").glob("python3*/site-packages")).rmdir()
    done = subprocess.run([*AGENT, "hook", "install", "--python", python], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{PTH_NAME} can't be written: its folder isn't there; make it" in done.stderr


def test_a_python_that_is_none_is_named() -> None:
    done = subprocess.run([*AGENT, "hook", "install", "--python", "/nowhere"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "/nowhere" in done.stderr


def test_the_folder_in_which_torch_looks_for_an_agent_of_this_user_is_made_before_the_training() -> None:
    folder = own_folder()
    was_there = folder.exists()
    look = f"import os; print(oct(os.stat({str(folder)!r}).st_mode & 0o777))"
    assert run(sys.executable, "-c", look, KINETO_IPC_SOCKET_DIR=str(folder)).stdout == "0o700\n"
    if not was_there:
        folder.rmdir()
