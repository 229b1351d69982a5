"""A training on an NPU, timed by npu-monitor and its device sampled by msprof, from the processes to SQL: a real
collector and a real agent, over a stand-in of libdcmi, a process that speaks msMonitor's frames, and a stand-in of
msprof."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from steelyard_tui.cli import main
from tests.standins.agent_parts import until
from tests.standins.ascend_export import KERNELS
from tests.standins.build import build
from tests.standins.msprof import HBM, HCCS, MIB
from tests.standins.programs import Agent, Collector, end
from tests.standins.scenario import VARIABLE, Scenario

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]
WAIT_S = 120.0


def asked(capsys: pytest.CaptureFixture[str], collector: Collector, *words: str) -> str:
    """What a command prints."""
    code = main([*words, "--collector", collector.address])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def msprof_of(folder: Path) -> Path:
    """A folder for PATH."""
    place = folder / "bin"
    place.mkdir()
    script = place / "msprof"
    script.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tests.standins.msprof "$@"\n')
    script.chmod(0o755)
    return place


def test_what_npu_monitor_and_msprof_saw_is_in_sql(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="sy-") as name, ExitStack() as running:
        folder, home = Path(name), Path(name) / "home"
        home.mkdir()
        build("dcmi", folder)
        scenario = Scenario(folder / "scenario", chip="910B", devices=2, pids="-")
        collector = Collector(folder)
        settings = ("profiling.enabled=true", f"profiling.folder={folder / 'fabric'}", f"profiling.npu_home={home}")
        environ = {"LD_LIBRARY_PATH": str(folder), VARIABLE: str(scenario.path)}
        environ |= {"PATH": f"{msprof_of(folder)}:{os.environ['PATH']}"}
        agent = Agent(folder, collector.address, *settings, environ=environ)
        running.callback(end, [agent, collector])
        collector.serve()
        agent.start()
        # The stand-in of a training asks once, and ends where nobody is there.
        until(lambda: (home / "dynolog.sock").exists(), WAIT_S)
        train = [sys.executable, "-m", "tests.standins.npu_trainer", str(home), "first"]
        ranks = {"RANK": "0", "WORLD_SIZE": "1", "SLURM_JOB_ID": "77"}
        trainer = subprocess.Popen(train, env={**os.environ, **ranks}, cwd=ROOT)
        running.callback(trainer.wait)
        running.callback(trainer.kill)
        scenario.set({"pids.1": f"{trainer.pid}:100"})
        until(lambda: collector.ask("SELECT job FROM job_devices WHERE job = '77'"), WAIT_S)
        asked(capsys, collector, "profile", "77", "--duration", "1s", "--link-rates")
        told = {row["profiler"]: row for row in collector.ask("SELECT * FROM profiles WHERE job = '77'")}
        assert {profiler: row["state"] for profiler, row in told.items()} == {
            "npu_monitor": "stored",
            "msprof": "stored",
        }
        assert [(row["device_index"], row["vendor"]) for row in told.values()] == [(1, "huawei")] * 2

        # Its rows are a message of their own.
        by_name = "SELECT name, total_ns, count, chip, rank FROM ops WHERE job = '77' AND by = 'operator'"
        until(lambda: len(collector.ask(by_name)) >= len(KERNELS), WAIT_S)
        operators = collector.ask(by_name)
        assert {row["name"]: row["total_ns"] for row in operators} == {kernel[0]: kernel[4] for kernel in KERNELS}
        assert {(row["count"], row["chip"], row["rank"]) for row in operators} == {(1, told["msprof"]["chip"], 0)}
        (split,) = collector.ask("SELECT sum(duration_ns) AS ns FROM step_split WHERE job = '77'")
        assert split["ns"] == told["npu_monitor"]["window_ns"]

        rates = {
            (row["link"], row["direction"], row["part"]): row
            for row in collector.ask("SELECT * FROM rates WHERE job = '77'")
        }
        assert rates["hbm", "read", "1"]["mean_bytes_per_s"] == sum(HBM["read"][1]) / 2
        assert rates["hccs", "received", None]["max_bytes_per_s"] == max(HCCS[1])
        assert {(row["device_index"], row["chip"], row["samples"]) for row in rates.values()} == {
            (1, told["msprof"]["chip"], 2)
        }
        shown = json.loads(asked(capsys, collector, "ops", "77", "--format", "json"))
        assert {rate["link"] for rate in shown["rates"]} == {"hbm", "hccs", "pcie", "roce"}
        assert shown["totals"]["window_ns"] == told["npu_monitor"]["window_ns"]
        table = asked(capsys, collector, "ops", told["msprof"]["profile"])
        assert f"{800 * MIB / 1e9:.3f}" in table
        assert "hbm 0 read" in table
