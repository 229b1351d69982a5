"""`steelyard demo` and `steelyard local` with the real programs: what they print, and that nothing is left."""

import importlib.util
import math
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from statistics import fmean

import psutil
import pytest

from steelyard_agent.simulate import plan_file

STEELYARD = str(Path(sys.executable).parent / "steelyard")
DEADLINE_S = 60.0


def _environ(folder: Path) -> dict[str, str]:
    """An environment in which everything temporary lies under `folder`."""
    (folder / "tmp").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STEELYARD_", "XDG_"))}
    return {**kept, "TMPDIR": str(folder / "tmp"), "HOME": str(folder)}


def _is_clean(folder: Path) -> bool:
    return not any((folder / "tmp").iterdir())


@pytest.mark.timeout(400)
def test_the_demo_prints_the_fleet_and_an_answer_and_leaves_nothing(tmp_path: Path) -> None:
    command = [STEELYARD, "demo", "--headless", "--seconds", "1", "--wait", "200", "--no-training"]
    run = subprocess.run(command, env=_environ(tmp_path), capture_output=True, text=True, timeout=390)
    assert run.returncode == 0, run.stderr
    fleet, _, answer = run.stdout.partition("Asked in SQL")
    assert_truth_is_found(answer.partition("share of H100")[2])
    for chip in ("910B", "910C", "H20", "H100", "A100", "MI300X"):
        assert chip in fleet
        assert chip in answer
    assert "simulated" in fleet
    measured = [line for line in fleet.splitlines() if "measured" in line]
    assert len(measured) == 1
    assert measured[0].startswith("cpu")
    assert _is_clean(tmp_path)


def assert_truth_is_found(shares: str) -> None:
    """What demo.toml says of the chips lies in the intervals that the collector gives."""
    assert "SIMULATED: such devices and jobs don't exist" in shares
    document = tomllib.loads(Path(plan_file.__file__).with_name("demo.toml").read_text(encoding="utf-8"))
    rates = [{chip: on["tokens_per_s_device"] for chip, on in kind["on"].items()} for kind in document["workload"]]
    for chip in ("910B2", "910C", "H20", "A100-80G", "MI300X"):
        truth = math.exp(fmean(math.log(rate[chip] / rate["H100"]) for rate in rates))
        found = re.search(rf" {chip} .* ([\d.]+) \[([\d.]+), ([\d.]+)\] over these workloads", shares)
        assert found is not None, shares
        # Printed to two places.
        assert float(found[2]) - 0.005 <= truth <= float(found[3]) + 0.005, (chip, truth, found[0])
        assert float(found[3]) - float(found[2]) < 0.15


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed: make test TORCH=1")
def test_the_demo_trains_for_real_where_torch_is(tmp_path: Path) -> None:
    command = [STEELYARD, "demo", "--headless", "--seconds", "1", "--wait", "0"]
    run = subprocess.run(command, env=_environ(tmp_path), capture_output=True, text=True, timeout=115)
    assert run.returncode == 0, run.stderr
    (row,) = [line.split() for line in run.stdout.splitlines() if line.startswith("demo-gpt-on-cpu")]
    assert (row[2], row[-1]) == ("measured", "inferred")
    # A step of the script's is eight sequences of 128 tokens.
    assert int(row[4]) == 1024 * int(row[3]) > 0
    assert _is_clean(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_whole_tree(tmp_path: Path, number: signal.Signals) -> None:
    command = [STEELYARD, "demo", "--headless", "--seconds", "600", "--no-training"]
    with subprocess.Popen(
        command,
        env=_environ(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # A shell's background jobs ignore ctrl-C, and so would all that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as demo:
        try:
            children = list(_programs(demo.pid).values())
            demo.send_signal(number)
            assert demo.wait(DEADLINE_S) == (143 if number is signal.SIGTERM else 130)
        finally:
            demo.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert _is_clean(tmp_path)


def _programs(pid: int) -> dict[str, psutil.Process]:
    """The demo's children by name and first argument, when all of them run: one that only forked is still the demo."""
    wanted = {"steelyard-collector daemon", "steelyard-agent daemon", "steelyard-agent simulate"}
    end = time.monotonic() + DEADLINE_S
    while True:
        found = {}
        for child in psutil.Process(pid).children(recursive=True):
            # What they start for a moment may be over when it is looked at.
            with suppress(psutil.NoSuchProcess):
                _, program, argument, *_ = [*child.cmdline(), "", "", ""]
                found[f"{Path(program).name} {argument}"] = child
        if wanted <= found.keys():
            return found
        assert time.monotonic() < end, f"only {sorted(found)} after {DEADLINE_S} s"
        time.sleep(0.1)


def test_a_part_that_fails_fails_the_demo(tmp_path: Path) -> None:
    command = [STEELYARD, "demo", "--headless", "--seconds", "600", "--no-training"]
    with subprocess.Popen(command, env=_environ(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as demo:
        try:
            _programs(demo.pid)["steelyard-agent simulate"].kill()
            assert demo.wait(DEADLINE_S) == 1
            assert demo.stderr is not None
            assert b"fleet ended" in demo.stderr.read()
        finally:
            demo.kill()
    assert _is_clean(tmp_path)


def test_local_shows_this_machine_alone_and_keeps_its_store(tmp_path: Path) -> None:
    environ = _environ(tmp_path)
    command = [STEELYARD, "local", "--headless", "--data-dir", str(tmp_path / "data")]
    for _ in range(2):
        run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=115)
        assert run.returncode == 0, run.stderr
        assert "measured" in run.stdout
        assert "simulated" not in run.stdout
    assert (tmp_path / "data" / "store").is_dir()
