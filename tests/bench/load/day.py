"""A day of 8 devices in training, as the vendors would give it: integer percents, sensor noise, steps of 0.5-20 s."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TICKS = 86_400
DEVICES = 8
_INTEGER_PERCENT = ("busy", "core_active", "tensor_active", "vector_active", "hbm_bw_active", "memctl_busy")


@dataclass(frozen=True, slots=True)
class Day:
    """A day's values, each an array [device][tick].

    Attributes:
        stamps_ms: Unix time of each tick [device][tick]: the nominal second and up to 20 ms.
        gauges: by metric name, in the catalogue's units.
        counters: by metric name.
    """

    stamps_ms: npt.NDArray[np.int64]
    gauges: dict[str, npt.NDArray[np.float64]]
    counters: dict[str, npt.NDArray[np.int64]]

    @property
    def samples(self) -> int:
        """Metric samples in it."""
        return self.stamps_ms.size * (len(self.gauges) + len(self.counters))


def make_day(start_ms: int, seed: int) -> Day:
    """30 metrics of 8 devices over 24 h, from a seed."""
    random = np.random.default_rng(seed)
    size = (DEVICES, TICKS)
    seconds = np.arange(TICKS)
    # An hour of training at one step length after another; the last tenth of each step is communication.
    step_s = np.repeat(random.uniform(0.5, 20.0, 24), 3600)
    phase = (np.cumsum(1.0 / step_s)[None, :] + random.uniform(0, 0.02, (DEVICES, 1))) % 1.0
    # A sensor averages over its own second, so short steps look smooth and long ones do not.
    compute = np.clip((0.9 - phase) * step_s[None, :] + 0.5, 0.0, 1.0)
    idle = (seconds % 7200 > 7080)[None, :]
    work = np.where(idle, 0.0, compute)

    def percent(level: float, low: float, noise: float) -> npt.NDArray[np.float64]:
        value = low + (level - low) * work + random.normal(0, noise, size)
        return np.clip(np.rint(100 * np.where(idle, 0.0, value)), 0, 100) / 100

    power_w = np.round(95 + 290 * work + random.normal(0, 3.0, size), 1)
    warm = 38 + 24 * np.clip(np.cumsum(work - 0.5, axis=1) / 600 % 1.0, 0, 1) + 6 * work
    sent = np.rint(np.where(idle, 0, 2.1e9 * (1.2 - work))).astype(np.int64) + random.integers(0, 60_000, size)
    throttled = (random.random(size) < 0.002) * random.integers(1_000_000, 900_000_000, size)
    gauges = {
        "busy": percent(1.0, 0.9, 0.01),
        "core_active": percent(0.93, 0.5, 0.02),
        "tensor_active": percent(0.52, 0.03, 0.02),
        "vector_active": percent(0.21, 0.02, 0.015),
        "hbm_bw_active": percent(0.44, 0.1, 0.02),
        "memctl_busy": percent(0.4, 0.1, 0.02),
        "core_clock_mhz": np.where(random.random(size) < 0.01, 1755.0, 1800.0),
        "core_clock_max_mhz": np.full(size, 1800.0),
        "mem_clock_mhz": np.full(size, 1600.0),
        "power_w": power_w,
        "power_limit_w": np.full(size, 400.0),
        "hbm_used_bytes": (52_000 + random.integers(0, 3, size) * (~idle)) * float(1 << 20),
        "hbm_total_bytes": np.full(size, 65_536.0 * (1 << 20)),
        "hbm_temp_c": np.rint(warm + 4 + random.normal(0, 0.4, size)),
        "chip_temp_c": np.rint(warm + random.normal(0, 0.4, size)),
        "voltage_v": np.round(0.86 + 0.03 * work + random.normal(0, 0.004, size), 2),
        "link_tx_bytes_per_s": np.rint(sent / 1e6) * 1e6,
        "link_rx_bytes_per_s": np.rint(sent[::-1] / 1e6) * 1e6,
        "health": np.zeros(size),
        "network_health": np.zeros(size),
        "processes": np.where(np.broadcast_to(idle, size), 0.0, 1.0),
        "remapped_rows": np.zeros(size),
    }
    counters = {
        "energy_mj": np.cumsum(np.rint(power_w * 1000), axis=1).astype(np.int64),
        "throttle_power_ns": np.cumsum(throttled, axis=1).astype(np.int64),
        "throttle_thermal_ns": np.zeros(size, np.int64),
        "link_tx_bytes": np.cumsum(sent, axis=1),
        "link_rx_bytes": np.cumsum(sent[::-1], axis=1),
        "ecc_corrected": np.cumsum(random.random(size) < 1e-5, axis=1).astype(np.int64),
        "ecc_uncorrected": np.zeros(size, np.int64),
        "pcie_replays": np.zeros(size, np.int64),
    }
    stamps = start_ms + 1000 * seconds[None, :] + random.integers(0, 20, (1, TICKS))
    return Day(np.repeat(stamps, DEVICES, axis=0), gauges, counters)


def as_percent(name: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What another store would be given: the vendors' integer percents as they are."""
    return np.rint(values * 100) if name in _INTEGER_PERCENT else values
