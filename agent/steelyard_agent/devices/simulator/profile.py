"""What a chip of the table shows of itself: its metrics, its limits, and how coarse its vendor's figures are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from steelyard_proto.chips import Chip
from steelyard_proto.metrics import Catalogue, MetricClass

# Where the chip table gives no figure a simulation needs one all the same; DeviceInfo.notes says so.
_ASSUMED_TDP_W: Final = 350.0
_ASSUMED_CLOCK_MHZ: Final = 1800.0
_ASSUMED_HBM_GB: Final = 64.0

# NVIDIA's activity counters (GPM) came with Hopper.
_WITHOUT_GPM: Final = ("A100", "A800")
# On the fourth generation of PCIe; the others are on the fifth.
_ON_PCIE_4: Final = ("A100", "A800", "MI2", "910A")
_POWER_METRICS: Final = frozenset({"power_w", "power_limit_w", "energy_mj"})


@dataclass(frozen=True, slots=True)
class Vendor:
    """What all chips of a vendor have in common.

    Attributes:
        name: the driver's name of a chip, with {chip} in it.
        idle_share: power at rest, of the highest.
        links: to other devices of the node.
        link_bytes_per_s: what they carry while communicating.
        coarse: ratios that come as integer percents.
        power_step_w: the resolution of the power.
        energy_step_mj: the resolution of the energy counter.
        memory_step_bytes: the resolution of the memory in use.
    """

    kind: Literal["gpu", "npu"]
    name: str
    driver_version: str
    idle_share: float
    idle_clock_share: float
    links: int
    link_bytes_per_s: float
    coarse: frozenset[str]
    power_step_w: float
    energy_step_mj: int
    memory_step_bytes: int


_RATIOS: Final = frozenset({"busy", "core_active", "tensor_active", "vector_active", "hbm_bw_active", "memctl_busy"})

VENDORS: Final[Mapping[str, Vendor]] = {
    "nvidia": Vendor(
        "gpu", "NVIDIA {chip}", "570.124.06", 0.17, 0.2, 18, 180e9, frozenset({"busy", "memctl_busy"}), 0.001, 1, 1
    ),
    "huawei": Vendor("npu", "Ascend{chip}", "25.0.rc1.1", 0.24, 0.45, 7, 95e9, _RATIOS, 0.1, 1, 1 << 20),
    "amd": Vendor("gpu", "AMD Instinct {chip}", "6.12.12", 0.19, 0.07, 7, 160e9, _RATIOS, 1.0, 1, 1 << 12),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of device.

    Attributes:
        name: as its driver would call it.
        power_limit_w: of the device's power scope.
        metrics: names that it gives, by class.
        notes: what was assumed.
    """

    chip: Chip
    vendor: Vendor
    name: str
    power_limit_w: float
    clock_mhz: float
    memory_bytes: int
    pcie_gt_s: float
    metrics: Mapping[MetricClass, tuple[str, ...]]
    notes: Mapping[str, str]


def profile_of(chip: Chip, catalogue: Catalogue) -> Profile:
    """The profile of a chip; its metrics are those that the catalogue has a source for."""
    vendor = VENDORS[chip.vendor]
    metrics: dict[MetricClass, list[str]] = {"fast": [], "slow": [], "processes": []}
    for metric in catalogue.of("device"):
        source = metric.source.get(chip.vendor, "")
        is_given = bool(source) and not (source.startswith("GPM") and chip.name.startswith(_WITHOUT_GPM))
        if is_given and not metric.retired:
            metrics[metric.metric_class].append(metric.name)
    return Profile(
        chip=chip,
        vendor=vendor,
        name=next((alias for alias in chip.aliases if "*" not in alias), vendor.name.format(chip=chip.name)),
        power_limit_w=chip.tdp_w or _ASSUMED_TDP_W,
        clock_mhz=chip.clock_mhz or _ASSUMED_CLOCK_MHZ,
        memory_bytes=int((chip.hbm_gb or _ASSUMED_HBM_GB) * (1 << 30)),
        pcie_gt_s=16.0 if chip.name.startswith(_ON_PCIE_4) else 32.0,
        metrics={name: tuple(names) for name, names in metrics.items()},
        notes=_assumptions(chip),
    )


def without_power(profile: Profile) -> Mapping[MetricClass, tuple[str, ...]]:
    """The metrics of a die whose package's power stands on another die."""
    return {
        metric_class: tuple(name for name in names if name not in _POWER_METRICS)
        for metric_class, names in profile.metrics.items()
    }


def _assumptions(chip: Chip) -> dict[str, str]:
    notes = {}
    if chip.tdp_w is None:
        notes["power_w"] = f"simulated against an assumed {_ASSUMED_TDP_W:.0f} W: the chip table gives none"
    if chip.clock_mhz is None:
        notes["core_clock_mhz"] = f"simulated against an assumed {_ASSUMED_CLOCK_MHZ:.0f} MHz: the table gives none"
    return notes
