"""The single calls of a device, each with the metrics that come out of it, and which of them it answers."""

import ctypes
from collections.abc import Callable, Mapping
from typing import Final

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import INVALID_ARGUMENT
from steelyard_agent.devices.nvml.fields import field_reading, retired_pages
from steelyard_agent.devices.nvml.links import errors_by_link, links_up, total_errors
from steelyard_agent.devices.nvml.memory import memory_fast, memory_slow
from steelyard_agent.devices.nvml.reading import OUT_OF_RANGE, Reading, celsius, ratio
from steelyard_agent.model import Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

_SM: Final = 1
_MEM: Final = 2
_GPU_SENSOR: Final = 0
_CORRECTED: Final = 0
_UNCORRECTED: Final = 1
_SINCE_DRIVER: Final = 0
_DRAM: Final = 2
_SRAM: Final = 7
_ECC_AT: Final = "nvmlDeviceGetMemoryErrorCounter"
# By generation of PCIe.
_GT_S: Final[Mapping[int, float]] = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}

Make = Callable[[DeviceCalls], Reading]


def plan(calls: DeviceCalls) -> Mapping[MetricClass, tuple[Reading, ...]]:
    """The readings that this device answers, each tried once; one that fails for now is kept.

    Raises:
        DeviceLost: the device went away meanwhile.
    """
    result: dict[MetricClass, tuple[Reading, ...]] = {}
    for metric_class, groups in _READINGS.items():
        chosen: list[Reading] = []
        seen: set[int] = set()
        for alternatives in groups:
            reading = _first_supported(calls, alternatives)
            if reading is not None and not seen.intersection(reading.ids):
                chosen.append(reading)
                seen.update(reading.ids)
        result[metric_class] = tuple(chosen)
    return result


def _first_supported(calls: DeviceCalls, alternatives: tuple[Make, ...]) -> Reading | None:
    for make in alternatives:
        try:
            reading = make(calls)
        except DeviceLost:
            raise
        except DeviceError:
            continue
        try:
            reading.read()
        except NotSupported:
            continue
        except DeviceLost:
            raise
        except DeviceError as error:
            # A call that isn't made for instances, or not for this device, refuses its handle.
            if error.code == INVALID_ARGUMENT:
                continue
        return reading
    return None


def _utilization(calls: DeviceCalls) -> Reading:
    out = structs.Utilization()
    fill = calls.filled("nvmlDeviceGetUtilizationRates", out)

    def read() -> tuple[Value, ...]:
        fill()
        return ratio(out.gpu), ratio(out.memory)

    return Reading((1, 10), read)


def _unsigned(name: str, metric: int, *selectors: int, factor: float = 1.0) -> Make:
    def make(calls: DeviceCalls) -> Reading:
        out = ctypes.c_uint()
        fill = calls.filled(name, out, *selectors)

        def read() -> tuple[Value, ...]:
            fill()
            return (out.value * factor,)

        return Reading((metric,), read)

    return make


def _counter(name: str, metric: int, *selectors: int, width: type[ctypes.c_uint | ctypes.c_ulonglong]) -> Make:
    def make(calls: DeviceCalls) -> Reading:
        out = width()
        fill = calls.filled(name, out, *selectors)

        def read() -> tuple[Value, ...]:
            fill()
            return (out.value,)

        return Reading((metric,), read)

    return make


def _temperature(calls: DeviceCalls) -> Reading:
    out = structs.Temperature()
    out.version, out.sensorType = structs.TEMPERATURE_V1, _GPU_SENSOR
    fill = calls.filled("nvmlDeviceGetTemperatureV", out)

    def read() -> tuple[Value, ...]:
        fill()
        return (celsius(out.temperature),)

    return Reading((44,), read)


def _old_temperature(calls: DeviceCalls) -> Reading:
    out = ctypes.c_uint()
    fill = calls.filled("nvmlDeviceGetTemperature", out, _GPU_SENSOR)

    def read() -> tuple[Value, ...]:
        fill()
        return (celsius(out.value),)

    return Reading((44,), read)


def _remapped(calls: DeviceCalls) -> Reading:
    corrected, uncorrected, pending, failed = (ctypes.c_uint() for _ in range(4))
    outs = [ctypes.byref(out) for out in (corrected, uncorrected, pending)]
    fill = calls.filled("nvmlDeviceGetRemappedRows", failed, *outs)

    def read() -> tuple[Value, ...]:
        fill()
        return float(corrected.value + uncorrected.value), float(pending.value)

    return Reading((62, 63), read)


def _pcie_speed(calls: DeviceCalls) -> Reading:
    generation = ctypes.c_uint()
    fill = calls.filled("nvmlDeviceGetCurrPcieLinkGeneration", generation)

    def read() -> tuple[Value, ...]:
        fill()
        return (_GT_S.get(generation.value, OUT_OF_RANGE),)

    return Reading((84,), read)


def _wide(name: str, metric: int, *selectors: int) -> Make:
    return _counter(name, metric, *selectors, width=ctypes.c_ulonglong)


# class -> groups -> alternatives, of which the first that the device answers is taken. A metric that an earlier group
# gives is not asked for again: PowerUsage only where the fields have no power.
_READINGS: Final[Mapping[MetricClass, tuple[tuple[Make, ...], ...]]] = {
    "fast": (
        (field_reading,),
        (_utilization,),
        (_unsigned("nvmlDeviceGetClockInfo", 20, _SM),),
        (_unsigned("nvmlDeviceGetClockInfo", 22, _MEM),),
        (_unsigned("nvmlDeviceGetPowerUsage", 23, factor=1e-3),),
        (_wide("nvmlDeviceGetTotalEnergyConsumption", 25),),
        (
            _wide("nvmlDeviceGetCurrentClocksEventReasons", 29),
            _wide("nvmlDeviceGetCurrentClocksThrottleReasons", 29),
        ),
        (memory_fast,),
        (_temperature, _old_temperature),
    ),
    "slow": (
        (_unsigned("nvmlDeviceGetMaxClockInfo", 21, _SM),),
        (_unsigned("nvmlDeviceGetEnforcedPowerLimit", 24, factor=1e-3),),
        (memory_slow,),
        (_wide("nvmlDeviceGetTotalEccErrors", 60, _CORRECTED, _SINCE_DRIVER),),
        (_wide("nvmlDeviceGetTotalEccErrors", 61, _UNCORRECTED, _SINCE_DRIVER),),
        (_wide(_ECC_AT, 77, _CORRECTED, _SINCE_DRIVER, _DRAM),),
        (_wide(_ECC_AT, 78, _UNCORRECTED, _SINCE_DRIVER, _DRAM),),
        (_wide(_ECC_AT, 79, _CORRECTED, _SINCE_DRIVER, _SRAM),),
        (_wide(_ECC_AT, 80, _UNCORRECTED, _SINCE_DRIVER, _SRAM),),
        (_remapped, retired_pages),
        (_counter("nvmlDeviceGetPcieReplayCounter", 64, width=ctypes.c_uint),),
        (_pcie_speed,),
        (_unsigned("nvmlDeviceGetCurrPcieLinkWidth", 85),),
        (total_errors, errors_by_link),
        (links_up,),
    ),
}
