"""What the source says of each chip, over a stand-in of libdcmi."""

import ctypes
import time
from pathlib import Path

import pytest

from steelyard_agent.devices.dcmi import structs
from steelyard_agent.model import Absent
from steelyard_proto.errors import DeviceError, LibraryMissing, NotSupported
from tests.standins.build import build
from tests.standins.npus import sampled, source_over
from tests.standins.scenario import VARIABLE, Scenario

MIB = 1 << 20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("dcmi", tmp_path_factory.mktemp("dcmi"))


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
    return Scenario(tmp_path / "scenario", clock=0.0)


def test_structs_are_laid_out_as_in_c(library: Path) -> None:
    standin = ctypes.CDLL(str(library))
    name, member, size = ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_size_t()
    outs = [ctypes.byref(out) for out in (name, member, size)]
    seen = set()
    while standin.standin_layout(len(seen), *outs):
        assert name.value is not None
        assert member.value is not None
        ours = getattr(structs, name.value.decode())
        field = member.value.decode()
        assert size.value == (getattr(ours, field).offset if field else ctypes.sizeof(ours)), (name.value, field)
        seen.add((name.value, field))
    assert {name for name, field in seen if not field} == {
        b"ChipInfoV2", b"MultiUtilization", b"HbmInfo", b"EccInfo", b"PcieInfo", b"DieId", b"ProcessMemory",
        b"HccsBandwidth", b"PcieBandwidth", b"HccsCounts", b"PcieErrors", b"HccsLanes", b"UbLinks", b"UbPort",
        b"PortList", b"UbCounts", b"NetworkCounts", b"SioErrors",
    }  # fmt: skip


def test_910b_tells_all_of_the_catalogue_that_dcmi_has(library: Path, scenario: Scenario, tmp_path: Path) -> None:
    scenario.set({
        "chip": "910B3", "busy.1": 91, "core_active.1": 87, "cube.1": 70, "vector.1": 25, "hbm_busy.1": 55,
        "clock.1": 1650, "clock_max": 1800, "hbm_clock.1": 1600, "power_w.1": 312.4, "hbm_temp.1": 57,
        "chip_temp.1": 61, "voltage.1": 0.83, "hbm_mib.1": 65536, "hbm_used_mib.1": 40000, "health.1": 2,
        "network_health.1": 6, "ecc_single.1": 7, "ecc_double.1": 1, "isolated.1": 3, "next_isolated.1": 1,
        "pids.1": "4711:2048 4712:16", "slowed_by.1": 1028, "hccs_tx.1": 70, "hccs_rx.1": 35, "hccs_errors.1": 3,
        "pcie_tx.1": 6, "pcie_rx.1": 8, "roce_tx.1": 5000, "roce_rx.1": 7000, "roce_bad.1": 2,
        "roce_retries.1": 9, "roce_pfc.1": 30,
        "hccs_tx_packets.1": 300, "hccs_rx_packets.1": 200, "hccs_down.1": 2,
        "pcie_retries.1": 13,
    })  # fmt: skip
    numa = tmp_path / "sys/bus/pci/devices/0000:41:00.0/numa_node"
    numa.parent.mkdir(parents=True)
    numa.write_text("3\n")
    (numa.parent / "current_link_speed").write_text("16.0 GT/s PCIe\n")
    (numa.parent / "current_link_width").write_text("8\n")
    source = source_over(library, lambda: 5.0, sys=tmp_path / "sys")
    devices = source.discover()
    assert len({device.uid for device in devices}) == 8
    assert [device.index for device in devices] == list(range(8))
    device = devices[1]
    assert (device.vendor, device.kind, device.chip, device.part) == ("huawei", "npu", "910B3", "package")
    assert (device.name, device.package_uid, device.power_scope) == ("Ascend910B3", "", "device")
    assert device.uid == "NPU-A0000101-A0010101-A0020101-A0030101-A0040101"
    assert (device.pci_address, device.numa_node, device.memory_bytes) == ("0000:41:00.0", 3, 65536 * MIB)
    assert (device.driver_version, device.library_version) == ("24.1.rc3", "24.1.0")
    assert "10 Hz" in device.notes["energy_mj"]
    assert sampled(source, device) == {
        "busy": 0.91, "core_active": 0.87, "tensor_active": 0.70, "vector_active": 0.25, "hbm_bw_active": 0.55,
        "hbm_used_bytes": 40000.0 * MIB, "hbm_temp_c": 57.0, "core_clock_mhz": 1650.0, "mem_clock_mhz": 1600.0,
        "power_w": 312.4, "energy_mj": 0, "chip_temp_c": 61.0, "core_clock_max_mhz": 1800.0,
        "hbm_total_bytes": 65536.0 * MIB, "voltage_v": 0.83, "ecc_corrected": 7, "ecc_uncorrected": 1,
        "remapped_rows": 9.0, "remap_pending": 4.0, "health": 2.0, "network_health": 6.0, "processes": 2.0,
        "throttle_reasons": 1028, "link_tx_bytes_per_s": pytest.approx(70 * 2**30),
        "link_rx_bytes_per_s": pytest.approx(35 * 2**30), "pcie_tx_bytes_per_s": 9e9, "pcie_rx_bytes_per_s": 11e9,
        "link_errors": 21, "link_up": 5.0, "link_tx_bytes": 7 * 300 * 20, "link_rx_bytes": 7 * 200 * 20,
        "ecc_corrected_hbm": 7, "ecc_uncorrected_hbm": 1, "roce_tx_bytes": 5000, "roce_rx_bytes": 7000,
        "roce_errors": 6, "roce_retries": 9, "roce_pauses": 1 + 2 + 10 + 30, "pcie_replays": 13,
        "pcie_gt_s": 16.0, "pcie_lanes": 8.0,
    }  # fmt: skip
    source.close()


