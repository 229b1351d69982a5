"""Every call into libnvidia-ml passes here: symbols resolved one by one, types declared, codes made errors.

The library is opened with CDLL, which gives the interpreter lock back during a call, so a hung call stops one
thread and not the agent. nvidia-ml-py gives the layouts (structs.py); its wrappers are not used, because they cost
ten times as much a tick and hold the one library of a process in a global.
"""

import _ctypes
import ctypes
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from ctypes import c_char_p, c_int, c_uint, c_ulonglong, c_void_p
from functools import partial
from typing import Any, Final

from steelyard_agent.devices.nvml.errors import OK, error_for, library_missing, missing_symbol
from steelyard_proto.errors import DeviceError

# The bare name goes through the loader's path (LD_LIBRARY_PATH, ld.so.cache); then where WSL keeps it.
SEARCH_PATHS: Final = ("libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1")

_OUT: Final = c_void_p  # a pointer to what the call fills

# Without argtypes a 64-bit handle is cut to 32 bits: every function that we call stands here.
_SIGNATURES: Final[dict[str, tuple[Any, ...]]] = {
    "nvmlInit_v2": (),
    "nvmlShutdown": (),
    "nvmlSystemGetDriverVersion": (c_char_p, c_uint),
    "nvmlSystemGetNVMLVersion": (c_char_p, c_uint),
    "nvmlDeviceGetCount_v2": (_OUT,),
    "nvmlDeviceGetHandleByIndex_v2": (c_uint, _OUT),
    "nvmlDeviceGetName": (c_void_p, c_char_p, c_uint),
    "nvmlDeviceGetUUID": (c_void_p, c_char_p, c_uint),
    "nvmlDeviceGetPciInfo_v3": (c_void_p, _OUT),
    "nvmlDeviceGetUtilizationRates": (c_void_p, _OUT),
    "nvmlDeviceGetClockInfo": (c_void_p, c_int, _OUT),
    "nvmlDeviceGetMaxClockInfo": (c_void_p, c_int, _OUT),
    "nvmlDeviceGetPowerUsage": (c_void_p, _OUT),
    "nvmlDeviceGetEnforcedPowerLimit": (c_void_p, _OUT),
    "nvmlDeviceGetTotalEnergyConsumption": (c_void_p, _OUT),
    "nvmlDeviceGetMemoryInfo": (c_void_p, _OUT),
    "nvmlDeviceGetMemoryInfo_v2": (c_void_p, _OUT),
    "nvmlDeviceGetTemperature": (c_void_p, c_int, _OUT),
    "nvmlDeviceGetTemperatureV": (c_void_p, _OUT),
    "nvmlDeviceGetCurrentClocksEventReasons": (c_void_p, _OUT),
    "nvmlDeviceGetCurrentClocksThrottleReasons": (c_void_p, _OUT),
    "nvmlDeviceGetTotalEccErrors": (c_void_p, c_int, c_int, _OUT),
    "nvmlDeviceGetMemoryErrorCounter": (c_void_p, c_int, c_int, c_int, _OUT),
    "nvmlDeviceGetNvLinkState": (c_void_p, c_uint, _OUT),
    "nvmlDeviceGetRemappedRows": (c_void_p, _OUT, _OUT, _OUT, _OUT),
    "nvmlDeviceGetPcieReplayCounter": (c_void_p, _OUT),
    "nvmlDeviceGetCurrPcieLinkGeneration": (c_void_p, _OUT),
    "nvmlDeviceGetCurrPcieLinkWidth": (c_void_p, _OUT),
    "nvmlDeviceGetFieldValues": (c_void_p, c_int, _OUT),
    "nvmlDeviceGetComputeRunningProcesses_v3": (c_void_p, _OUT, _OUT),
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": (c_void_p, _OUT, _OUT),
    "nvmlDeviceGetMigMode": (c_void_p, _OUT, _OUT),
    "nvmlDeviceGetMaxMigDeviceCount": (c_void_p, _OUT),
    "nvmlDeviceGetMigDeviceHandleByIndex": (c_void_p, c_uint, _OUT),
    "nvmlDeviceGetGpuInstanceId": (c_void_p, _OUT),
    "nvmlDeviceGetAttributes_v2": (c_void_p, _OUT),
    "nvmlGpmQueryDeviceSupport": (c_void_p, _OUT),
    "nvmlGpmSampleAlloc": (_OUT,),
    "nvmlGpmSampleFree": (c_void_p,),
    "nvmlGpmSampleGet": (c_void_p, c_void_p),
    "nvmlGpmMigSampleGet": (c_void_p, c_uint, c_void_p),
    "nvmlGpmMetricsGet": (_OUT,),
    "nvmlDeviceGetSupportedEventTypes": (c_void_p, _OUT),
    "nvmlDeviceRegisterEvents": (c_void_p, c_ulonglong, c_void_p),
    "nvmlEventSetCreate": (_OUT,),
    "nvmlEventSetWait_v2": (c_void_p, _OUT, c_uint),
    "nvmlEventSetFree": (c_void_p,),
}


