"""NVML's figures, out of the stand-in library."""

import subprocess
import sys
from pathlib import Path

import pytest

from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.model import Absent, DeviceProcess
from steelyard_proto.errors import DeviceError, DeviceLost, LibraryMissing
from tests.standins.build import build
from tests.standins.nvml_node import NvmlNode, named
from tests.standins.scenario import VARIABLE, Scenario

MIB = 1 << 20


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