def test_a_link_that_the_kernel_does_not_know_is_absent(library: Path, scenario: Scenario, tmp_path: Path) -> None:
    folder = tmp_path / "sys/bus/pci/devices/0000:41:00.0"
    folder.mkdir(parents=True)
    (folder / "current_link_speed").write_text("32.0 GT/s PCIe\n")
    source = source_over(library, sys=tmp_path / "sys")
    first, second = source.discover()[:2]
    assert "pcie_gt_s" not in sampled(source, first), "nothing is shown of it"
    for lanes in ("63", "Unknown"):
        (folder / "current_link_width").write_text(f"{lanes}\n")
        values = sampled(source, second)
        assert values["pcie_gt_s"] == values["pcie_lanes"] == Absent("the kernel does not know the PCIe link")
    source.close()


def test_910a_is_read_by_its_older_calls(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "910A", "core_active": 66, "hbm_busy": 44})
    source = source_over(library)
    device = source.discover()[0]
    assert (device.chip, device.part, device.power_scope) == ("910A", "package", "device")
    values = sampled(source, device)
    assert (values["core_active"], values["hbm_bw_active"]) == (0.66, 0.44)
    assert not {"busy", "tensor_active", "vector_active"} & values.keys(), "what it never gives is not in its layout"


def test_a_950_is_read_by_the_second_set_of_functions(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "950PR", "devices": 2, "busy.1": 91, "power_w.1": 400, "pids.1": "4711:16"})
    scenario.set({"ub_up": 6, "ub_errors": 3, "roce_bad": 4})
    source = source_over(library)
    devices = source.discover()
    assert [(device.index, device.chip, device.part) for device in devices] == [
        (0, "950PR", "package"),
        (1, "950PR", "package"),
    ]
    assert devices[1].uid == "NPU-A0000201-A0010201-A0020201-A0030201-A0040201", "its DDIE number"
    values = sampled(source, devices[1])
    assert (values["busy"], values["power_w"], values["processes"]) == (0.91, 400.0, 1.0)
    assert not {"link_tx_bytes_per_s", "link_tx_bytes", "roce_tx_bytes", "network_health"} & values.keys()
    assert isinstance(values["pcie_tx_bytes_per_s"], float)
    # Of its ten ports, two are for Ethernet.
    assert (values["link_up"], values["link_errors"]) == (6.0, 8 * 3)
    assert (values["roce_errors"], values["roce_pauses"]) == (2 * (1 + 4), 2 * (0 + 1 + 2 + 3))


def test_errors_between_the_dies_of_a_910c_are_errors_of_its_links(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "910C", "hccs_errors.1": 3, "sio_errors.1": 10})
    source = source_over(library)
    assert sampled(source, source.discover()[1])["link_errors"] == 7 * 3 + 10 + 1


def test_links_that_are_not_there_are_not_counted_as_down(library: Path, scenario: Scenario) -> None:
    scenario.set({"hccs_ports.0": 0, "hccs_down.1": 7})
    source = source_over(library)
    first, second = source.discover()[:2]
    assert "link_up" not in sampled(source, first)
    assert sampled(source, second)["link_up"] == 0.0


def test_ports_that_cannot_be_are_not_asked(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "950PR", "devices": 1, "ub_dies": 9})
    source = source_over(library)
    assert isinstance(sampled(source, source.discover()[0])["link_errors"], Absent)


def test_a_chip_split_into_virtual_ones_has_no_link_rates(library: Path, scenario: Scenario) -> None:
    scenario.set({"virtual.0": 2})
    source = source_over(library)
    values = sampled(source, source.discover()[0])
    assert values["link_tx_bytes_per_s"] == Absent("dcmi_get_hccs_link_bandwidth_info: -8002")
    assert not isinstance(values["busy"], Absent)


