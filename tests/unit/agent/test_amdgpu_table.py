"""The driver's binary table, gpu_metrics: each version, and those that are none."""

import struct
import subprocess
from pathlib import Path

import pytest

from steelyard_agent.devices.amdgpu.attributes import layout_of
from steelyard_agent.devices.amdgpu.gpu_metrics import LAYOUTS, Figures, figures_of, version_of
from tests.standins.amdgpu_tree import attribute, attributes
from tests.standins.build import build_program


def decode(raw: bytes) -> Figures | None:
    layout = layout_of(raw)
    return None if layout is None else figures_of(raw, layout.fields)


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("amdgpu", tmp_path_factory.mktemp("amdgpu"))


@pytest.mark.parametrize("version", sorted(LAYOUTS))
def test_offsets_are_the_compilers(tables: Path, version: tuple[int, int]) -> None:
    words = ["hotspot=61", "mem=55", "power=700", "gfx=97", "umc=40", "energy=123456789012", "gfx_acc=777", "uclk=1300",
             "gfxclk=2100", "throttle=3", "indep_throttle=18", "fw_time=99999", "xgmi_read=1,2", "xgmi_write=4",
             "cycles=11", "ppt=12", "prochot=13", "socket_thermal=14", "vr_thermal=15", "hbm_thermal=16",
             "replays=17", "xgmi_up=1,0,1", "pcie_width=8", "pcie_speed=160"]  # fmt: skip
    raw = subprocess.run([tables, f"1.{version[1]}", *words], capture_output=True, check=True).stdout
    assert version_of(raw) == (*version, len(raw))
    told = {"hotspot_c": (61,), "memory_c": (55,), "power_w": (700,), "gfx_percent": (97,), "umc_percent": (40,),
            "energy": (123456789012,), "gfx_acc": (777,), "uclk_mhz": (1300,), "gfxclk_mhz": (2100,),
            "gfxclks_mhz": (2100,), "throttle": (3,), "throttle_bits": (18,), "time_10ns": (99999,),
            "xgmi_read_kb": (1, 2), "xgmi_write_kb": (4,), "cycles": (11,), "ppt": (12,), "prochot": (13,),
            "socket_thermal": (14,), "vr_thermal": (15,), "hbm_thermal": (16,), "replays": (17,),
            "xgmi_up": (1, 0, 1), "pcie_lanes": (8,), "pcie_tenths_gt_s": (160,)}  # fmt: skip
    assert decode(raw) == {name: told[name] for name in LAYOUTS[version].fields}


@pytest.mark.parametrize(
    "raw", [b"", b"\x01", b"\x60\x00\x01\x01", b"\x80\x01\x01\x06" + b"\xff" * 380, b"\xff" * 4096]
)
def test_a_table_of_another_size_or_version_is_not_read(raw: bytes) -> None:
    assert decode(raw) is None


def test_all_ones_is_absent_and_no_figure(tables: Path) -> None:
    raw = subprocess.run([tables, "1.3"], capture_output=True, check=True).stdout
    assert decode(raw) == {}


def test_a_table_that_describes_itself() -> None:
    raw = attributes(
        attribute(0, 2, 2, 61), attribute(1, 2, 2, 0), attribute(3, 3, 2, 700), attribute(4, 10, 2, 97),
        attribute(6, 8, 6, 5300), attribute(7, 0, 6, 123456789012),
        attribute(16, 0, 2, 16), attribute(17, 7, 2, 320), attribute(20, 10, 4, 777),
        attribute(30, 9, 6, 4, 2**64 - 1), attribute(32, 5, 6, 99999), attribute(33, 1, 2, 2100, 0xFFFF),
        attribute(37, 7, 2, 13), attribute(999, 0, 1, -3),
    )  # fmt: skip
    # A memory temperature of 0 is none; a clock in a unit that isn't MHz, and ids that are not known, are left out.
    assert decode(raw) == {
        "hotspot_c": (61,), "power_w": (700,), "gfx_percent": (97,), "energy": (123456789012,), "gfx_acc": (777,),
        "xgmi_write_kb": (4,), "time_10ns": (99999,), "gfxclks_mhz": (2100,), "pcie_lanes": (16,),
        "pcie_tenths_gt_s": (320,),
    }  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        attributes(attribute(3, 3, 2, 700))[:-1],
        struct.pack("<HBBi", 18, 1, 9, 2) + attribute(3, 3, 2, 700),
        struct.pack("<HBBi", 18, 1, 9, 0) + attribute(3, 3, 2, 700),
        struct.pack("<HBBiQ", 16, 1, 9, 1, 3 << 24 | 9 << 20 | 3 << 10 | 1),
    ],
    ids=["cut off", "too many", "too few", "no such type"],
)
def test_a_table_whose_description_does_not_hold_together_is_not_read(raw: bytes) -> None:
    assert decode(raw) is None
