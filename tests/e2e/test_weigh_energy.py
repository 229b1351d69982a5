"""`steelyard weigh` reads the energy of the device that it trains on: the real commands over stand-in GPUs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steelyard_tui.weigh.energy import Readings, energy_of
from tests.standins.build import build
from tests.standins.programs import BIN
from tests.standins.scenario import VARIABLE, Scenario

# In the place of the trainer's Python: it holds GPU 2, and says what a training of some seconds would.
TRAINER = """#!{python}
import json, os, sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.standins.scenario import Scenario
if sys.argv[1] == "-c":
    sys.exit(0)
still = {{"energy_mj.%d" % n: 7 for n in (0, 1, 3)}}
Scenario(Path(os.environ[{variable!r}]), **{{"devices": 4, "pids.2": "%d:100" % os.getpid(), **still}})
begin_s = time.monotonic() + 1
time.sleep(5)
rates = {{"tflops_per_device": 1.0, "share_of_ceiling": None, "share_absent": "none", "tokens_per_s_device": 1000.0}}
print(json.dumps({{"size": "small", "precision": "bfloat16", "device": "cuda", "chip": "stand-in", "devices": 1,
    "steps": 45, "steps_left_out": 5, "tokens_per_step": 100, "counted_from_s": begin_s, "counted_to_s": begin_s + 3.2,
    "step_p50_s": 0.1, "step_p99_s": 0.1, "step_cv": 0.0, "gemm_tflops": {{}}, "versions": {{}}, **rates}}))
"""


@pytest.mark.timeout(200)
def test_tokens_per_joule_are_those_of_the_device_that_the_job_holds(tmp_path: Path) -> None:
    build("nvml", tmp_path)
    scenario = Scenario(tmp_path / "scenario", devices=4)
    python = tmp_path / "python"
    root = str(Path(__file__).parents[2])
    python.write_text(TRAINER.format(python=sys.executable, root=root, variable=VARIABLE))
    python.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    environ = {**clean, "LD_LIBRARY_PATH": str(tmp_path), VARIABLE: str(scenario.path), "STEELYARD_JOB": "weighed"}
    done = subprocess.run(
        [str(BIN / "steelyard"), "weigh", "--json", "--python", str(python)],
        env=environ, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    slip = json.loads(done.stdout)
    assert slip["tokens_per_j_absent"] is None, slip
    # The stand-in's GPU 2 draws 568 W, give or take 55, in the 3.2 s of 40 steps of 100 tokens; the others stand still.
    assert slip["tokens_per_j"] == pytest.approx(4000 / slip["energy_j"])
    assert 3.2 * (568 - 56) <= slip["energy_j"] <= 3.2 * (568 + 56)


def device(uid: str, **facts: Any) -> dict[str, Any]:
    return {"uid": uid, "kind": "npu", "package_uid": "", "package_devices": 1, "power_scope": "device", "note": "",
            **facts}  # fmt: skip


def readings(devices: list[dict[str, Any]], watts: dict[str, float], *held: str, **line: Any) -> Readings:
    lines = [
        {"energy_mj": {uid: (at / 5, 1000 * w * at / 5) for uid, w in watts.items()}, "absent": {}, "unseen": {},
         "held": list(held), **line}
        for at in range(100)
    ]  # fmt: skip
    return Readings([{"devices": devices}, *lines])


SLIP = {"device": "npu", "counted_from_s": 5.1, "counted_to_s": 15.1}
DIES = [device(f"die-{n}", package_uid="p", package_devices=2, power_scope="package") for n in (0, 1)]


def test_what_the_counters_count_is_told_or_why_not() -> None:
    two = [device("a", note="integrated"), device("b")]
    found = energy_of(readings(two, {"a": 100, "b": 300}, "a"), SLIP)
    assert (found.joules, found.note) == (pytest.approx(1000), "integrated")
    assert energy_of(readings(two, {"a": 100, "b": 300}, "a", "b"), SLIP).joules == pytest.approx(4000)
    # One die tells the energy of both.
    assert energy_of(readings(DIES, {"die-0": 700}, "die-0", "die-1"), SLIP).joules == pytest.approx(7000)
    assert energy_of(readings(DIES, {"die-0": 700, "die-1": 700}, "die-0", "die-1"), SLIP).joules == pytest.approx(7000)
    why = energy_of(readings(DIES, {"die-0": 700}, "die-0"), SLIP).absent
    assert why == "the counter of package p counts 1 more that this job didn't hold"
    why = energy_of(readings(two, {"b": 1}, "a", absent={"a": "not permitted"}), SLIP).absent
    assert why == "a: not permitted"
    assert (
        energy_of(readings(two, {"a": 1}, "a"), {**SLIP, "counted_to_s": 30.0}).absent == "a: it was not read in time"
    )
    why = energy_of(readings(two, {"a": 1}, unseen={"a": "in a container"}), SLIP).absent
    assert why == "the agent's program doesn't see which npu this job held: in a container"
    assert energy_of(readings(two, {}), {**SLIP, "device": "cuda"}).absent == "the agent's program finds no gpu here"
    assert "weigh for longer" in energy_of(readings(two, {}), {**SLIP, "counted_to_s": 6.0}).absent
    assert energy_of(Readings(absent="no program"), SLIP).absent == "no program"
