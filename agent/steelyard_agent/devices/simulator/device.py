"""One simulated device: what it shows follows from its load, second by second, the same for the same seed."""

import math
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.simulator.faults import (
    SLOW_HOST_FACTOR,
    SLOW_LINK_FACTOR,
    THROTTLE_FACTOR,
    FaultKind,
)
from steelyard_agent.devices.simulator.profile import Profile
from steelyard_agent.devices.simulator.workload import IDLE, Load, Workload, load_of

_AMBIENT_C: Final = 31.0
_CHIP_SECONDS: Final = 40.0  # time constants of warming up
_HBM_SECONDS: Final = 90.0
# What leaves the node, of what goes over the links in it.
_SCALE_OUT_SHARE: Final = 0.1
_NEAR_LIMIT: Final = 0.985
_HOT_BIT: Final = 0x20  # NVIDIA's bit for a thermal slowdown
_CAP_BIT: Final = 0x4
# Of a slow link, while it carries anything.
_ERRORS_PER_S: Final = 40.0
# A job that has lost a rank waits in its communication: busy, and nothing gets done.
_STALLED: Final = 1e6


@dataclass(slots=True)
class _Meters:
    """What only rises."""

    energy_mj: float
    link_tx_bytes: float = 0.0
    link_rx_bytes: float = 0.0
    pcie_tx_bytes: float = 0.0
    pcie_rx_bytes: float = 0.0
    throttle_power_ns: int = 0
    throttle_thermal_ns: int = 0
    ecc_corrected: int = 0
    link_errors: int = 0


