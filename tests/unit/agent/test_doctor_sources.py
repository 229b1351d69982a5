"""What the doctor says of sources and their figures, over a stand-in of libdcmi."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from steelyard_agent.config import Config, make_config
from steelyard_agent.devices.base import Source
from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.metrics import check_metrics
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.probe import Probe, probe_all
from steelyard_agent.doctor.sources import check_sources, library_file
from steelyard_agent.settings import gather_settings
from tests.standins.build import build
from tests.standins.npus import source_over
from tests.standins.scenario import VARIABLE, Scenario


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("dcmi", tmp_path_factory.mktemp("dcmi"))


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
    return Scenario(tmp_path / "scenario", clock=0.0)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    environ = {"HOME": str(tmp_path)}
    return make_config(gather_settings({}, environ, None), environ)


def probed(*sources: Source, deadline_s: float = 10.0) -> list[Probe]:
    return probe_all(sources, monotonic=time.monotonic, sleep=lambda _seconds: None, deadline_s=deadline_s)


def by_subject(findings: Sequence[Finding]) -> dict[str, Finding]:
    named = {f"{finding.part.partition(',')[0]} {finding.subject}".strip(): finding for finding in findings}
    assert len(named) == len(findings)
    return named


def test_what_was_found_with_its_versions(library: Path, scenario: Scenario, config: Config) -> None:
    node = Node(config, probed(source_over(library)))
    [finding] = check_sources(node)
    assert finding.level == "ok"
    assert finding.text.startswith("8 × Ascend910B2 (910B2), library ")
    assert str(finding.details["library"]).endswith("/libdcmi.so")
    assert finding.details["library_version"] == "24.1.0"
    assert finding.details["driver_version"] == "24.1.rc3"
    assert float(finding.details["read_ms"] or 0) > 0
    assert finding.details["threads_abandoned"] == 0


def test_each_metric_with_its_range_and_cost(library: Path, scenario: Scenario, config: Config) -> None:
    scenario.set({"power_w.0": 100, "power_w.1": 400, "power_w": 200, "error.dcmi_get_device_temperature.3": -8010})
    scenario.set({"missing.dcmi_get_hccs_link_bandwidth_info": 1})
    findings = by_subject(check_metrics(Node(config, probed(source_over(library)))))
    power = findings["dcmi 910B2 power_w"]
    assert power.level == "ok"
    assert power.text.startswith("100 W to 400 W, in ")
    assert (power.details["lowest"], power.details["highest"], power.details["absent"]) == (100.0, 400.0, 0)
    assert isinstance(power.details["class_ms"], float)
    warm = findings["dcmi 910B2 chip_temp_c"]
    assert warm.level == "note"
    assert warm.text.endswith("1 of 8 without: dcmi_get_device_temperature: -8010")
    assert "link_tx_bytes_per_s" in findings["dcmi 910B2 not given"].text, (
        "what the catalogue has and the chip never gives"
    )
    assert findings["dcmi 910B2 processes (who)"].level in ("ok", "warning")


def test_what_the_driver_took_for_a_figure(tmp_path: Path, scenario: Scenario, config: Config) -> None:
    source = NvmlSource(library_paths=[str(build("nvml", tmp_path))], hears_events=False)
    findings = by_subject(check_metrics(Node(config, probed(source))))
    # The stand-in says 3 us for each field; this one is the sum of two.
    assert findings["nvml H100 throttle_hw_ns"].details["driver_us"] == 6.0
    assert findings["nvml H100 energy_mj"].text.endswith("(driver: 3 us)")
    assert "driver_us" not in findings["nvml H100 busy"].details, "no field value, so nothing is told"


def test_an_older_chip_names_what_it_never_gives(library: Path, scenario: Scenario, config: Config) -> None:
    scenario.set({"chip": "910A"})
    findings = by_subject(check_metrics(Node(config, probed(source_over(library)))))
    assert {"busy", "tensor_active", "vector_active"} <= set(
        str(findings["dcmi 910A not given"].details["not_given"]).split()
    )


def test_an_a100_says_why_it_has_no_activity_and_how_to_get_it(
    tmp_path: Path, scenario: Scenario, config: Config
) -> None:
    scenario.set({"gpm": 0, "name": "NVIDIA A100-SXM4-80GB"})
    source = NvmlSource(library_paths=[str(build("nvml", tmp_path))], hears_events=False)
    missing = [one for one in check_metrics(Node(config, probed(source))) if one.subject == "not given"]
    assert [(str(one.details["not_given"]).split()[0], one.remedy != "") for one in missing] == [
        ("core_active", True),
        ("vector_active", False),
    ]
    assert "no GPM before Hopper" in missing[0].text
    assert "scrape" in missing[0].remedy


@pytest.mark.parametrize(
    ("code", "remedy"), [(-8005, "another container holds"), (-8020, "another container uses"), (-8012, "booting")]
)
def test_codes_of_held_and_booting_devices_are_explained(
    library: Path, scenario: Scenario, config: Config, code: int, remedy: str
) -> None:
    scenario.set({"held.5": code})
    findings = by_subject(check_sources(Node(config, probed(source_over(library)))))
    assert findings["dcmi"].text.startswith("7 × ")
    problem = findings["card 5 device 0"]
    assert problem.level == "problem"
    assert str(code) in problem.text
    assert remedy in problem.remedy


def test_a_library_that_refuses_is_one_problem(library: Path, scenario: Scenario, config: Config) -> None:
    scenario.set({"error.dcmi_init": -8002})
    findings = check_sources(Node(config, probed(source_over(library))))
    [problem] = [finding for finding in findings if finding.level == "problem"]
    assert "HwHiAiUser" in problem.remedy


def test_the_librarys_file_is_read_from_the_processes_map(tmp_path: Path) -> None:
    maps = tmp_path / "proc/self/maps"
    maps.parent.mkdir(parents=True)
    line = "7f00-7f01 r--p 00000000 08:01 99 "
    maps.write_text(
        f"{line}/usr/lib/libc.so.6\n7f03-7f04 rw-p 00000000 00:00 0\n{line}/usr/lib/libnvidia-ml.so.575.57.08\n"
    )
    assert library_file("nvml", tmp_path) == "/usr/lib/libnvidia-ml.so.575.57.08"
    assert library_file("dcmi", tmp_path) == ""
    assert library_file("host", tmp_path) == ""


def test_a_missing_library_matters_where_its_hardware_is(config: Config, tmp_path: Path) -> None:
    probes = probed(source_over(tmp_path / "libdcmi.so"))
    note, no_accelerator = check_sources(Node(config, probes, root=tmp_path))
    assert (note.level, no_accelerator.level) == ("note", "warning")
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x19e5\n")
    (device / "class").write_text("0x120000\n")
    problem = check_sources(Node(config, probes, root=tmp_path))[0]
    assert problem.level == "problem"
    assert "1 Ascend NPUs are on the bus" in problem.text
    assert "LD_LIBRARY_PATH" in problem.remedy


def test_a_source_that_hangs_is_left_behind_with_the_place(library: Path, scenario: Scenario, config: Config) -> None:
    scenario.set({"hang.dcmi_get_card_list": 60})
    probes = probed(source_over(library), deadline_s=0.5)
    findings = check_sources(Node(config, probes))
    assert findings[0].level == "problem"
    assert findings[0].text == "hangs in discover"


def test_a_card_that_hangs_is_named_and_the_others_are_there(library: Path, scenario: Scenario, config: Config) -> None:
    scenario.set({"hang.dcmi_get_device_hbm_info.2": 600})
    findings = by_subject(check_sources(Node(config, probed(source_over(library)))))
    scenario.drop("hang.dcmi_get_device_hbm_info.2")
    assert findings["dcmi"].text.startswith("7 × ")
    assert findings["dcmi"].text.endswith(", calls that hang: 1")
    assert findings["card 2"].level == "problem"
    assert "hangs" in findings["card 2"].text
