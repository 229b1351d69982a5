"""NVML's figures, out of the stand-in library."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.model import Absent, DeviceProcess
from steelyard_proto.errors import DeviceError, DeviceLost, LibraryMissing
from tests.standins.build import build
from tests.standins.nvml_node import NvmlNode, named
from tests.standins.scenario import VARIABLE, Scenario

MIB = 1 << 20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("nvml", tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def node(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NvmlNode:
    path = tmp_path / "scenario"
    monkeypatch.setenv(VARIABLE, str(path))
    return NvmlNode(library, Scenario(path, devices=2), tmp_path)


@pytest.fixture
def source(node: NvmlNode) -> Iterator[NvmlSource]:
    source = node.source()
    yield source
    source.close()


def test_h100_gives_the_fast_set(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set(
        {"busy.1": 87, "memory_busy.1": 40, "power_w.1": 512.5, "energy_mj.1": 123456789, "gpm.5.1": 43.5}
    )
    node.scenario.set(
        {"gpm.60.1": 100, "gpm.61.1": 200, "core_clock.1": 1755, "throttle_bits.1": 4, "slow_brake_ns": 7}
    )
    info = source.discover()[1]
    node.advance(1)
    values = named(source, info)
    assert len(values) == 30
    assert values["busy"] == 0.87
    assert values["memctl_busy"] == 0.40
    assert values["power_w"] == 512.5
    assert values["energy_mj"] == 123456789
    assert values["tensor_active"] == 0.435
    assert values["link_rx_bytes_per_s"] == 100 * MIB
    assert values["link_tx_bytes_per_s"] == 200 * MIB
    assert values["core_clock_mhz"] == 1755
    assert values["throttle_reasons"] == 4
    assert values["throttle_hw_ns"] == 7
    assert not [value for value in values.values() if isinstance(value, Absent)]


def test_facts_of_a_device(source: NvmlSource) -> None:
    first, second = source.discover()
    assert (first.uid, first.vendor, first.kind, first.chip) == (
        "GPU-5eed0000-0000-4000-8000-000000000000",
        "nvidia",
        "gpu",
        "H100",
    )
    assert (second.index, second.pci_address) == (1, "0000:29:00.0")
    assert first.memory_bytes == 81559 * MIB
    assert (first.driver_version, first.library_version) == ("575.57.08", "12.575.57.08")
    assert first.power_scope == "device"
    assert first.notes == {}


def test_numa_node_comes_from_sysfs(node: NvmlNode, source: NvmlSource) -> None:
    folder = node.root / "sys/bus/pci/devices/0000:29:00.0"
    folder.mkdir(parents=True)
    (folder / "numa_node").write_text("1\n")
    assert [info.numa_node for info in source.discover()] == [-1, 1]


def test_slow_set(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"ecc_corrected": 12, "ecc_uncorrected": 1, "remapped_corrected": 2, "remapped_uncorrected": 3})
    node.scenario.set(
        {"remap_pending": 1, "pcie_replays": 9, "power_limit_w": 650, "pcie_generation": 4, "pcie_width": 8}
    )
    node.scenario.set({"ecc_hbm": 11, "ecc_sram": 1, "ecc_sram_uncorrected": 4})
    assert named(source, source.discover()[0], "slow") == {
        "core_clock_max_mhz": 1980,
        "power_limit_w": 650,
        "hbm_total_bytes": 81559 * MIB,
        "hbm_reserved_bytes": 551 * MIB,
        "ecc_corrected": 12,
        "ecc_uncorrected": 1,
        "remapped_rows": 5,
        "remap_pending": 1,
        "pcie_replays": 9,
        "pcie_gt_s": 16.0,
        "pcie_lanes": 8,
        "link_errors": 1,
        "link_up": 18.0,
        "ecc_corrected_hbm": 11,
        "ecc_uncorrected_hbm": 0,
        "ecc_corrected_sram": 1,
        "ecc_uncorrected_sram": 4,
    }


def test_before_ampere_memory_is_set_aside_by_pages(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"name": "Tesla V100-SXM2-32GB", "gpm": 0, "retires_pages": 1})
    node.scenario.set({"retired_corrected": 3, "retired_uncorrected.0": 4, "retirement_pending.0": 1})
    first, second = source.discover()
    values = named(source, first, "slow")
    assert (values["remapped_rows"], values["remap_pending"]) == (7.0, 1.0)
    values = named(source, second, "slow")
    assert (values["remapped_rows"], values["remap_pending"]) == (3.0, 0.0)


def test_a_link_of_an_unknown_generation_has_no_speed(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set({"pcie_generation": 99})
    assert named(source, info, "slow")["pcie_gt_s"] == Absent("out of range")


def test_a100_has_no_gpm_and_nothing_stands_in(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"gpm": 0, "name": "NVIDIA A100-SXM4-80GB"})
    info = source.discover()[0]
    values = named(source, info)
    assert info.chip == "A100-80G"
    assert not {"core_active", "tensor_active", "hbm_bw_active", "link_tx_bytes_per_s"} & values.keys()
    assert "busy" in values
    assert "no GPM before Hopper" in info.notes["tensor_active"]


def test_gpm_that_claims_support_but_gives_nothing(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({f"error.gpm.{number}": 3 for number in (2, 3, 4, 5, 7, 10, 11, 12, 13, 20, 21, 60, 61)})
    info = source.discover()[0]
    assert "tensor_active" not in named(source, info)
    assert "not supported" in info.notes["tensor_active"]
    assert node.live_samples() == 0


def test_guest_of_a_virtual_gpu_has_less_and_says_why(node: NvmlNode, source: NvmlSource) -> None:
    # It claims GPM and refuses the first sample; support is believed only after a live probe.
    node.scenario.set({"vgpu": 1, "name": "NVIDIA H100-40C"})
    info = source.discover()[0]
    values = named(source, info)
    assert not {"tensor_active", "power_w", "energy_mj", "pcie_tx_bytes", "throttle_power_ns"} & values.keys()
    assert "not supported" in info.notes["tensor_active"] or "does not give it" in info.notes["tensor_active"]
    assert isinstance(values["busy"], float)
    assert isinstance(values["hbm_used_bytes"], float)
    assert not {"ecc_corrected", "pcie_replays", "power_limit_w"} & named(source, info, "slow").keys()
    assert info.power_scope == ""
    assert node.live_samples() == 0


def test_gpm_metric_failing_alone_is_absent_alone(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.advance(1)
    node.scenario.set({"error.gpm.5": 21})
    values = named(source, info)
    assert values["tensor_active"] == Absent("failed: nvmlGpmMetricsGet (21)")
    assert isinstance(values["core_active"], float)


def test_gpm_window_under_100_ms_is_absent_and_the_next_covers_it(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.advance(1)
    named(source, info)
    node.advance(0.06)
    assert named(source, info)["core_active"] == Absent("GPM window under 100 ms")
    node.advance(0.06)
    assert isinstance(named(source, info)["core_active"], float)


def test_frozen_gpm_is_found_out(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set({"gpm_frozen": 1, "gpm.20": 300, "gpm.21": 300})
    seen = []
    for _ in range(40):
        node.advance(1)
        seen.append(named(source, info)["core_active"])
    assert isinstance(seen[20], float)
    assert seen[-1] == Absent("GPM repeats itself")
    node.scenario.set({"gpm_frozen": 0})
    node.advance(1)
    assert isinstance(named(source, info)["core_active"], float)


def test_activity_that_cannot_be_is_absent(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.advance(1)
    node.scenario.set({"gpm.2": 100.4, "gpm.5": 250, "gpm.10": "nan", "chip_temp": 999})
    values = named(source, info)
    assert values["core_active"] == 1.0
    out = Absent("out of range")
    assert (values["tensor_active"], values["hbm_bw_active"], values["chip_temp_c"]) == (out, out, out)


def test_unsupported_fields_are_left_out_and_others_tried(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"error.field.186": 3, "error.field.83": 3, "error.field.82": 3, "power_w": 300, "energy_mj": 5})
    values = named(source, source.discover()[0])
    assert values["power_w"] == 300  # nvmlDeviceGetPowerUsage
    assert values["energy_mj"] == 5  # nvmlDeviceGetTotalEnergyConsumption
    assert "hbm_temp_c" not in values


def test_field_failing_alone_is_absent_alone(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set({"error.field.271": 999, "error.field.253": 999, "error.field.74": 4})
    values = named(source, info)
    assert values["throttle_hw_ns"] == Absent("failed: nvmlDeviceGetFieldValues (999)")
    assert values["throttle_power_ns"] == Absent("not permitted: nvmlDeviceGetFieldValues (4)")
    assert isinstance(values["energy_mj"], int)


def test_fields_change_their_type_while_running(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set({"field.186": 450250, "field_type.186": 3, "field.82": 71, "field_type.82": 0})
    values = named(source, info)
    assert (values["power_w"], values["hbm_temp_c"]) == (450.25, 71)
    node.scenario.set({"field_type.186": 42})
    assert named(source, info)["power_w"] == Absent("field of an unknown type")


def test_driver_that_refuses_the_whole_call_for_one_field(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"highest_field": 200, "power_w": 250})
    values = named(source, source.discover()[0])
    assert values["power_w"] == 250
    assert "energy_mj" in values
    assert "throttle_thermal_ns" not in values


@pytest.mark.parametrize("first", [251, 269])
def test_slowdown_counters_by_either_numbering(node: NvmlNode, source: NvmlSource, first: int) -> None:
    node.scenario.set({"throttle_field": first, "power_smoothing": 1, "slow_thermal_ns": 11, "slow_hw_thermal_ns": 20})
    node.scenario.set({"slow_brake_ns": 3})
    values = named(source, source.discover()[0])
    assert (values["throttle_thermal_ns"], values["throttle_hw_ns"]) == (11, 23)


def test_no_slowdown_counters_where_the_numbers_mean_power_smoothing(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"throttle_field": 900, "power_smoothing": 1})
    assert not {"throttle_thermal_ns", "throttle_hw_ns"} & named(source, source.discover()[0]).keys()


@pytest.mark.parametrize(("generation", "has_links"), [(0, False), (4, True), (5, True)])
def test_links_of_every_generation(node: NvmlNode, source: NvmlSource, generation: int, has_links: bool) -> None:
    node.scenario.set({"nvlink": generation, "clock": 100})
    values = named(source, source.discover()[0])
    assert ("link_tx_bytes" in values) is has_links
    if has_links:
        sent = values["link_tx_bytes"]
        assert isinstance(sent, int)
        assert sent == pytest.approx(1.1e11 * node.now_s + 1e12, rel=1e-6)


def test_errors_of_links_are_of_all_kinds_that_are_counted(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"link_errors": 5})
    assert named(source, source.discover()[0], "slow")["link_errors"] == 4 * 5 + 1
    node.scenario.set({"error.field.45": 3})
    source.close()
    assert named(source, source.discover()[0], "slow")["link_errors"] == 3 * 5 + 1
    node.scenario.set({"nvlink": 0})
    source.close()
    assert "link_errors" not in named(source, source.discover()[0], "slow")


def test_errors_of_nvlink_5_are_counted_by_link(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"nvlink": 5, "link_errors": 2})
    info = source.discover()[0]
    assert named(source, info, "slow")["link_errors"] == 18 * 4 * 2
    node.scenario.set({"error.field.212": 3})
    assert isinstance(named(source, info, "slow")["link_errors"], Absent), "a part of the sum is missing"
    source.close()
    assert named(source, source.discover()[0], "slow")["link_errors"] == 18 * 3 * 2


def test_links_that_are_up_are_counted(node: NvmlNode, source: NvmlSource) -> None:
    # Of an A100 with 12 of the driver's 18 links wired, two are down.
    node.scenario.set({"links_wired.0": 12, "links_down.0": 2, "nvlink.1": 0})
    first, second = source.discover()
    assert named(source, first, "slow")["link_up"] == 10
    assert "link_up" not in named(source, second, "slow"), "it has no links"
    node.scenario.set({"links_down.0": 12})
    assert named(source, first, "slow")["link_up"] == 0
    node.scenario.set({"error.nvmlDeviceGetNvLinkState.0": 999})
    assert isinstance(named(source, first, "slow")["link_up"], Absent)


def test_a_link_that_does_not_answer_makes_the_sum_absent(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"nvlink": 5})
    info = source.discover()[0]
    node.scenario.set({"error.field.204": 3})
    values = named(source, info)
    assert isinstance(values["link_rx_bytes"], Absent)
    assert isinstance(values["link_tx_bytes"], int)


@pytest.mark.parametrize("kind", [1, 2])
def test_memory_in_use_is_without_what_is_reserved(node: NvmlNode, source: NvmlSource, kind: int) -> None:
    node.scenario.set({"memory_v2": kind, "hbm_used_mib": 1000, "reserved_mib": 600})
    info = source.discover()[0]
    assert named(source, info)["hbm_used_bytes"] == 1000 * MIB
    assert named(source, info, "slow")["hbm_reserved_bytes"] == 600 * MIB


def test_version_1_of_memory_says_that_it_counts_more(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"memory_v2": 0, "hbm_used_mib": 1000, "reserved_mib": 600})
    info = source.discover()[0]
    assert named(source, info)["hbm_used_bytes"] == 1600 * MIB
    assert "hbm_reserved_bytes" not in named(source, info, "slow")
    assert "reserves" in info.notes["hbm_used_bytes"]


def test_unified_memory_is_absent_and_says_why(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"unified": 1, "name": "NVIDIA GB10"})
    info = source.discover()[0]
    assert "hbm_used_bytes" not in named(source, info)
    assert "hbm_total_bytes" not in named(source, info, "slow")
    assert info.memory_bytes == 0
    assert "host's memory" in info.notes["hbm_used_bytes"]


@pytest.mark.parametrize("stride", [24, 32])
def test_processes_by_either_struct(node: NvmlNode, source: NvmlSource, stride: int) -> None:
    node.scenario.set({"pids.0": "4321:1024 77:-1 0:5 9000:2", "mps_pid.0": 555, "process_stride": stride})
    info = source.discover()[0]
    assert source.processes(info.uid) == (
        DeviceProcess(4321, 1024 * MIB),
        DeviceProcess(77, None),
        DeviceProcess(9000, 2 * MIB),
        DeviceProcess(555, 512 * MIB),
    )
    assert named(source, info, "processes") == {"processes": 4}


def test_processes_are_unknown_in_a_container(node: NvmlNode) -> None:
    source = node.source(is_host=False)
    node.scenario.set({"pids.0": "4321:1024"})
    info = source.discover()[0]
    unknown = Absent("the agent's container does not see the host's pids")
    assert source.processes(info.uid) == unknown
    assert named(source, info, "processes") == {"processes": unknown}
    source.close()


def test_more_processes_than_there_was_room_for(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"process_copies": 200, "pids.0": "10:1"})
    found = source.processes(source.discover()[0].uid)
    assert not isinstance(found, Absent)
    assert len(found) == 200


def test_old_driver_without_newer_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
        "nvmlGpmQueryDeviceSupport",
    ]
    library = build("nvml", tmp_path / "old", without=missing)
    path = tmp_path / "scenario"
    monkeypatch.setenv(VARIABLE, str(path))
    node = NvmlNode(library, Scenario(path, devices=1, chip_temp=61, throttle_bits=2), tmp_path)
    source = node.source()
    values = named(source, source.discover()[0])
    assert (values["chip_temp_c"], values["throttle_reasons"]) == (61, 2)
    assert "core_active" not in values
    source.close()


def test_no_library_says_what_to_do(tmp_path: Path) -> None:
    source = NvmlSource(library_paths=[str(tmp_path / "libnvidia-ml.so.1")])
    with pytest.raises(LibraryMissing, match="install the NVIDIA driver"):
        source.discover()


def test_no_driver_under_the_library(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"driver_gone": 9})
    with pytest.raises(DeviceError, match="load the module nvidia") as caught:
        source.discover()
    assert caught.value.code == 9
    node.scenario.drop("driver_gone")
    assert len(source.discover()) == 2


def test_impossible_count_of_devices_is_refused(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"count": 4_000_000_000})
    with pytest.raises(DeviceError, match="can't be"):
        source.discover()


def test_unknown_uid_is_lost(source: NvmlSource) -> None:
    source.discover()
    with pytest.raises(DeviceLost):
        source.sample("GPU-elsewhere", "fast")


def test_library_is_found_through_the_loaders_path(library: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from steelyard_agent.devices.nvml.source import NvmlSource\n"
        "assert 'pynvml' not in sys.modules\n"
        "source = NvmlSource()\n"
        "print(len(source.discover()))\n"
        "source.close()\n"
    )
    environment = {"LD_LIBRARY_PATH": str(library.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("8\n", "")


def test_old_pynvml_is_refused_with_the_remedy(library: Path, tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("c_nvmlUtilization_t = None\nnvmlInit = None\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from steelyard_agent.devices.nvml.source import NvmlSource\n"
        f"NvmlSource(library_paths=[{str(library)!r}]).discover()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "LibraryMissing" in done.stderr
    assert "pip uninstall pynvml" in done.stderr
