"""The single readings of a device, each with the metrics that come out of it, and which of them it answers."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.amdgpu.accumulated import BusyShare, CheckedEnergy, ThrottledTime
from steelyard_agent.devices.amdgpu.binding import DeviceFiles
from steelyard_agent.devices.amdgpu.errors import VENDOR
from steelyard_agent.devices.amdgpu.gpu_metrics import Figures
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

Clock = Callable[[], float]
Values = tuple[Value, ...]

BUSY, CORE_ACTIVE, CORE_OCCUPANCY, MEMCTL = 1, 2, 5, 10
CORE_CLOCK, CORE_CLOCK_MAX, MEM_CLOCK, POWER, POWER_LIMIT, ENERGY = 20, 21, 22, 23, 24, 25
THROTTLE_POWER, THROTTLE_THERMAL, THROTTLE_HW, THROTTLE_REASONS = 26, 27, 28, 29
HBM_USED, HBM_TOTAL, HBM_TEMP, CHIP_TEMP = 40, 41, 43, 44
LINK_TX, LINK_RX, LINK_ERRORS, LINK_UP = 50, 51, 58, 59
ECC_CORRECTED, ECC_UNCORRECTED, REMAPPED, REMAP_PENDING, PCIE_REPLAYS = 60, 61, 62, 63, 64
PROCESSES = 67
ECC_CORRECTED_HBM, ECC_UNCORRECTED_HBM, ECC_CORRECTED_SRAM, ECC_UNCORRECTED_SRAM = 77, 78, 79, 80
ECC_DEFERRED, PCIE_SPEED, PCIE_LANES = 83, 84, 85

# Blocks in the driver's words: the device memory, and those that aren't memories of the chip.
_HBM_BLOCK: Final = "umc"
_LINK_BLOCK: Final = "xgmi_wafl"
_OUTSIDE: Final = (_HBM_BLOCK, _LINK_BLOCK, "pcie_bif")
_LINK_IS_UP: Final = 1
_LINK_STATES: Final = (0, 1)
_KB: Final = 1024
_NOT_TOLD: Final = Absent("the table does not give it")


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; `read` returns a value for each id, in order.

    Attributes:
        is_aside: it comes from elsewhere than the device's folder, and says nothing of whether that can be read.

    Raises (from `read`):
        DeviceError: nothing could be read this time.
    """

    ids: tuple[int, ...]
    read: Callable[[], Values]
    is_aside: bool = False


class TableReading:
    """All that one read of `gpu_metrics` tells."""

    IDS: Final = (
        BUSY, CORE_ACTIVE, MEMCTL, CORE_CLOCK, MEM_CLOCK, POWER, ENERGY, THROTTLE_POWER, THROTTLE_THERMAL, THROTTLE_HW,
        THROTTLE_REASONS, HBM_TEMP, CHIP_TEMP, LINK_TX, LINK_RX,
    )  # fmt: skip

    def __init__(self, files: DeviceFiles, clock: Clock) -> None:
        """Args: the device; monotonic seconds."""
        self._files = files
        self._clock = clock
        self._busy = BusyShare()
        self._energy = CheckedEnergy()
        self._by_power = ThrottledTime("ppt")
        self._by_heat = ThrottledTime("socket_thermal", "vr_thermal", "hbm_thermal")
        self._by_hardware = ThrottledTime("prochot")

    def read(self) -> dict[int, Value]:
        """Every figure of the table by metric id."""
        figures = self._files.gpu_metrics()
        now_s = self._clock()
        power_w = _power(figures)
        return {
            BUSY: _share(figures, "gfx_percent"),
            CORE_ACTIVE: self._busy.read(figures),
            MEMCTL: _share(figures, "umc_percent"),
            CORE_CLOCK: _mean(figures, "gfxclk_mhz", "gfxclks_mhz"),
            MEM_CLOCK: _mean(figures, "uclk_mhz"),
            POWER: _NOT_TOLD if power_w is None else power_w,
            ENERGY: self._energy.read(figures, power_w, now_s),
            THROTTLE_POWER: self._by_power.read(figures, now_s),
            THROTTLE_THERMAL: self._by_heat.read(figures, now_s),
            THROTTLE_HW: self._by_hardware.read(figures, now_s),
            THROTTLE_REASONS: figures.get("throttle_bits", figures.get("throttle", (_NOT_TOLD,)))[0],
            HBM_TEMP: _mean(figures, "memory_c"),
            CHIP_TEMP: _mean(figures, "hotspot_c"),
            LINK_TX: _sum_bytes(figures, "xgmi_write_kb"),
            LINK_RX: _sum_bytes(figures, "xgmi_read_kb"),
        }


