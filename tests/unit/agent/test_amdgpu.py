"""AMD GPUs over a stand-in of their driver's files: their figures, and the sad states."""

import errno
import shutil
from pathlib import Path

import pytest

from steelyard_agent.devices.amdgpu.binding import DeviceFiles
from steelyard_agent.devices.amdgpu.describe import find_devices
from steelyard_agent.devices.amdgpu.errors import error_for
from steelyard_agent.devices.amdgpu.readings import plan
from steelyard_agent.devices.amdgpu.source import AmdgpuSource
from steelyard_agent.model import Absent, DeviceInfo, Value
from steelyard_proto.errors import DeviceError, DeviceLost, LibraryMissing
from steelyard_proto.metrics import MetricClass, catalogue
from tests.standins.amdgpu_tree import BOARDS, AmdTree, attribute, attributes


class Rig:
    """A source over a tree, whose clocks go together."""

    def __init__(self, folder: Path, board: str, count: int = 2) -> None:
        self.tree = AmdTree(folder, BOARDS[board], count=count)
        self.source = AmdgpuSource(node="n1", clock=lambda: self.tree.now_s, sys=self.tree.sys, proc=folder / "proc")
        self.infos = list(self.source.discover())

    def sample(self, index: int = 0, metric_class: MetricClass = "fast") -> dict[str, Value]:
        info = self.infos[index]
        values = self.source.sample(info.uid, metric_class)
        names = [catalogue().by_id[number].name for number in info.metrics[metric_class]]
        return dict(zip(names, values, strict=True))

    def after(self, seconds: int, index: int = 0) -> dict[str, Value]:
        values = self.sample(index)
        for _ in range(seconds):
            self.tree.tick(self.tree.now_s + 1)
            values = self.sample(index)
        return values


def names_of(info: DeviceInfo) -> set[str]:
    return {catalogue().by_id[number].name for ids in info.metrics.values() for number in ids}


