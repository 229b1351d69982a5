"""docs/vendors.md says of each series in dcgm-exporter's lists what it is here, or why it isn't."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from steelyard_agent.devices.scrape.exporters import exporters
from steelyard_proto.metrics import catalogue

PAGE = Path(__file__).parents[2] / "docs/vendors.md"
ROW = re.compile(r"^\| (`DCGM_.*?) \|(.*?)\|(.*?)\|$", re.MULTILINE)
# The names that default-counters.csv has without a comment mark in one release or another of 3.x and 4.x.
DEFAULTS = [
    "DEV_SM_CLOCK",
    "DEV_MEM_CLOCK",
    "DEV_MEMORY_TEMP",
    "DEV_GPU_TEMP",
    "DEV_POWER_USAGE",
    "DEV_TOTAL_ENERGY_CONSUMPTION",
    "DEV_PCIE_TX_THROUGHPUT",
    "DEV_PCIE_RX_THROUGHPUT",
    "DEV_PCIE_REPLAY_COUNTER",
    "DEV_GPU_UTIL",
    "DEV_MEM_COPY_UTIL",
    "DEV_ENC_UTIL",
    "DEV_DEC_UTIL",
    "DEV_XID_ERRORS",
    "DEV_FB_FREE",
    "DEV_FB_USED",
    "DEV_FB_RESERVED",
    "DEV_NVLINK_BANDWIDTH_TOTAL",
    "DEV_VGPU_LICENSE_STATUS",
    "DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DEV_CORRECTABLE_REMAPPED_ROWS",
    "DEV_ROW_REMAP_FAILURE",
    "DRIVER_VERSION",
    "PROF_GR_ENGINE_ACTIVE",
    "PROF_PIPE_TENSOR_ACTIVE",
    "PROF_DRAM_ACTIVE",
    "PROF_PCIE_TX_BYTES",
    "PROF_PCIE_RX_BYTES",
]
# And those that have one.
OTHERS = [
    "DEV_POWER_VIOLATION",
    "DEV_THERMAL_VIOLATION",
    "DEV_SYNC_BOOST_VIOLATION",
    "DEV_BOARD_LIMIT_VIOLATION",
    "DEV_LOW_UTIL_VIOLATION",
    "DEV_RELIABILITY_VIOLATION",
    "DEV_ECC_SBE_VOL_TOTAL",
    "DEV_ECC_DBE_VOL_TOTAL",
    "DEV_ECC_SBE_AGG_TOTAL",
    "DEV_ECC_DBE_AGG_TOTAL",
    "DEV_RETIRED_SBE",
    "DEV_RETIRED_DBE",
    "DEV_RETIRED_PENDING",
    "DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
    "DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL",
    "DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
    "DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL",
    "DEV_NVLINK_BANDWIDTH_L0",
    "NVML_VERSION",
    "DEV_BRAND",
    "DEV_SERIAL",
    "DEV_OEM_INFOROM_VER",
    "DEV_ECC_INFOROM_VER",
    "DEV_POWER_INFOROM_VER",
    "DEV_INFOROM_IMAGE_VER",
    "DEV_VBIOS_VERSION",
    "PROF_SM_ACTIVE",
    "PROF_SM_OCCUPANCY",
    "PROF_PIPE_FP64_ACTIVE",
    "PROF_PIPE_FP32_ACTIVE",
    "PROF_PIPE_FP16_ACTIVE",
]
OF_THE_EXPORTER = ["CLOCK_EVENTS_COUNT", "XID_ERRORS_COUNT", "GPU_HEALTH_STATUS", "P2P_STATUS"]


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[list[str], str]]:
    found = [
        (series, re.findall(r"`(\w+)`", ours), why.strip())
        for names, ours, why in ROW.findall(PAGE.read_text())
        for series in re.findall(r"`(\w+)`", names)
    ]
    assert len({series for series, _, _ in found}) == len(found)
    return {series: (ours, why) for series, ours, why in found}


def test_every_series_is_there_or_left_out_for_a_reason(rows: dict[str, tuple[list[str], str]]) -> None:
    listed = {f"DCGM_FI_{name}" for name in DEFAULTS + OTHERS} | {f"DCGM_EXP_{name}" for name in OF_THE_EXPORTER}
    assert rows.keys() == listed
    assert [series for series, (ours, why) in rows.items() if not ours and not why] == []


def test_what_it_is_called_here_is_read_from_nvml(rows: dict[str, tuple[list[str], str]]) -> None:
    by_name = {metric.name: metric for metric in catalogue().by_id.values()}
    named = {name for ours, _ in rows.values() for name in ours}
    assert named <= by_name.keys()
    assert [name for name in named if "nvidia" not in by_name[name].source] == []


def test_scraping_and_the_driver_agree(rows: dict[str, tuple[list[str], str]]) -> None:
    (dcgm,) = (exporter for exporter in exporters() if exporter.name == "dcgm-exporter")
    left_out = [pattern for patterns in dcgm.left_out for pattern in patterns.split(", ")]
    for series, (ours, _) in rows.items():
        taken = {catalogue().by_id[number].name for number, one in dcgm.readings.items() if series in one.names}
        assert not taken or taken & set(ours), series
        if not ours:
            is_label = series == dcgm.driver_label
            assert is_label or any(fnmatchcase(series, pattern) for pattern in left_out), series
