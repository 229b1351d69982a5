"""What one call tells about a device: the call, the metrics that come out of it, and what makes no sense."""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.dcmi import structs
from steelyard_agent.devices.dcmi.binding import DcmiLibrary
from steelyard_agent.devices.dcmi.energy import EnergyIntegral
from steelyard_agent.devices.dcmi.errors import ARGUMENT_REFUSED, error_for, missing_symbol, out_of_range
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

_MIB: Final = 1 << 20
_PERCENT: Final = 100
_POWER_INFO: Final = "dcmi_get_device_power_info"
# Above what any NPU does, below what a driver writes where it knows nothing (all bits set).
_MAX_TENTHS_OF_W: Final = 100_000
_MAX_MHZ: Final = 10_000
_MAX_HUNDREDTHS_OF_V: Final = 10_000
# What the matrix of counters holds.
_MAX_BITS: Final = (1 << 63) - 1
# A packet of HCCS, by which the library itself makes rates of its counts.
_PACKET_BYTES: Final = 20
_OUT_OF_RANGE: Final = Absent("out of range")
_NO_POWER: Final = Absent("the driver reports no power")


class DeviceCalls:
    """One device's calls, with the structures that they write into kept from tick to tick."""

    def __init__(self, library: DcmiLibrary, card: int, device: int) -> None:
        self.label = f"card {card} device {device}"
        self.energy: EnergyIntegral | None = None  # known by uid, which only the device can tell
        self.multi = structs.MultiUtilization()
        self.hbm = structs.HbmInfo()
        self.ecc = structs.EccInfo()
        self.bits = ctypes.c_ulonglong()
        self.hccs = structs.HccsCounts()
        self.has_sio = False
        self._library = library
        self.is_second = library.is_second
        self._place = (card,) if library.is_second else (card, device)
        self._signed = ctypes.c_int()
        self._power = ctypes.c_int()
        self._power_now = library.prepared(_POWER_INFO, *self._place, ctypes.byref(self._power))
        self._unsigned = ctypes.c_uint()
        self._processes = (structs.ProcessMemory * structs.MAX_PROCESSES)()

    def fill(self, name: str, *arguments: object) -> None:
        """Calls with (card, device, ...); raises as `DcmiLibrary.call`."""
        self._library.call(name, *self._place, *arguments, device=self.label)

    def signed(self, name: str) -> int:
        """What a function of the form (card, device, int *) writes."""
        self.fill(name, self._signed)
        return self._signed.value

    def unsigned(self, name: str, *selectors: int) -> int:
        """What a function of the form (card, device, [selector,] unsigned *) writes."""
        self.fill(name, *selectors, self._unsigned)
        return self._unsigned.value

    def power_w(self) -> float | None:
        """The power now; None where the driver answers without a sane figure, as on a 910C's second die.

        Source: dcmi_get_device_power_info, 0.1 W. Asked ten times a second, so by the shortest way.
        """
        if self._power_now is None:
            raise missing_symbol(_POWER_INFO, self.label)
        code = self._power_now()
        if code != 0:
            raise error_for(code, call=_POWER_INFO, device=self.label)
        tenths = self._power.value
        return tenths / 10.0 if 0 < tenths <= _MAX_TENTHS_OF_W else None

    def info(self, command: tuple[int, int], out: ctypes.Structure | ctypes.c_ulonglong) -> None:
        """Fills a structure by dcmi_get_device_info with a main and a sub command."""
        size = ctypes.c_uint(ctypes.sizeof(out))
        self.fill("dcmi_get_device_info", *command, ctypes.byref(out), size)

    def logic_id(self) -> int:
        """The number by which training processes see the device, by dcmi_get_device_logic_id."""
        if self._library.is_second:
            return self._place[0]
        logic = ctypes.c_int()
        self._library.call("dcmi_get_device_logic_id", logic, *self._place, device=self.label)
        return logic.value

    def processes(self) -> tuple[tuple[int, int], ...]:
        """Pid and bytes of device memory of each process, by dcmi_get_device_resource_info."""
        name = "dcmi_get_device_resource_info"
        count = ctypes.c_int(structs.MAX_PROCESSES)
        self.fill(name, self._processes, count)
        if not 0 <= count.value <= structs.MAX_PROCESSES:
            raise out_of_range(name, self.label, "the number of processes", count.value)
        found = self._processes[: count.value]
        return tuple((entry.proc_id, entry.proc_mem_usage) for entry in found if entry.proc_id > 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """A call and the metrics, by id, that it gives in this order.

    Attributes:
        is_call: whether it asks the device; what was measured aside is only taken.
    """

    ids: tuple[int, ...]
    read: Callable[[DeviceCalls], tuple[Value, ...]]
    is_call: bool = True


def absent_power(reason: str) -> Reading:
    """Power and energy of a die whose package's figure stands at another die."""
    values = (Absent(reason), Absent(reason))
    return Reading((23, 25), lambda _: values, is_call=False)


def plan(calls: DeviceCalls) -> Mapping[MetricClass, tuple[Reading, ...]]:
    """The readings that this device answers, each tried once; one that fails for now is kept.

    Raises:
        DeviceLost: the device went away meanwhile.
    """
    result: dict[MetricClass, tuple[Reading, ...]] = {}
    for metric_class, groups in _READINGS.items():
        chosen: list[Reading] = []
        for alternatives in groups:
            chosen.extend(_first_supported(calls, alternatives))
        result[metric_class] = tuple(chosen)
    return result


def absent_for(error: DeviceError) -> Absent:
    """Why a metric is missing, in few words out of a bounded set."""
    return Absent(f"{error.call}: {error.code}" if error.code is not None else f"{error.call} is missing")


def _first_supported(calls: DeviceCalls, alternatives: tuple[tuple[Reading, ...], ...]) -> tuple[Reading, ...]:
    for readings in alternatives:
        supported = tuple(reading for reading in readings if _is_supported(calls, reading))
        if supported:
            return supported
    return ()


def _is_supported(calls: DeviceCalls, reading: Reading) -> bool:
    try:
        reading.read(calls)
    except NotSupported:
        return False
    except DeviceLost:
        raise
    except DeviceError as error:
        # The arguments are ours and never change: what is refused now is refused for good.
        return error.code != ARGUMENT_REFUSED
    return True


def _ratio(percent: int) -> Value:
    return percent / _PERCENT if 0 <= percent <= _PERCENT else _OUT_OF_RANGE


def _celsius(degrees: int) -> Value:
    return float(degrees) if -60 < degrees < 250 else _OUT_OF_RANGE


def _multi_utilization(calls: DeviceCalls) -> tuple[Value, ...]:
    calls.fill("dcmi_get_device_multi_utilization_rate", calls.multi)
    multi = calls.multi
    return _ratio(multi.npu_util), _ratio(multi.aicore_util), _ratio(multi.aic_util), _ratio(multi.aiv_util)


def _rate(selector: int) -> Callable[[DeviceCalls], tuple[Value, ...]]:
    return lambda calls: (_ratio(calls.unsigned("dcmi_get_device_utilization_rate", selector)),)


def _clock(selector: int) -> Callable[[DeviceCalls], tuple[Value, ...]]:
    def read(calls: DeviceCalls) -> tuple[Value, ...]:
        mhz = calls.unsigned("dcmi_get_device_frequency", selector)
        return (float(mhz) if mhz <= _MAX_MHZ else _OUT_OF_RANGE,)

    return read


def _voltage(calls: DeviceCalls) -> tuple[Value, ...]:
    hundredths = calls.unsigned("dcmi_get_device_voltage")
    return (hundredths / 100.0 if 0 < hundredths <= _MAX_HUNDREDTHS_OF_V else _OUT_OF_RANGE,)


def _power(calls: DeviceCalls) -> tuple[Value, ...]:
    watts = calls.power_w()
    if calls.energy is None:
        return _NO_POWER if watts is None else watts, _NO_POWER
    if watts is not None:
        calls.energy.add(watts)
    energy_mj = calls.energy.energy_mj
    return _NO_POWER if watts is None else watts, _NO_POWER if energy_mj is None else energy_mj


def _hbm_fast(calls: DeviceCalls) -> tuple[Value, ...]:
    calls.fill("dcmi_get_device_hbm_info", calls.hbm)
    hbm = calls.hbm
    used: Value = float(hbm.memory_usage * _MIB) if hbm.memory_usage <= hbm.memory_size else _OUT_OF_RANGE
    clock: Value = float(hbm.freq) if 0 < hbm.freq <= _MAX_MHZ else _OUT_OF_RANGE
    return _ratio(hbm.bandwidth_util), clock, used, _celsius(hbm.temp)


def _slowed_by(calls: DeviceCalls) -> tuple[Value, ...]:
    calls.info(structs.SLOWED_BY, calls.bits)
    return (calls.bits.value & _MAX_BITS,)


def _link_bytes(calls: DeviceCalls) -> tuple[Value, ...]:
    calls.info(structs.HCCS_COUNTS, calls.hccs)
    return tuple(sum(counts) * _PACKET_BYTES & _MAX_BITS for counts in (calls.hccs.tx_cnt, calls.hccs.rx_cnt))


def _hbm_total(calls: DeviceCalls) -> tuple[Value, ...]:
    calls.fill("dcmi_get_device_hbm_info", calls.hbm)
    total = calls.hbm.memory_size
    return (float(total * _MIB) if total else _OUT_OF_RANGE,)


def _ecc(calls: DeviceCalls) -> tuple[Value, ...]:
    calls.fill("dcmi_get_device_ecc_info", structs.ECC_HBM, calls.ecc)
    ecc = calls.ecc
    if not ecc.enable_flag:
        off = Absent("ECC is off")
        return (off,) * 6
    corrected, uncorrected = int(ecc.single_bit_error_cnt), int(ecc.double_bit_error_cnt)
    return (
        corrected,
        uncorrected,
        corrected,
        uncorrected,
        float(ecc.single_bit_isolated_pages_cnt + ecc.double_bit_isolated_pages_cnt),
        float(ecc.single_bit_next_isolated_pages_cnt + ecc.double_bit_next_isolated_pages_cnt),
    )


def _health(calls: DeviceCalls) -> tuple[Value, ...]:
    level = calls.unsigned("dcmi_get_device_health")
    return (Absent("the driver says absent") if level == structs.HEALTH_ABSENT else float(level),)


# class -> groups -> alternatives, of which the first that the device answers is taken -> readings
_READINGS: Final[Mapping[MetricClass, tuple[tuple[tuple[Reading, ...], ...], ...]]] = {
    "fast": (
        (
            (Reading((1, 2, 3, 4), _multi_utilization),),
            (
                Reading((1,), _rate(structs.RATE_OVERALL)),
                Reading((2,), _rate(structs.RATE_AI_CORE)),
                Reading((3,), _rate(structs.RATE_CUBE)),
                Reading((4,), _rate(structs.RATE_VECTOR)),
            ),
        ),
        (
            (Reading((9, 22, 40, 43), _hbm_fast),),
            (Reading((9,), _rate(structs.RATE_HBM_BANDWIDTH)), Reading((22,), _clock(structs.CLOCK_HBM))),
        ),
        ((Reading((20,), _clock(structs.CLOCK_AI_CORE)),),),
        ((Reading((23, 25), _power),),),
        ((Reading((29,), _slowed_by),),),
        ((Reading((50, 51), _link_bytes),),),
        ((Reading((44,), lambda calls: (_celsius(calls.signed("dcmi_get_device_temperature")),)),),),
    ),
    "slow": (
        ((Reading((21,), _clock(structs.CLOCK_AI_CORE_MAX)),),),
        ((Reading((41,), _hbm_total),),),
        ((Reading((45,), _voltage),),),
        ((Reading((60, 61, 77, 78, 62, 63), _ecc),),),
        ((Reading((65,), _health),),),
    ),
    "processes": (((Reading((67,), lambda calls: (float(len(calls.processes())),)),),),),
}