class SimulatedDevice:
    """Moves on with `advance` and is read with `readings`."""

    def __init__(self, profile: Profile, seed: str, *, scope_factor: float = 1.0) -> None:
        """Begins warm, as if the job had run for a while.

        Args:
            profile: what kind of device it is.
            seed: of its noise and its own small differences from others of its kind.
            scope_factor: power of the device's power scope against its own, 2 for a package of two dies.
        """
        self._profile = profile
        self._random = random.Random(seed)
        self._limit_w = profile.power_limit_w * scope_factor
        # No two chips are alike: leakage and cooling differ.
        self._leakage = self._random.uniform(0.96, 1.03)
        self._cooling_c = self._random.uniform(-3.0, 3.0)
        self._meters = _Meters(energy_mj=self._random.uniform(0.2, 30.0) * 86_400e3 * self._limit_w)
        self._at_s: float | None = None
        self._load = IDLE
        self._power_w = self._limit_w * profile.vendor.idle_share
        self._chip_c = _AMBIENT_C + 16
        self._hbm_c = _AMBIENT_C + 20
        self._clock_share = profile.vendor.idle_clock_share
        self._fill = 0.0
        self._workload = Workload()
        self._bits = 0
        self._link_factor = 1.0
        self._given = frozenset(name for names in profile.metrics.values() for name in names)

    def advance(self, at_s: float, workload: Workload | None, faults: Collection[FaultKind]) -> None:
        """Moves on to a time; one that isn't later changes nothing.

        Args:
            at_s: the simulation's clock.
            workload: the job that holds the device, if any.
            faults: what is wrong with it now.
        """
        window_s = at_s - self._at_s if self._at_s is not None else 1.0
        if window_s <= 0:
            return
        is_first, self._at_s = self._at_s is None, at_s
        self._load = _load(workload, at_s, window_s, faults)
        self._workload = workload if workload is not None else self._workload
        self._fill = workload.hbm_fill if workload is not None and _has_begun(workload, at_s) else 0.0
        self._link_factor = SLOW_LINK_FACTOR if "slow_link" in faults else 1.0
        self._move_clock("throttle" in faults)
        self._move_power(window_s)
        self._move_heat(1e9 if is_first else window_s, "throttle" in faults)
        self._move_traffic(window_s)

    def readings(self) -> Mapping[str, float | int]:
        """What the device could show, by the metric's name; its profile says what it does show."""
        load, job, profile, meters = self._load, self._workload, self._profile, self._meters
        talk = load.running - load.compute
        ratios = {
            "busy": 0.995 * load.running,
            "core_active": 0.93 * load.compute + 0.12 * talk,
            "tensor_active": job.tensor * load.compute,
            "vector_active": job.vector * load.compute + 0.02 * talk,
            "hbm_bw_active": job.hbm_bw * load.compute + 0.08 * talk,
            "memctl_busy": 0.85 * job.hbm_bw * load.compute + 0.06 * talk,
            "core_occupancy": 0.31 * load.compute,
            "fp16_active": 0.06 * load.compute,
            "fp64_active": 0.0,
            "int_active": 0.14 * load.compute,
            "hmma_active": 0.97 * job.tensor * load.compute,
        }
        link = profile.vendor.link_bytes_per_s * talk / self._link_factor
        reserved = profile.memory_bytes // 128
        return {
            **{name: self._ratio(name, value) for name, value in ratios.items() if name in self._given},
            "core_clock_mhz": float(round(profile.clock_mhz * self._clock_share / 15) * 15),
            "core_clock_max_mhz": float(profile.clock_mhz),
            "mem_clock_mhz": 1600.0,
            "power_w": _stepped(self._power_w, profile.vendor.power_step_w),
            "power_limit_w": self._limit_w,
            "energy_mj": int(meters.energy_mj),
            "throttle_power_ns": meters.throttle_power_ns,
            "throttle_thermal_ns": meters.throttle_thermal_ns,
            "throttle_hw_ns": 0,
            "throttle_reasons": self._bits,
            "hbm_used_bytes": self._used_bytes(reserved),
            "hbm_total_bytes": float(profile.memory_bytes),
            "hbm_reserved_bytes": float(reserved),
            "hbm_temp_c": float(round(self._hbm_c)),
            "chip_temp_c": float(round(self._chip_c)),
            "voltage_v": round(0.78 + 0.12 * self._clock_share, 2),
            "link_tx_bytes": int(meters.link_tx_bytes),
            "link_rx_bytes": int(meters.link_rx_bytes),
            "link_tx_bytes_per_s": float(round(link)),
            "link_rx_bytes_per_s": float(round(link * 0.99)),
            "link_errors": meters.link_errors,
            "link_up": float(profile.vendor.links),
            "roce_tx_bytes": int(meters.link_tx_bytes * _SCALE_OUT_SHARE),
            "roce_rx_bytes": int(meters.link_rx_bytes * _SCALE_OUT_SHARE),
            "roce_errors": 0,
            "roce_retries": 0,
            "roce_pauses": 0,
            "pcie_tx_bytes_per_s": float(round(4e7 * load.running)),
            "pcie_rx_bytes_per_s": float(round(2.2e8 * load.running)),
            "pcie_tx_bytes": int(meters.pcie_tx_bytes),
            "pcie_rx_bytes": int(meters.pcie_rx_bytes),
            "ecc_corrected": meters.ecc_corrected,
            "ecc_corrected_hbm": meters.ecc_corrected,
            "ecc_corrected_sram": 0,
            "ecc_deferred": 0,
            "ecc_uncorrected_sram": 0,
            "remapped_rows": 0.0,
            "remap_pending": 0.0,
            "pcie_replays": 0,
            "pcie_gt_s": profile.pcie_gt_s,
            "pcie_lanes": 16.0,
            "health": 0.0,
            "network_health": 0.0,
            "processes": float(self._fill > 0),
        }

    @property
    def is_running(self) -> bool:
        """Whether it had work in the last window."""
        return self._load.running > 0

    @property
    def hbm_used_bytes(self) -> int:
        """Device memory in use."""
        return int(self._used_bytes(self._profile.memory_bytes // 128))

    def _ratio(self, name: str, value: float) -> float:
        noisy = value if value <= 0 else value + self._random.gauss(0, 0.012)
        bounded = min(1.0, max(0.0, noisy))
        return round(bounded, 2) if name in self._profile.vendor.coarse else bounded

    def _used_bytes(self, reserved: int) -> float:
        used = self._fill * (self._profile.memory_bytes - reserved) + (300 << 20)
        step = self._profile.vendor.memory_step_bytes
        return float(min(int(used) // step * step, self._profile.memory_bytes - reserved))

    def _move_clock(self, is_throttled: bool) -> None:
        rest = self._profile.vendor.idle_clock_share
        full = 1 / THROTTLE_FACTOR if is_throttled else 1.0
        drop = 0.03 * self._load.compute * self._random.random()
        self._clock_share = full - drop if self._load.running > 0.02 else rest

    def _move_power(self, window_s: float) -> None:
        idle_w = self._limit_w * self._profile.vendor.idle_share * self._leakage
        load = self._load
        drive = 0.3 * load.running + (0.28 + 0.75 * self._workload.tensor) * load.compute
        power_w = idle_w + (self._limit_w - idle_w) * drive * self._clock_share**1.5 * self._leakage
        power_w = min(self._limit_w, max(0.5 * idle_w, power_w + self._random.gauss(0, 0.006 * self._limit_w)))
        meters = self._meters
        self._bits = 0
        if power_w >= _NEAR_LIMIT * self._limit_w:
            meters.throttle_power_ns += int(window_s * 1e9 * 0.4)
            self._bits |= _CAP_BIT
        self._power_w = power_w
        # What the counter adds is what the power says, to the counter's resolution.
        meters.energy_mj += power_w * window_s * 1000

    def _move_heat(self, window_s: float, is_throttled: bool) -> None:
        share = self._power_w / self._limit_w
        chip_c = _AMBIENT_C + self._cooling_c + 41 * share + (24 if is_throttled else 0)
        hbm_c = chip_c + 7 + 6 * self._load.running
        self._chip_c += (chip_c - self._chip_c) * -math.expm1(-window_s / _CHIP_SECONDS)
        self._hbm_c += (hbm_c - self._hbm_c) * -math.expm1(-window_s / _HBM_SECONDS)
        if is_throttled:
            self._meters.throttle_thermal_ns += int(min(window_s, 1.0) * 9e8)
            self._bits |= _HOT_BIT

    def _move_traffic(self, window_s: float) -> None:
        meters, load = self._meters, self._load
        talk_s = (load.running - load.compute) * window_s
        link = self._profile.vendor.link_bytes_per_s * talk_s / self._link_factor
        meters.link_tx_bytes += link
        meters.link_rx_bytes += link * 0.99
        meters.pcie_tx_bytes += 4e7 * load.running * window_s
        meters.pcie_rx_bytes += 2.2e8 * load.running * window_s
        meters.ecc_corrected += self._random.random() < 2e-5 * window_s
        if self._link_factor > 1:
            meters.link_errors += round(_ERRORS_PER_S * talk_s)


def _load(workload: Workload | None, at_s: float, window_s: float, faults: Collection[FaultKind]) -> Load:
    if workload is None or "idle" in faults:
        return IDLE
    load = load_of(workload, at_s, window_s, own_factor(faults))
    if "slow_host" in faults:
        # It waits for data with nothing on it, where the others wait for it in their communication.
        return Load(load.compute * 1.02 if load.compute < 0.9 else load.compute, load.compute)
    return load


def own_factor(kinds: Collection[FaultKind]) -> float:
    """How much longer a device with such faults computes than it should."""
    return THROTTLE_FACTOR if "throttle" in kinds else 1.0


def slowdown_factor(compute_share: float, kinds: Collection[FaultKind]) -> float:
    """How much longer a step of a job takes that has a device with such faults; 1 where they don't matter to it."""
    if "lost" in kinds:
        return _STALLED
    if "throttle" in kinds:
        return compute_share * THROTTLE_FACTOR + 1 - compute_share
    if "slow_link" in kinds:
        return compute_share + SLOW_LINK_FACTOR * (1 - compute_share)
    return SLOW_HOST_FACTOR if "slow_host" in kinds else 1.0


def _has_begun(workload: Workload, at_s: float) -> bool:
    return workload.from_s <= at_s < workload.to_s


def _stepped(value: float, step: float) -> float:
    return round(round(value / step) * step, 3)
