"""A trainer in a container has another number there than on the node: the kernel tells the agent the node's."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from steelyard_agent.jobs.facts import ProcReader
from steelyard_agent.jobs.process_files import ProcessFiles
from steelyard_agent.training.endpoint import Received, listen
from tests.standins.agent_parts import until

SPEAK = """
import os, socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"steelyard 1 off", sys.argv[1])
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def can_unshare() -> bool:
    program = shutil.which("unshare")
    return program is not None and subprocess.run([program, "--pid", "--fork", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no right to make a pid namespace")
def test_a_trainer_in_another_pid_namespace_is_found_on_the_node(tmp_path: Path) -> None:
    endpoint = listen(str(tmp_path / "agent.sock"))
    assert endpoint is not None
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", SPEAK, str(tmp_path / "agent.sock")]
    environ = {**os.environ, "STEELYARD_JOB": "in-a-container", "RANK": "3"}
    received: list[Received] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as trainer:
        try:
            assert trainer.stdout is not None
            assert trainer.stdout.readline() == b"1\n"
            until(lambda: received.extend(endpoint.take()) or received, 60)
            [said] = received
            names = Path(f"/proc/{said.pid}/status").read_text().partition("NSpid:")[2].splitlines()[0].split()
            assert names == [str(said.pid), "1"]
            who = ProcReader(ProcessFiles(), node="n1", clock=time.monotonic).read(said.pid)
            assert who is not None
            assert (who.job.id, who.ranks.rank) == ("in-a-container", 3)
        finally:
            trainer.kill()
            endpoint.close()