def test_910c_is_two_dies_whose_power_is_counted_once(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "910C", "power_w": 640})
    source = source_over(library)
    devices = source.discover()
    assert len(devices) == 16
    assert {(device.chip, device.part) for device in devices} == {("910C", "die")}
    assert len({device.package_uid for device in devices}) == 8
    assert devices[0].package_uid == devices[1].package_uid != devices[2].package_uid
    first, second = devices[0], devices[1]
    assert (first.power_scope, second.power_scope) == ("package", "")
    assert "whole package" in first.notes["power_w"]
    assert sampled(source, first)["power_w"] == 640.0
    of_second = sampled(source, second)
    assert of_second["power_w"] == of_second["energy_mj"] == Absent("counted once, at the package's other die")
    assert of_second["busy"] == pytest.approx(0.92)
    assert "energy_mj" not in second.notes


@pytest.mark.parametrize("code", [-8255, -8010, -99998])
def test_910c_whose_other_die_refuses_its_power_is_the_same(library: Path, scenario: Scenario, code: int) -> None:
    scenario.set({"chip": "910C", "other_die": code})
    source = source_over(library)
    first, second = source.discover()[:2]
    assert (first.power_scope, second.power_scope) == ("package", "")
    assert sampled(source, second)["power_w"] == Absent("counted once, at the package's other die")


def test_910c_whose_dies_tell_their_own_power_has_it_twice(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "910C", "package_power": 0, "power_w": 320})
    source = source_over(library)
    devices = source.discover()
    assert {device.power_scope for device in devices} == {"die"}
    assert {sampled(source, device)["power_w"] for device in devices[:2]} == {320.0}


def test_910c_with_a_silent_die_does_not_claim_whose_power_it_is(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "910C"})
    package_uid = source_over(library).discover()[1].package_uid
    scenario.set({"booting.1": 1, "booting.2": 1})
    source = source_over(library)
    devices = {device.index: device for device in source.discover()}
    assert devices.keys() == set(range(16)) - {1, 2}
    assert devices[0].power_scope == "", "whether the figure counts the silent die too is not known"
    assert sampled(source, devices[3])["power_w"] == Absent("the driver reports no power")
    scenario.drop("booting.1", "booting.2")
    devices = {device.index: device for device in source.discover()}
    assert (len(devices), devices[0].power_scope, devices[1].package_uid) == (16, "package", package_uid)


def test_910c_by_a_driver_that_names_the_family_only_is_no_910a(library: Path, scenario: Scenario) -> None:
    scenario.set({"chip": "910C", "npu_name": "-"})
    device = source_over(library).discover()[0]
    assert (device.chip, device.part, device.name) == ("", "die", "Ascend910")


def test_an_unknown_chip_borrows_no_peak(library: Path, scenario: Scenario) -> None:
    scenario.set({"npu_name": "Ascend970X", "chip_name": "970X"})
    assert {device.chip for device in source_over(library).discover()} == {""}


def test_cards_by_their_ids_and_npus_only(library: Path, scenario: Scenario) -> None:
    scenario.set({"devices": 4, "first_card": 2, "card_step": 3, "mcu": 1, "die.3": 0})
    source = source_over(library)
    devices = source.discover()
    assert [device.index for device in devices] == [0, 1, 2, 3]
    assert devices[3].uid == "npu:n1:11:0", "a die without a number is called by its place"


@pytest.mark.parametrize(
    ("key", "value"),
    [("cards", 65), ("cards", -1), ("devices_in_card", 5), ("devices_in_card", -2), ("process_count", 33)],
)
def test_counts_that_cannot_be_are_refused(library: Path, scenario: Scenario, key: str, value: int) -> None:
    source = source_over(library)
    if key == "process_count":
        device = source.discover()[0]
        scenario.set({key: value})
        with pytest.raises(DeviceError, match="can't be"):
            source.sample(device.uid, "processes")
        return
    scenario.set({key: value})
    with pytest.raises(DeviceError, match="can't be"):
        source.discover()


@pytest.mark.parametrize(
    ("key", "value", "metric"),
    [
        ("busy", 255, "busy"),
        ("hbm_busy", 101, "hbm_bw_active"),
        ("chip_temp", 32767, "chip_temp_c"),
        ("hbm_used_mib", 70000, "hbm_used_bytes"),
        ("clock", 4294967295, "core_clock_mhz"),
        ("power_w", 214748364, "power_w"),
        ("hbm_mib", 0, "hbm_total_bytes"),
        ("voltage", 0, "voltage_v"),
        ("health", 4294967295, "health"),
        ("ecc", 0, "ecc_corrected"),
    ],
)
def test_a_figure_that_cannot_be_is_absent(
    library: Path, scenario: Scenario, key: str, value: float, metric: str
) -> None:
    source = source_over(library)
    device = source.discover()[0]
    scenario.set({key: value})
    values = sampled(source, device)
    assert isinstance(values[metric], Absent)
    assert not isinstance(values["core_active"], Absent), "the others stay"