def plan(files: DeviceFiles, clock: Clock) -> Mapping[MetricClass, tuple[Reading, ...]]:
    """The readings that this device answers, each tried once; one that fails for now is kept.

    Raises:
        DeviceLost: the device went away meanwhile.
        DeviceError: it is being reset: which figures it gives can't be seen now.
    """
    fast = _answering([reading for reading in (_table(files, clock),) if reading is not None])
    told = {number for reading in fast for number in reading.ids}
    fast += _answering([reading for reading in _texts(files) if not told.intersection(reading.ids)])
    slow = _answering(
        [
            Reading((CORE_CLOCK_MAX,), lambda: (float(files.highest_level_mhz("pp_dpm_sclk")),)),
            Reading((POWER_LIMIT,), lambda: (files.sensor("power1_cap") / 1e6,)),
            Reading((HBM_TOTAL,), lambda: (float(files.number("mem_info_vram_total")),)),
            Reading((LINK_UP,), lambda: (_links_up(files),)),
            *_errors(files),
            Reading((REMAPPED, REMAP_PENDING), lambda: tuple(float(pages) for pages in files.bad_pages())),
            Reading((PCIE_REPLAYS,), lambda: (files.number("pcie_replay_count"),)),
            Reading((PCIE_SPEED, PCIE_LANES), lambda: _pcie_link(files)),
        ]
    )
    return {"fast": tuple(fast), "slow": tuple(slow)}


def _errors(files: DeviceFiles) -> list[Reading]:
    """All errors that the driver counts, in one reading: over all blocks, by place, and those of the links."""
    blocks = files.ras_blocks()
    if not blocks:
        return []
    pairs = {(ECC_CORRECTED, ECC_UNCORRECTED): blocks}
    if _HBM_BLOCK in blocks:
        pairs[ECC_CORRECTED_HBM, ECC_UNCORRECTED_HBM] = (_HBM_BLOCK,)
    if on_chip := tuple(block for block in blocks if block not in _OUTSIDE):
        pairs[ECC_CORRECTED_SRAM, ECC_UNCORRECTED_SRAM] = on_chip
    ids = [number for pair in pairs for number in pair]
    if _LINK_BLOCK in blocks:
        ids.append(LINK_ERRORS)
    if any(_tells_deferred(files, block) for block in blocks):
        ids.append(ECC_DEFERRED)

    def read() -> Values:
        counts = {block: files.ras_errors(block) for block in blocks}
        figures = [sum(counts[block][kind] or 0 for block in group) for group in pairs.values() for kind in (0, 1)]
        if _LINK_BLOCK in counts:
            corrected, uncorrected, _ = counts[_LINK_BLOCK]
            figures.append(corrected + uncorrected)
        if ECC_DEFERRED in ids:
            figures.append(sum(deferred or 0 for _, _, deferred in counts.values()))
        return tuple(figures)

    return [Reading(tuple(ids), read)]


def _tells_deferred(files: DeviceFiles, block: str) -> bool:
    try:
        return files.ras_errors(block)[2] is not None
    except DeviceLost:
        raise
    except DeviceError:
        return False


