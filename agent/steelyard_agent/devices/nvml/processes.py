"""The processes that hold a device, by struct layouts that changed without a version."""

import ctypes
from collections.abc import Callable
from struct import Struct
from typing import Final

from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import INSUFFICIENT_SIZE, OK, out_of_range
from steelyard_agent.model import Absent, DeviceProcess, Value
from steelyard_proto.errors import DeviceError, DeviceLost

COMPUTE_CALL: Final = "nvmlDeviceGetComputeRunningProcesses_v3"
MPS_CALL: Final = "nvmlDeviceGetMPSComputeRunningProcesses_v3"

_MOST: Final = 4096
_OLDEST_S: Final = 1.0
_OTHER_PIDS: Final = Absent("the agent's container does not see the host's pids")
_FIRST_ROOM: Final = 64
_NO_MEMORY: Final = (1 << 64) - 1
_NO_PIDS: Final = frozenset({0, 0xFFFFFFFF})
# Early drivers of R535 made the struct 8 bytes longer and left its version as it was.
_USUAL: Final = Struct("=I4xQII")
_LONGER: Final = Struct("=I4xQII8x")
_UNTOUCHED: Final = b"\xa5"


class Holders:
    """The processes of a device as last read: their number is one metric, they themselves are another question."""

    def __init__(self, calls: DeviceCalls, clock: Callable[[], float], *, sees_host_pids: bool) -> None:
        self._calls = calls
        self._clock = clock
        self._sees_host_pids = sees_host_pids
        self._found: tuple[DeviceProcess, ...] = ()
        self._read_s = float("-inf")

    def read(self) -> tuple[DeviceProcess, ...] | Absent:
        """The processes, at most a second old; raises as `processes_of`."""
        now_s = self._clock()
        if now_s - self._read_s > _OLDEST_S:
            self._found = processes_of(self._calls)
            self._read_s = now_s
        # Some drivers list nobody to a container, some list pids of the host's that mean others here.
        return self._found if self._sees_host_pids else _OTHER_PIDS

    def count(self) -> tuple[Value, ...]:
        """How many there are; raises as `processes_of`."""
        found = self.read()
        return (found if isinstance(found, Absent) else float(len(found)),)


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
