"""`steelyard weigh` on this CPU, with a real agent and collector: what they count is what the script counted."""

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.standins.agent_parts import until
from tests.standins.programs import BIN, Agent, Collector

needs_torch = pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch isn't installed here")


def weigh(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    return subprocess.run(
        [str(BIN / "steelyard"), "weigh", "--seconds", "1", *arguments],
        env={**clean, "OMP_NUM_THREADS": "1", **environ}, capture_output=True, text=True, timeout=110,
    )  # fmt: skip


@needs_torch
@pytest.mark.timeout(300)
def test_the_collector_counts_the_tokens_that_the_script_counted(tmp_path: Path) -> None:
    socket = str(tmp_path / "agent.sock")
    collector = Collector(tmp_path)
    collector.serve()
    agent = Agent(tmp_path, collector.address, environ={"STEELYARD_SOCKET": socket})
    try:
        agent.start()
        until(lambda: os.path.exists(socket), 30)
        done = weigh("--json", "--device", "cpu", STEELYARD_SOCKET=socket, STEELYARD_JOB="weighed")
        assert done.returncode == 0, done.stderr
        slip = json.loads(done.stdout)
        # The first step only sets the hook's clock.
        told = slip["tokens"] - slip["tokens_per_step"]
        question = "SELECT sum(tokens) AS tokens FROM steps WHERE job = 'weighed'"
        until(lambda: collector.ask(question)[0]["tokens"] == told, 30)
    finally:
        agent.kill()
        collector.kill()
    assert slip["tokens"] == slip["steps"] * slip["tokens_per_step"] > 0
    assert slip["tokens_per_j"] is None
    assert slip["tokens_per_j_absent"]
    # Of the shape that the script names: 12 width^2 a layer and the head.
    assert slip["matmul_parameters"] == 2 * 12 * 128**2 + 512 * 128
    assert slip["flops_per_token"] == 6 * slip["matmul_parameters"] + 12 * 2 * 128 * 128
    assert slip["loss_last"] < slip["loss_first"]
    assert slip["gemm_tflops"]["float32"] > 0
    assert (slip["share_of_ceiling"] is None) == (slip["share_absent"] is not None)


@needs_torch
def test_a_device_that_is_not_there_is_named() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a cuda device")
    done = weigh("--device", "cuda")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no cuda device" in done.stderr


def test_a_python_without_torch_is_named_with_the_remedy(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare/bin/python")
    done = weigh("--python", python)
    assert (done.returncode, done.stdout) == (2, "")
    assert python in done.stderr
    assert "name the trainer's Python" in done.stderr
    assert weigh("--python", "/nowhere/python").returncode == 2
    assert weigh("--seconds", "0", "--python", sys.executable).returncode == 2