def _pcie_link(files: DeviceFiles) -> Values:
    """Source: pcie_link_speed and pcie_link_width of gpu_metrics; the kernel's own file may tell of a link inside."""
    figures = files.gpu_metrics()
    (speed,), (lanes,) = figures.get("pcie_tenths_gt_s", (0,)), figures.get("pcie_lanes", (0,))
    if not speed or not lanes:
        raise NotSupported("the table tells nothing of the PCIe link", vendor=VENDOR, call="gpu_metrics")
    return speed / 10, float(lanes)


def _links_up(files: DeviceFiles) -> float:
    """Source: xgmi_link_status of gpu_metrics 1.7 and later."""
    states = files.gpu_metrics().get("xgmi_up", ())
    if not any(state in _LINK_STATES for state in states):
        raise NotSupported("the table tells the state of no link", vendor=VENDOR, call="gpu_metrics")
    return float(states.count(_LINK_IS_UP))


def percent(figure: float) -> Value:
    """A percentage as a share, where it is possible."""
    return figure / 100 if 0 <= figure <= 100 else Absent(f"{figure} % is not possible")


def _table(files: DeviceFiles, clock: Clock) -> Reading | None:
    """The table's figures, those left out that it will never give."""
    try:
        first = TableReading(files, clock).read()
    except DeviceLost:
        raise
    except DeviceError as error:
        if error.code == errno.EPERM:
            raise
        return None
    # What needs two readings, or is being checked, is absent at first and comes.
    ids = tuple(number for number in TableReading.IDS if not _is_never(first[number]))
    table = TableReading(files, clock)

    def read() -> Values:
        values = table.read()
        return tuple(values[number] for number in ids)

    return Reading(ids, read) if ids else None


def _is_never(value: Value) -> bool:
    return isinstance(value, Absent) and value.reason.startswith("the table ")


def _texts(files: DeviceFiles) -> list[Reading]:
    """What the text files give: for chips and versions whose table isn't known."""
    return [
        Reading((BUSY,), lambda: (percent(files.number("gpu_busy_percent")),)),
        Reading((MEMCTL,), lambda: (percent(files.number("mem_busy_percent")),)),
        _sensor(files, CORE_CLOCK, "freq", "sclk", 1e6),
        _sensor(files, MEM_CLOCK, "freq", "mclk", 1e6),
        Reading((POWER,), lambda: (_power_text(files),)),
        _sensor(files, HBM_TEMP, "temp", "mem", 1e3),
        _sensor(files, CHIP_TEMP, "temp", "junction", 1e3),
        Reading((HBM_USED,), lambda: (float(files.number("mem_info_vram_used")),)),
    ]


def _sensor(files: DeviceFiles, metric: int, kind: str, label: str, unit: float) -> Reading:
    return Reading((metric,), lambda: (files.sensor(files.labelled(kind, label)) / unit,))


def _power_text(files: DeviceFiles) -> float:
    try:
        microwatts = files.sensor("power1_input")
    except NotSupported:
        microwatts = files.sensor("power1_average")
    if not microwatts:
        raise NotSupported("says 0 W, as the second GCD of a package does", vendor=VENDOR, call="power1")
    return microwatts / 1e6


def _answering(readings: list[Reading]) -> list[Reading]:
    return [reading for reading in readings if _answers(reading)]


def _answers(reading: Reading) -> bool:
    try:
        reading.read()
    except NotSupported:
        return False
    except DeviceLost:
        raise
    except DeviceError:
        return True
    return True


def _share(figures: Figures, name: str) -> Value:
    return percent(figures[name][0]) if name in figures else _NOT_TOLD


def _mean(figures: Figures, *names: str) -> Value:
    """The mean over what is given: a clock of 0 is that of a compute die that sleeps."""
    values = [value for name in names for value in figures.get(name, ())]
    return sum(values) / len(values) if values else _NOT_TOLD


def _power(figures: Figures) -> float | None:
    """None for 0 W too: the second GCD of an MI250X says so, whose package's power its sibling tells."""
    watts = figures.get("power_w", (0,))[0]
    return float(watts) if watts else None


def _sum_bytes(figures: Figures, name: str) -> Value:
    return sum(figures[name]) * _KB if name in figures else _NOT_TOLD