def test_a_device_is_read_by_the_table_that_describes_itself(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    table = rig.tree.folder(0) / "gpu_metrics"
    table.write_bytes(attributes(attribute(3, 3, 2, 640), attribute(4, 10, 2, 97)))
    source = AmdgpuSource(node="n1", clock=lambda: 0.0, sys=rig.tree.sys, proc=tmp_path)
    info = source.discover()[0]
    table.write_bytes(attributes(attribute(3, 3, 2, 650), attribute(4, 10, 2, 50)))
    values = dict(zip(info.metrics["fast"], source.sample(info.uid, "fast"), strict=True))
    # What this table doesn't tell comes from the text files.
    assert (values[1], values[23], values[44]) == (0.5, 650.0, 61.0)


class InReset(DeviceFiles):
    """A device of which the driver lets nothing be read for now."""

    def text(self, name: str) -> bytes:
        raise error_for(PermissionError(errno.EPERM, "Operation not permitted"), call=name, device=self.address)


def test_a_device_in_reset_is_described_once_it_can_be_read(tmp_path: Path) -> None:
    tree = AmdTree(tmp_path, BOARDS["MI300X"])
    with pytest.raises(DeviceError, match="is being reset"):
        plan(InReset(tree.folder(0), tree.address(0)), lambda: 0.0)
    assert plan(DeviceFiles(tree.folder(0), tree.address(0)), lambda: 0.0)["fast"]


def test_figures_of_a_busy_mi300x(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    info = rig.infos[0]
    assert (info.chip, info.part, info.power_scope, info.package_uid) == ("MI300X", "package", "device", "")
    assert (info.uid, info.driver_version, info.numa_node) == ("GPU-000000000abcd000", "6.10.5", 0)
    values = rig.after(6)
    assert values["busy"] == 0.9
    assert values["core_active"] == pytest.approx(0.9, abs=0.001)
    assert values["power_w"] == 700.0
    assert values["energy_mj"] == pytest.approx(700_000 * rig.tree.now_s, rel=1e-6)
    assert values["throttle_power_ns"] == pytest.approx(0.6e9, rel=0.02)
    assert values["chip_temp_c"] == 61.0
    assert values["link_rx_bytes"] == (int(rig.tree.now_s * 1000) + 7) * 1024
    slow = rig.sample(metric_class="slow")
    assert slow == {
        "core_clock_max_mhz": 2100.0, "power_limit_w": 750.0, "hbm_total_bytes": float(64 << 30), "ecc_corrected": 11,
        "ecc_uncorrected": 3, "ecc_corrected_hbm": 4, "ecc_uncorrected_hbm": 1, "ecc_corrected_sram": 2,
        "ecc_uncorrected_sram": 0, "link_errors": 7, "remapped_rows": 1.0, "remap_pending": 1.0, "pcie_replays": 3,
        "ecc_deferred": 0, "pcie_gt_s": 32.0, "pcie_lanes": 16.0,
    }  # fmt: skip


def test_errors_are_told_by_the_blocks_that_count_them(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.put(0, "ras/sdma_err_count", "ue: 1\nce: 10\nde: 7")
    rig.tree.drop(1, "ras/xgmi_wafl_err_count")
    rig.tree.drop(1, "ras/gfx_err_count")
    rig.source.close()
    rig.infos = list(rig.source.discover())
    first, second = (rig.sample(index, metric_class="slow") for index in (0, 1))
    assert (first["ecc_corrected_sram"], first["ecc_uncorrected_sram"]) == (12, 1)
    assert (first["ecc_corrected"], first["ecc_corrected_hbm"]) == (21, 4)
    assert (second["ecc_corrected"], second["ecc_corrected_hbm"]) == (4, 4)
    assert first["ecc_deferred"] == 7
    assert not {"link_errors", "ecc_corrected_sram", "ecc_deferred"} & second.keys(), "what it doesn't count is absent"


def test_links_that_are_up(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X-new")
    assert rig.sample(metric_class="slow")["link_up"] == 7.0
    rig.tree.table[0] = {"xgmi_up": "1,0,1,1,1,1,1"}
    rig.tree.put_table(0)
    assert rig.sample(metric_class="slow")["link_up"] == 6.0
    # A guest's driver says of each that it can't know.
    rig.tree.table[1] = {"xgmi_up": "2,2,2,2,2,2,2"}
    rig.tree.put_table(1)
    rig.source.close()
    assert "link_up" not in names_of(rig.source.discover()[1])


def test_a_package_of_two_gcds_counts_its_power_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI250X", count=4)
    assert [info.part for info in rig.infos] == ["gcd"] * 4
    assert rig.infos[0].package_uid == rig.infos[1].package_uid != rig.infos[2].package_uid
    assert rig.infos[0].power_scope == "package"
    assert "power_w" in names_of(rig.infos[0])
    assert not {"power_w", "energy_mj"} & names_of(rig.infos[1])
    assert rig.infos[1].power_scope == ""
    assert rig.after(1, index=1)["busy"] == 0.9


def test_energy_that_does_not_keep_pace_with_power_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.energy_factor = 0.25
    assert rig.sample()["energy_mj"] == Absent("being checked against the power")
    energy = rig.after(8)["energy_mj"]
    assert isinstance(energy, Absent)
    assert energy.reason == "the counter runs at 0.25 times the power"


def test_a_version_that_is_not_known_leaves_the_text_files(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.put(0, "gpu_metrics", "v9")
    source = AmdgpuSource(node="n1", clock=lambda: 0.0, sys=rig.tree.sys, proc=tmp_path)
    info = source.discover()[0]
    values = dict(zip(info.metrics["fast"], source.sample(info.uid, "fast"), strict=True))
    # This driver's hwmon has no mclk, and nothing else counts energy.
    untold = Absent("no process on the device tells its occupancy")
    assert values == {5: untold, 1: 0.9, 10: 0.35, 20: 1700.0, 23: 700.0, 40: float(20 << 30), 43: 55.0, 44: 61.0}


def test_the_accumulator_wraps(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.table[0] = {"gfx_acc": 2**32 - 45_000}
    rig.tree.put_table(0)
    rig.sample()
    rig.tree.table[0] = {"gfx_acc": 45_000}
    rig.tree.tick(rig.tree.now_s + 1)
    assert rig.sample()["core_active"] == pytest.approx(0.9)
    rig.tree.table[0] = {"gfx_acc": 10}
    rig.tree.tick(rig.tree.now_s + 1)
    assert isinstance(rig.sample()["core_active"], Absent)


def test_an_impossible_percentage_is_absent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.table[0] = {"gfx": 250}
    rig.tree.put_table(0)
    assert rig.sample()["busy"] == Absent("250 % is not possible")


def test_a_sleeping_device_is_not_woken(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.put(0, "power/runtime_status", "suspended")
    assert all(isinstance(value, Absent) for value in rig.sample().values())
    assert not isinstance(rig.sample(1)["busy"], Absent)
    rig.tree.put(0, "power/runtime_status", "active")
    assert rig.sample()["busy"] == 0.9


def test_a_lost_device_hides_no_other_and_comes_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X", count=3)
    rig.source.close()
    rig.source.discover()
    rig.tree.lose(1)
    with pytest.raises(DeviceLost):
        rig.sample(1)
    assert len(rig.source.discover()) == 2
    assert rig.sample(2)["busy"] == 0.9
    (rig.tree.root / "gone-1").rename(rig.tree.folder(1))
    (rig.tree.sys / "class/drm/card1/device").symlink_to(rig.tree.folder(1))
    assert [info.uid for info in rig.source.discover()] == [info.uid for info in rig.infos]
    assert rig.sample(1)["busy"] == 0.9


def test_processes_are_those_with_memory(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.hold(4711, 1, 5 << 30)
    assert [(holder.pid, holder.hbm_used_bytes) for holder in rig.source.processes(rig.infos[1].uid)] == [
        (4711, 5 << 30)
    ]
    assert list(rig.source.processes(rig.infos[0].uid)) == []


@pytest.mark.parametrize("bit", [0, 28])
def test_partitions_are_devices_that_hold_the_processes(tmp_path: Path, bit: int) -> None:
    tree = AmdTree(tmp_path, BOARDS["MI300X"])
    source = AmdgpuSource(node="n1", sys=tree.sys, proc=tmp_path / "proc")
    source.discover()
    # It may be cut while the agent runs.
    tree.cut(0, "CPX", 8, bit=bit)
    gpu, *parts, whole = source.discover()
    tree.hold(4711, 0, 5 << 30, partition=6, filled_units=19)
    tree.hold(4712, 1, 1 << 30)
    assert [part.package_uid for part in parts] == [gpu.uid] * 8
    assert len({part.uid for part in parts}) == 8
    assert [(part.part, part.chip, part.power_scope, part.memory_bytes) for part in parts] == [
        ("partition", "", "", 152 << 26)
    ] * 8
    # Half of the partition's 38 compute units.
    assert dict(zip(parts[6].metrics["fast"], source.sample(parts[6].uid, "fast"), strict=True))[5] == 0.5
    held = source.processes(parts[6].uid)
    assert not isinstance(held, Absent)
    assert [(holder.pid, holder.hbm_used_bytes) for holder in held] == [(4711, 5 << 30)]
    assert source.processes(parts[5].uid) == []
    assert source.processes(gpu.uid) == ()
    assert source.sample(parts[6].uid, "processes") == source.sample(whole.uid, "processes") == [1.0]
    assert "processes" not in gpu.metrics
    assert [info.uid for info in source.discover()] == [gpu.uid, *(part.uid for part in parts), whole.uid]
    tree.cut(0, "DPX", 2, bit=bit)
    for partition in range(2, 8):
        shutil.rmtree(tree.sys / f"class/kfd/kfd/topology/nodes/{1 + 100 * partition}")
    assert [info.memory_bytes for info in source.discover()] == [64 << 30, 608 << 26, 608 << 26, 64 << 30]


@pytest.mark.parametrize("board", ["MI300X", "MI300X-cut", "MI300X-new"])
def test_a_partition_is_as_busy_as_its_compute_dies(tmp_path: Path, board: str) -> None:
    rig = Rig(tmp_path, board)
    rig.tree.cut(0, "CPX", 8, bit=28)
    rig.infos = list(rig.source.discover())
    assert names_of(rig.infos[1]) == {"busy", "core_active", "core_occupancy", "hbm_total_bytes", "processes"}
    first = rig.after(1, index=1)
    assert (first["busy"], first["core_active"]) == (0.9, pytest.approx(0.9))
    # Of two dies, one is idle; the mean is told.
    second = rig.after(1, index=2)
    assert (second["busy"], second["core_active"]) == (0.25, 0.0)
    last = rig.after(1, index=8)
    assert (last["busy"], last["core_active"]) == (0.12, pytest.approx(0.12))
    # The firmware tells nothing of the others.
    assert names_of(rig.infos[3]) == {"core_occupancy", "hbm_total_bytes", "processes"}
    # Power and energy are the GPU's and counted once.
    assert [info.pci_address for info in rig.infos if "power_w" in names_of(info)] == [
        rig.tree.address(0), rig.tree.address(1)
    ]  # fmt: skip


def test_a_partition_is_read_from_its_own_file_where_the_table_tells_of_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.cut(0, "QPX", 4, bit=28)

    def pass_time(milliseconds: int) -> None:
        raw = attributes(attribute(3, 3, 2, 640), attribute(32, 5, 6, milliseconds * 100_000))
        (rig.tree.folder(0) / "gpu_metrics").write_bytes(raw)
        rig.tree.put_partition(0, 0, f"busy=90,50 busy_acc={80 * milliseconds},{40 * milliseconds}")
        # The later version has the firmware's time itself, and may be a little newer than the GPU's table.
        later = attributes(
            attribute(40, 10, 4, 30, 0xFFFFFFFF), attribute(43, 10, 6, 20 * (milliseconds + 5), 2**64 - 1),
            attribute(32, 5, 6, (milliseconds + 5) * 100_000), version=1,
        )  # fmt: skip
        rig.tree.put_partition(0, 1, later)
        rig.tree.put_partition(0, 2, attributes(version=7))
        rig.tree.now_s += 1

    pass_time(1000)
    rig.infos = list(rig.source.discover())
    assert [names_of(info) >= {"busy", "core_active"} for info in rig.infos[1:5]] == [True, True, False, False]
    for index in (1, 2):
        rig.sample(index)
    pass_time(2000)
    first, second = rig.sample(1), rig.sample(2)
    assert (first["busy"], first["core_active"]) == (0.7, pytest.approx(0.6))
    assert (second["busy"], second["core_active"]) == (0.3, pytest.approx(0.2))


def test_occupancy_is_the_waves_of_all_processes_where_they_tell(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "MI300X")
    rig.tree.hold(4711, 0, 1 << 30)
    assert rig.sample()["core_occupancy"] == Absent("no process on the device tells its occupancy")
    rig.tree.hold(4711, 0, 1 << 30, filled_units=76)
    rig.tree.hold(4712, 0, 1 << 30, filled_units=38)
    rig.tree.hold(4713, 1, 1 << 30, filled_units=304)
    # It is asked for every ten seconds.
    assert isinstance(rig.after(9)["core_occupancy"], Absent)
    assert rig.after(1)["core_occupancy"] == 0.375
    assert "core_occupancy" in rig.infos[0].notes
    # It comes from elsewhere, and hides no device that can't be read.
    rig.tree.put(0, "hwmon/hwmon3/power1_input", "")
    (rig.tree.folder(0) / "gpu_metrics").write_bytes(b"")
    rig.tree.put(0, "mem_info_vram_used", "")
    with pytest.raises(DeviceError):
        rig.sample()


def test_a_card_that_changes_hands_is_not_another_gpu(tmp_path: Path) -> None:
    tree = AmdTree(tmp_path, BOARDS["MI300X"])
    first, _ = find_devices(tree.sys)
    cards = [tree.sys / f"class/drm/card{number}/device" for number in (0, 1)]
    for card, folder in zip(cards, (tree.folder(1), tree.folder(0)), strict=True):
        card.unlink()
        card.symlink_to(folder)
    assert first.text("unique_id") == (tree.folder(0) / "unique_id").read_bytes()


def test_a_device_that_sleeps_at_the_first_look_is_described_later(tmp_path: Path) -> None:
    tree = AmdTree(tmp_path, BOARDS["MI300X"])
    tree.put(0, "power/runtime_status", "suspended")
    source = AmdgpuSource(node="n1", sys=tree.sys, proc=tmp_path / "proc")
    assert [info.pci_address for info in source.discover()] == [tree.address(1)]
    assert len(source.discover()) == 1
    [complaint] = source.complaints
    assert (complaint.device, "sleeps" in str(complaint)) == (tree.address(0), True)
    tree.put(0, "power/runtime_status", "active")
    assert len(source.discover()) == 2


def test_a_node_without_the_driver(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match="amdgpu"):
        AmdgpuSource(sys=tmp_path, proc=tmp_path).discover()


def test_known_boards_without_a_product_name(tmp_path: Path) -> None:
    assert Rig(tmp_path, "MI300X-early").infos[0].chip == "MI300X"
    assert Rig(tmp_path / "b", "MI100").infos[0].name == "AMD Instinct MI100"
