"""Every call into libdcmi passes here: symbols resolved one by one, types declared, codes made errors.

The library is opened with CDLL, which gives the interpreter lock back during a call, so a hung call stops one
thread and not the agent. Nothing but DCMI is opened: the agent never holds a device.

A library has a second set of functions, dcmiv2_*, for the 950 and later: `dcmi_init` refuses there, and `dcmiv2_init`
refuses elsewhere. They name a device by one number in place of card and device, and are else the same functions under
other names; here and in what is told of errors they go by the names of the first set.
"""

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from ctypes import POINTER, c_char_p, c_int, c_uint, c_void_p
from functools import partial
from pathlib import Path
from typing import Any, Final

from steelyard_agent.devices.dcmi.errors import VENDOR, error_for, library_missing, missing_symbol
from steelyard_agent.devices.dcmi.structs import (
    ChipInfoV2,
    DieId,
    EccInfo,
    HbmInfo,
    HccsBandwidth,
    MultiUtilization,
    NetworkCounts,
    PcieBandwidth,
    PcieInfo,
    PortList,
    ProcessMemory,
    UbCounts,
    UbLinks,
    UbPort,
)
from steelyard_proto.errors import DeviceError, NotSupported

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
    "dcmi_get_device_errorcode_v2": (c_int, c_int, _INT_OUT, _UINT_OUT, c_uint),
    "dcmi_get_device_errorcode_string": (c_int, c_int, c_uint, c_char_p, c_int),
    "dcmi_get_device_info": (c_int, c_int, c_int, c_uint, c_void_p, _UINT_OUT),
    "dcmi_get_netdev_pkt_stats_info": (c_int, c_int, c_int, POINTER(NetworkCounts)),
    "dcmi_get_hccs_link_bandwidth_info": (c_int, c_int, POINTER(HccsBandwidth)),
    "dcmi_get_pcie_link_bandwidth_info": (c_int, c_int, POINTER(PcieBandwidth)),
    # Of the second set alone.
    "dcmi_get_ub_port_link_status": (c_int, c_int, POINTER(UbLinks)),
    "dcmi_get_device_port_list_info": (c_int, c_int, POINTER(PortList)),
    "dcmi_get_port_pkt_stats_info": (c_int, c_int, POINTER(UbPort), POINTER(UbCounts)),
}

# What the second set calls them, where it is not the same name after the prefix. None: it has no such function.
_SECOND_NAMES: Final[Mapping[str, str | None]] = {
    "dcmi_get_card_list": "dcmiv2_get_device_list",
    "dcmi_get_device_num_in_card": None,
    "dcmi_get_device_logic_id": None,
    "dcmi_get_device_chip_info_v2": "dcmiv2_get_device_chip_info",
    "dcmi_get_device_chip_info": None,
    "dcmi_get_device_pcie_info_v2": "dcmiv2_get_device_pcie_info",
    "dcmi_get_device_die_v2": "dcmiv2_get_device_die_id",
    "dcmi_get_device_resource_info": "dcmiv2_get_device_proc_mem_info",
    "dcmi_get_device_errorcode_v2": "dcmiv2_get_device_error_code_list",
    "dcmi_get_device_errorcode_string": None,
    "dcmi_get_hccs_link_bandwidth_info": None,
}


class DcmiLibrary:
    """One loaded libdcmi, by one of its two sets of functions."""

    def __init__(self, library: ctypes.CDLL, path: str, *, is_second: bool = False) -> None:
        self.path = path
        self.is_second = is_second
        self._file = _file_of(library)
        self._identity = _identity(self._file)
        self._functions = {name: _resolve(library, name, is_second) for name in _SIGNATURES}

    def is_replaced(self) -> bool:
        """Whether there is another file now where this library was loaded from."""
        return _identity(self._file) not in (None, self._identity)

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

    def prepared(self, name: str, *arguments: object) -> Callable[[], int] | None:
        """A call with arguments that never change, which gives its code; None where there is no such function."""
        function = self._functions[name]
        return None if function is None else partial(function, *arguments)

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
        return _initialised(library, path)
    raise library_missing(", ".join(paths))


def decode(text: bytes) -> str:
    """A driver's text; bytes that aren't UTF-8 are replaced, so that a bad name never stops a device."""
    return text.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


class _Found(ctypes.Structure):
    """Dl_info of dlfcn.h."""

    _fields_ = [("file", c_char_p), ("base", c_void_p), ("symbol", c_char_p), ("address", c_void_p)]


def _file_of(library: ctypes.CDLL) -> str:
    """The file that the loader took; empty if it doesn't say."""
    found = _Found()
    function = getattr(library, "dcmi_init", None)
    if function is None or not ctypes.CDLL(None).dladdr(function, ctypes.byref(found)):
        return ""
    return os.fsdecode(found.file or b"")


def _identity(file: str) -> tuple[int, int, int] | None:
    try:
        told = os.stat(file)
    except OSError:
        return None
    return told.st_dev, told.st_ino, told.st_mtime_ns


def _initialised(library: ctypes.CDLL, path: str) -> DcmiLibrary:
    first = DcmiLibrary(library, path)
    try:
        first.call("dcmi_init")
    except NotSupported:
        second = DcmiLibrary(library, path, is_second=True)
        if not second.has("dcmi_init"):
            raise
        second.call("dcmi_init")
        return second
    return first


def _resolve(library: ctypes.CDLL, name: str, is_second: bool) -> Any:
    types, symbol = _SIGNATURES[name], name
    if is_second:
        found = _SECOND_NAMES.get(name, name.replace("dcmi_", "dcmiv2_", 1))
        if found is None:
            return None
        symbol = found
        # One number in place of card and device. The list's count and ids are exchanged, which are of one type.
        types = types[1:] if types[:2] == (c_int, c_int) else types
    try:
        function = getattr(library, symbol)
    except AttributeError:
        return None
    function.argtypes = types
    function.restype = c_int
    return function
