"""Every call into libdcmi passes here: symbols resolved one by one, types declared, codes made errors.

The library is opened with CDLL, which gives the interpreter lock back during a call, so a hung call stops one
thread and not the agent. Nothing but DCMI is opened: the agent never holds a device.
"""

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int, c_uint
from pathlib import Path
from typing import Any, Final

from steelyard_agent.devices.dcmi.errors import VENDOR, error_for, library_missing, missing_symbol
from steelyard_agent.devices.dcmi.structs import (
    ChipInfoV2,
    DieId,
    EccInfo,
    HbmInfo,
    MultiUtilization,
    PcieInfo,
    ProcessMemory,
)
from steelyard_proto.errors import DeviceError

# Where drivers put it, in the order of asking; the bare name goes through the loader's path.
SEARCH_PATHS: Final = (
    "libdcmi.so",
    "/usr/local/dcmi/libdcmi.so",
    "/usr/local/Ascend/driver/lib64/driver/libdcmi.so",
    "/usr/local/Ascend/driver/lib64/libdcmi.so",
)

_INT_OUT: Final = POINTER(c_int)
_UINT_OUT: Final = POINTER(c_uint)

# Without argtypes a 64-bit pointer is cut to 32 bits: every function that we call stands here.
_SIGNATURES: Final[dict[str, tuple[Any, ...]]] = {
    "dcmi_init": (),
    "dcmi_get_dcmi_version": (c_char_p, c_uint),
    "dcmi_get_driver_version": (c_char_p, c_uint),
    "dcmi_get_card_list": (_INT_OUT, _INT_OUT, c_int),
    "dcmi_get_device_num_in_card": (c_int, _INT_OUT),
    "dcmi_get_device_type": (c_int, c_int, _INT_OUT),
    "dcmi_get_device_logic_id": (_INT_OUT, c_int, c_int),
    "dcmi_get_device_chip_info_v2": (c_int, c_int, POINTER(ChipInfoV2)),
    "dcmi_get_device_chip_info": (c_int, c_int, POINTER(ChipInfoV2)),
    "dcmi_get_device_pcie_info_v2": (c_int, c_int, POINTER(PcieInfo)),
    "dcmi_get_device_die_v2": (c_int, c_int, c_int, POINTER(DieId)),
    "dcmi_get_device_multi_utilization_rate": (c_int, c_int, POINTER(MultiUtilization)),
    "dcmi_get_device_utilization_rate": (c_int, c_int, c_int, _UINT_OUT),
    "dcmi_get_device_hbm_info": (c_int, c_int, POINTER(HbmInfo)),
    "dcmi_get_device_power_info": (c_int, c_int, _INT_OUT),
    "dcmi_get_device_voltage": (c_int, c_int, _UINT_OUT),
    "dcmi_get_device_temperature": (c_int, c_int, _INT_OUT),
    "dcmi_get_device_frequency": (c_int, c_int, c_int, _UINT_OUT),
    "dcmi_get_device_health": (c_int, c_int, _UINT_OUT),
    "dcmi_get_device_network_health": (c_int, c_int, _INT_OUT),
    "dcmi_get_device_ecc_info": (c_int, c_int, c_int, POINTER(EccInfo)),
    "dcmi_get_device_resource_info": (c_int, c_int, POINTER(ProcessMemory), _INT_OUT),
}


class DcmiLibrary:
    """One loaded and initialised libdcmi."""

    def __init__(self, library: ctypes.CDLL, path: str) -> None:
        self.path = path
        self._functions = {name: _resolve(library, name) for name in _SIGNATURES}

    def has(self, name: str) -> bool:
        """Whether this version of the library has the function."""
        return self._functions[name] is not None

    def call(self, name: str, *arguments: object, device: str = "") -> None:
        """Calls a function of the table above.

        Raises:
            NotSupported: this version of the library has no such function, or the device doesn't give it.
            DeviceError: it returned anything but 0; `code` keeps the number.
        """
        function = self._functions[name]
        if function is None:
            raise missing_symbol(name, device)
        code = function(*arguments)
        if code != 0:
            raise error_for(code, call=name, device=device)

    def text(self, name: str, length: int = 64) -> str:
        """What a function of the form (char *, unsigned length) writes; empty where there is none."""
        buffer = ctypes.create_string_buffer(length)
        try:
            self.call(name, buffer, length)
        except DeviceError:
            return ""
        return decode(buffer.value)


def open_library(paths: Sequence[str] = SEARCH_PATHS) -> DcmiLibrary:
    """Loads the first library that is there and initialises it.

    Raises:
        LibraryMissing: none of the paths has it.
        DeviceError: one has it, and it can't be loaded or refuses to start.
    """
    for path in paths:
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            if Path(path).is_absolute() and Path(path).exists():
                raise DeviceError(f"{path} can't be loaded: {error}", vendor=VENDOR, call="dlopen") from error
            continue
        loaded = DcmiLibrary(library, path)
        loaded.call("dcmi_init")
        return loaded
    raise library_missing(", ".join(paths))


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
