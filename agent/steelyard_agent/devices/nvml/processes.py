"""The processes that hold a device, by struct layouts that changed without a version."""

import ctypes
from struct import Struct
from typing import Final

from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import INSUFFICIENT_SIZE, OK, out_of_range
from steelyard_agent.model import DeviceProcess
from steelyard_proto.errors import DeviceError, DeviceLost

COMPUTE_CALL: Final = "nvmlDeviceGetComputeRunningProcesses_v3"
MPS_CALL: Final = "nvmlDeviceGetMPSComputeRunningProcesses_v3"

_MOST: Final = 4096
_FIRST_ROOM: Final = 64
_NO_MEMORY: Final = (1 << 64) - 1
_NO_PIDS: Final = frozenset({0, 0xFFFFFFFF})
# Early drivers of R535 made the struct 8 bytes longer and left its version as it was.
_USUAL: Final = Struct("=I4xQII")
_LONGER: Final = Struct("=I4xQII8x")
_UNTOUCHED: Final = b"\xa5"


def processes_of(calls: DeviceCalls) -> tuple[DeviceProcess, ...]:
    """The compute processes of a device, the clients of MPS among them.

    Raises:
        NotSupported: the library is older than version 3 of the call.
        DeviceError: the device refuses.
    """
    found = {process.pid: process for process in _listed(calls, COMPUTE_CALL)}
    for process in _clients(calls):
        found.setdefault(process.pid, process)
    return tuple(found.values())


def _clients(calls: DeviceCalls) -> tuple[DeviceProcess, ...]:
    if not calls.library.has(MPS_CALL):
        return ()
    try:
        return _listed(calls, MPS_CALL)
    except DeviceLost:
        raise
    except DeviceError:
        return ()


def _listed(calls: DeviceCalls, name: str) -> tuple[DeviceProcess, ...]:
    room = _FIRST_ROOM
    while True:
        buffer = ctypes.create_string_buffer(_UNTOUCHED * (room * _LONGER.size), room * _LONGER.size)
        count = ctypes.c_uint(room)
        code = calls.library.bound(name, calls.handle, ctypes.byref(count), buffer, device=calls.label)()
        if code == INSUFFICIENT_SIZE and room < _MOST:
            room = min(max(2 * room, count.value), _MOST)
            continue
        if code != OK:
            raise calls.error(code, name)
        if count.value > room:
            raise out_of_range(name, calls.label, "the number of processes", count.value)
        return _parsed(buffer.raw, count.value)


def _parsed(raw: bytes, count: int) -> tuple[DeviceProcess, ...]:
    end = count * _USUAL.size
    is_longer = count > 0 and raw[end : end + count * 8].strip(_UNTOUCHED) != b""
    layout = _LONGER if is_longer else _USUAL
    entries = layout.iter_unpack(raw[: count * layout.size])
    return tuple(
        DeviceProcess(pid=pid, hbm_used_bytes=None if used == _NO_MEMORY else used)
        for pid, used, _instance, _compute in entries
        if pid not in _NO_PIDS
    )