@pytest.mark.parametrize(
    ("without", "gone", "kept"),
    [
        ("dcmi_get_device_multi_utilization_rate", set(), {"busy", "core_active", "tensor_active", "vector_active"}),
        ("dcmi_get_device_hbm_info", {"hbm_used_bytes", "hbm_total_bytes", "hbm_temp_c"}, {"hbm_bw_active"}),
        ("dcmi_get_device_resource_info", {"processes"}, {"busy"}),
        ("dcmi_get_device_type", set(), {"busy", "processes"}),
        ("dcmi_get_device_chip_info_v2", set(), {"busy"}),
        ("dcmi_get_device_die_v2", set(), {"busy"}),
        ("dcmi_get_device_info", {"throttle_reasons", "link_errors", "link_up", "link_tx_bytes"}, {"busy"}),
        ("dcmi_get_hccs_link_bandwidth_info", {"link_tx_bytes_per_s"}, {"pcie_tx_bytes_per_s"}),
        ("dcmi_get_netdev_pkt_stats_info", {"roce_tx_bytes"}, {"network_health"}),
    ],
)
def test_a_library_without_a_function(
    tmp_path: Path, scenario: Scenario, without: str, gone: set[str], kept: set[str]
) -> None:
    source = source_over(build("dcmi", tmp_path / without, without=[without]))
    device = source.discover()[0]
    values = sampled(source, device)
    assert device.chip == "910B2"
    assert device.uid == ("npu:n1:0:0" if "die" in without else "NPU-A0000100-A0010100-A0020100-A0030100-A0040100")
    assert not gone & values.keys()
    assert all(not isinstance(values[name], Absent) for name in kept)


def test_a_function_that_only_says_it_is_missing_is_not_asked_again(library: Path, scenario: Scenario) -> None:
    scenario.set({"missing.dcmi_get_device_voltage": 1, "error.dcmi_get_device_network_health": -8001})
    source = source_over(library)
    device = source.discover()[0]
    assert not {"voltage_v", "network_health"} & sampled(source, device).keys()


def test_processes_with_their_memory(library: Path, scenario: Scenario) -> None:
    scenario.set({"pids.0": "4711:2048 4712:16", "pids.1": ""})
    source = source_over(library, proc=Path("/nonexistent"))
    first, second = source.discover()[:2]
    found = source.processes(first.uid)
    assert not isinstance(found, Absent)
    assert [(process.pid, process.hbm_used_bytes) for process in found] == [(4711, 2048 * MIB), (4712, 16 * MIB)]
    assert source.processes(second.uid) == []


def test_pids_of_the_host_mean_nothing_inside_a_container(library: Path, scenario: Scenario, tmp_path: Path) -> None:
    scenario.set({"pids.0": "4711:2048"})
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").touch()
    source = source_over(library, proc=tmp_path / "proc")
    found = source.processes(source.discover()[0].uid)
    assert found == Absent("the agent's container does not see the host's pids")


def test_energy_is_the_integral_of_polls_and_samples(library: Path, scenario: Scenario) -> None:
    now_s = [100.0]
    scenario.set({"power_w": 200})
    source = source_over(library, clock=lambda: now_s[0])
    device = source.discover()[0]
    start = sampled(source, device)["energy_mj"]
    for _ in range(10):
        now_s[0] += 0.1
        source.poll(device.uid)
    scenario.set({"power_w": 400})
    now_s[0] += 0.1
    end = sampled(source, device)["energy_mj"]
    assert isinstance(start, int)
    assert isinstance(end, int)
    assert end - start == pytest.approx(200_000 + 30_000, abs=2), "1 s at 200 W, 0.1 s of the way to 400 W"
    scenario.set({"error.dcmi_get_device_power_info": -8010})
    source.poll(device.uid)
    values = sampled(source, device)
    assert isinstance(values["power_w"], Absent)


def test_a_node_without_the_library_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match="install the Ascend driver"):
        source_over(tmp_path / "libdcmi.so").discover()


def test_a_file_that_is_no_library_is_not_missing(tmp_path: Path) -> None:
    path = tmp_path / "libdcmi.so"
    path.write_text("not ELF")
    with pytest.raises(DeviceError, match="can't be loaded") as caught:
        source_over(path).discover()
    assert not isinstance(caught.value, LibraryMissing | NotSupported)


def test_a_tick_of_8_npus_costs_less_than_a_thousandth_of_a_second_each(library: Path, scenario: Scenario) -> None:
    source = source_over(library)
    devices = source.discover()
    started_s = time.thread_time()
    for _ in range(50):
        for device in devices:
            source.sample(device.uid, "fast")
    assert (time.thread_time() - started_s) / 50 / len(devices) < 0.001
