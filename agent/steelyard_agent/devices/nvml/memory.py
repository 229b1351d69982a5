"""Device memory: which of the call's two versions answers, and what it counts as used."""

from collections.abc import Callable
from typing import Any, Final

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.reading import OUT_OF_RANGE, Reading
from steelyard_agent.model import Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported

V2_CALL: Final = "nvmlDeviceGetMemoryInfo_v2"
V1_CALL: Final = "nvmlDeviceGetMemoryInfo"
V1_NOTE: Final = "with what the driver reserves: its version tells no less"
UNIFIED_NOTE: Final = "absent: the device shares the host's memory, or the driver does not tell"


def memory_fast(calls: DeviceCalls) -> Reading:
    """Memory in use, by version 2 of the call, else by version 1.

    Raises:
        DeviceError: neither answers.
    """
    if not has_v2(calls):
        return _v1_used(calls)
    out, fill = _v2(calls)

    def read() -> tuple[Value, ...]:
        fill()
        used, reserved = out.used, out.reserved
        # The header contradicts itself on whether used contains reserved; the sum tells.
        if used + reserved + out.free > out.total and used >= reserved:
            used -= reserved
        return (float(used) if used <= out.total else OUT_OF_RANGE,)

    return Reading((40,), read)


def memory_slow(calls: DeviceCalls) -> Reading:
    """All memory, and what the driver keeps for itself where version 2 tells.

    Raises:
        DeviceError: neither version answers.
    """
    if not has_v2(calls):
        return _v1_total(calls)
    out, fill = _v2(calls)

    def read() -> tuple[Value, ...]:
        fill()
        return float(out.total), float(out.reserved)

    return Reading((41, 42), read)


def has_v2(calls: DeviceCalls) -> bool:
    """Whether the library and the device answer version 2 (drivers from R510)."""
    try:
        _v2(calls)[1]()
    except NotSupported:
        return False
    except DeviceLost:
        raise
    except DeviceError:
        pass
    return True


def total_bytes(calls: DeviceCalls) -> int:
    """All memory, 0 where the driver does not tell."""
    try:
        (total, *_) = memory_slow(calls).read()
    except DeviceLost:
        raise
    except DeviceError:
        return 0
    return int(total) if isinstance(total, float) else 0


def _v2(calls: DeviceCalls) -> tuple[Any, Callable[[], None]]:
    out = structs.MemoryV2()
    out.version = structs.MEMORY_V2
    return out, calls.filled(V2_CALL, out)


def _v1_used(calls: DeviceCalls) -> Reading:
    out = structs.Memory()
    fill = calls.filled(V1_CALL, out)

    def read() -> tuple[Value, ...]:
        fill()
        return (float(out.used) if out.used <= out.total else OUT_OF_RANGE,)

    return Reading((40,), read)


def _v1_total(calls: DeviceCalls) -> Reading:
    out = structs.Memory()
    fill = calls.filled(V1_CALL, out)

    def read() -> tuple[Value, ...]:
        fill()
        return (float(out.total),)

    return Reading((41,), read)
