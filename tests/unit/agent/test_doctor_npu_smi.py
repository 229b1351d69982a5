"""The doctor beside `npu-smi info`: a stand-in of libdcmi, and a program that prints tables as the real one does."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from steelyard_agent.config import make_config
from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.npu_smi import check_npu_smi, parse
from steelyard_agent.doctor.probe import probe_all
from steelyard_agent.settings import gather_settings
from tests.standins.build import build
from tests.standins.npus import source_over
from tests.standins.scenario import VARIABLE, Scenario

TABLE = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.rc3                 Version: 24.1.rc3                                             |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B2               | OK            | 101.8       43                0    / 0             |
| 0                         | 0000:40:00.0  | 7           0    / 0          45875/ 65536         |
+===========================+===============+====================================================+
| 1     910B2               | OK            | -           39                0    / 0             |
| 0                         | 0000:41:00.0  | 0           0    / 0          45876 / 65536        |
+===========================+===============+====================================================+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
| 0       0                 | 1712733       | python                   | 48954                   |
"""

Check = Callable[[str], Sequence[Finding]]


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
    return Scenario(tmp_path / "scenario", clock=0.0, devices=2, **{"chip_temp.0": 43, "chip_temp.1": 39})


@pytest.fixture
def check(tmp_path: Path, scenario: Scenario) -> Check:
    """Probes two NPUs and compares them with what the program prints."""

    def run(table: str) -> Sequence[Finding]:
        scenario.set({"power_w": 110})
        program = tmp_path / "bin/npu-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n[ $1 = info ] && cat <<'END'\n{table}END\n")
        program.chmod(0o755)
        source = source_over(build("dcmi", tmp_path))
        probes = probe_all([source], monotonic=lambda: 0.0, sleep=lambda _seconds: None)
        environ = {"HOME": str(tmp_path), "PATH": f"{program.parent}:/bin:/usr/bin"}
        return check_npu_smi(Node(make_config(gather_settings({}, environ, None), environ), probes, environ))

    return run


def test_the_table_is_read_and_a_dash_is_no_zero() -> None:
    first, second = parse(TABLE)
    assert first.bus == "0000:40:00.0"
    assert first.values["power_w"] == 101.8
    assert first.values["hbm_total_bytes"] == 65536 << 20
    assert second.values.keys() == {"chip_temp_c", "hbm_used_bytes", "hbm_total_bytes"}


def test_what_agrees_is_said_in_one_line(check: Check) -> None:
    [finding] = check(TABLE)
    assert (finding.level, finding.text) == ("ok", "agrees on 2 NPUs: power, temperature, memory")


def test_a_figure_that_differs_is_named_with_both_values(check: Check) -> None:
    [finding] = check(TABLE.replace("101.8       43", "1018        43"))
    assert (finding.level, finding.subject) == ("warning", "0000:40:00.0 power_w")
    assert finding.text == "110 W by DCMI, 1 018 W by npu-smi"


def test_an_npu_that_only_the_tool_sees(check: Check) -> None:
    more = "| 2     910B2   | OK            | 90.0  40   0 / 0 |\n| 0   | 0000:47:00.0  | 0  0 / 0  100 / 65536 |\n"
    [finding] = check(TABLE + more)
    assert (finding.level, finding.text) == ("warning", "lists NPUs that the agent doesn't see: 0000:47:00.0")


def test_a_table_of_another_form_is_only_noted(check: Check) -> None:
    [finding] = check("nothing of that kind\n")
    assert finding.level == "note"