class NvmlLibrary:
    """One loaded libnvidia-ml; `start` and `stop` must pair.

    Attributes:
        path: what it was loaded by.
        lifetime: the number of its start; what it has given out belongs to one lifetime.
    """

    def __init__(self, library: ctypes.CDLL, path: str) -> None:
        self.path = path
        self.lifetime = 0
        self._loaded = library
        self._functions = {name: _resolve(library, name) for name in _SIGNATURES}
        self._starts = 0
        self._counting = threading.Lock()

    def has(self, name: str) -> bool:
        """Whether this version of the library has the function."""
        return self._functions[name] is not None

    def call(self, name: str, *arguments: object, device: str = "", is_instance: bool = False) -> None:
        """Calls a function of the table above.

        Raises:
            NotSupported: this version of the library has no such function, or the device doesn't give it.
            DeviceError: it returned anything but 0; `code` keeps the number.
        """
        code = self.bound(name, *arguments, device=device)()
        if code != OK:
            raise error_for(code, call=name, device=device, is_instance=is_instance)

    def bound(self, name: str, *arguments: object, device: str = "") -> Callable[[], int]:
        """A function with its arguments, which returns the library's code: for calls of every tick.

        Raises:
            NotSupported: this version of the library has no such function.
        """
        function = self._functions[name]
        if function is None:
            raise missing_symbol(name, device)
        return partial(function, *arguments)

    def text(self, name: str, length: int = 96) -> str:
        """What a function of the form (char *, unsigned length) writes; empty where there is none."""
        buffer = ctypes.create_string_buffer(length)
        try:
            self.call(name, buffer, length)
        except DeviceError:
            return ""
        return decode(buffer.value)

    def start(self) -> None:
        """nvmlInit_v2.

        Raises:
            DeviceError: the driver is not loaded, or of another version than the library.
        """
        self.call("nvmlInit_v2")
        with self._counting:
            self._starts += 1

    def stop(self) -> None:
        """nvmlShutdown; a library that the driver left behind has nothing to say to it."""
        with suppress(DeviceError):
            self.call("nvmlShutdown")
        with self._counting:
            self._starts -= 1

    def unload(self) -> bool:
        """Lets go of the file, so that the next opening finds what an upgrade has put in its place.

        The loader gives the same file again to whoever asks by a name that is loaded. Nothing may be called any more
        afterwards; refused while somebody who started the library has not stopped it: code that a thread is in must
        not vanish.
        """
        with self._counting:
            if self._starts > 0:
                return False
        self._functions = dict.fromkeys(_SIGNATURES)
        _ctypes.dlclose(self._loaded._handle)
        return True


def open_library(paths: Sequence[str] = SEARCH_PATHS) -> NvmlLibrary:
    """Loads the first library that is there.

    Raises:
        LibraryMissing: none of the paths has it.
    """
    cause = ""
    for path in paths:
        try:
            return NvmlLibrary(ctypes.CDLL(path), path)
        except OSError as error:
            cause = cause or str(error)
    raise library_missing(", ".join(paths), cause)


def decode(text: bytes) -> str:
    """A driver's text; bytes that aren't UTF-8 are replaced, so that a bad name never stops a device."""
    return text.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _resolve(library: ctypes.CDLL, name: str) -> Any:
    try:
        function = getattr(library, name)
    except AttributeError:
        return None
    function.argtypes = _SIGNATURES[name]
    function.restype = c_int
    return function
