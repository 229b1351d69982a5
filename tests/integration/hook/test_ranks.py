"""The hook under each launcher: steps, tokens and parameters of each rank are those that the script itself counted."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steelyard_agent.hook.start import with_hook
from steelyard_agent.training.datagram import Datagram, parse
from steelyard_agent.training.endpoint import listen
from steelyard_agent.training.facts import read_facts

SCRIPT = Path(__file__).with_name("train_ranks.py")

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed: make test TORCH=1"),
    pytest.mark.timeout(300),
]


# By the package that brings each.
LAUNCHERS = {
    "torch": ("torch.distributed.run", "--standalone", "--nproc-per-node={ranks}"),
    "accelerate": (
        "accelerate.commands.launch", "--multi_gpu", "--num_machines=1", "--num_processes={ranks}",
        "--main_process_port=0", "--mixed_precision=no", "--dynamo_backend=no",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("launcher", "kind", "ranks"),
    [
        ("torch", "ddp", 2),
        ("torch", "fsdp2", 2),
        ("torch", "ddp", 4),
        ("torch", "fsdp2", 4),
        ("accelerate", "ddp", 2),
    ],
)
def test_each_rank_says_what_it_did(launcher: str, kind: str, ranks: int, tmp_path: Path) -> None:
    if importlib.util.find_spec(launcher) is None:
        pytest.skip(f"{launcher} is not installed; make test TORCH=1")
    endpoint = listen(str(tmp_path / "agent.sock"))
    assert endpoint is not None
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    environ["STEELYARD_SOCKET"] = endpoint.address
    # Gloo looks the host's own name up otherwise, which takes minutes where a resolver doesn't answer.
    environ |= {"GLOO_SOCKET_IFNAME": "lo", "HF_HOME": str(tmp_path)}
    words = [word.format(ranks=ranks) for word in LAUNCHERS[launcher]]
    command = [sys.executable, "-m", *words, str(SCRIPT)]
    try:
        done = subprocess.run(
            [*command, kind, str(tmp_path)], env=with_hook(environ), capture_output=True, text=True, timeout=240
        )
        received = endpoint.take()
    finally:
        endpoint.close()
    assert done.returncode == 0, done.stderr[-2000:]
    last: dict[tuple[int, str], Datagram] = {}
    for one in received:
        said = parse(one.payload)
        last[one.pid, said.kind] = said
    truths = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(ranks)]
    assert {pid for pid, _ in last} == {truth["pid"] for truth in truths}, "launchers and workers say nothing"
    for rank, truth in enumerate(truths):
        step, facts = last[truth["pid"], "step"], read_facts(last[truth["pid"], "facts"])
        assert (step.count("steps"), step.count("tokens")) == (truth["steps"], truth["tokens"])
        assert facts.number("parameters") == truth["parameters"]
        assert facts.values["architecture"] == ("FSDPModel" if kind == "fsdp2" else "Model")
        assert facts.number("data_parallel") == ranks
        assert last[truth["pid"], "facts"].count("rank") == rank
        assert facts.device_type == "cpu"
