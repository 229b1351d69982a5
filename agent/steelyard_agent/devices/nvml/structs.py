"""NVML's C structures, laid out by nvidia-ml-py, without what makes its own classes slow to read.

nvidia-ml-py overrides attribute access in Python; the same fields in a plain Structure are ten times as fast. Only
this module imports pynvml, and only after the library was found. Its 8,000 lines are let go again once the layouts are
taken: they hold 2.5 MB.
"""

import ctypes
import sys
from types import ModuleType
from typing import Any, Final

from steelyard_agent.devices.nvml.errors import VENDOR
from steelyard_agent.light_import import in_place_of
from steelyard_proto.errors import LibraryMissing

_STRUCTURES: Final = (
    "c_nvmlUtilization_t", "c_nvmlMemory_t", "c_nvmlMemory_v2_t", "c_nvmlTemperature_v1_t", "nvmlPciInfo_t",
    "c_nvmlFieldValue_t", "c_nvmlProcessInfo_v3_t", "c_nvmlDeviceAttributes", "c_nvmlGpmSupport_t",
    "c_nvmlGpmMetricsGet_t", "c_nvmlEventData_t",
)  # fmt: skip
_VERSIONS: Final = (
    "nvmlMemory_v2", "nvmlTemperature_v1", "NVML_GPM_SUPPORT_VERSION", "NVML_GPM_METRICS_GET_VERSION",
)  # fmt: skip


def _read_layouts() -> dict[str, Any]:
    was_there = "pynvml" in sys.modules
    try:
        with in_place_of("ctypes.util", _library_search()):
            import pynvml
    except ImportError as error:
        raise LibraryMissing(
            "libnvidia-ml is here, but not the package nvidia-ml-py to read it by; run pip install nvidia-ml-py",
            vendor=VENDOR,
            call="import pynvml",
        ) from error
    for name in (*_STRUCTURES, *_VERSIONS):
        if getattr(pynvml, name, None) is None:
            raise LibraryMissing(
                f"{pynvml.__file__} has no {name}: it is not a recent nvidia-ml-py; "
                "run pip uninstall pynvml, then pip install --force-reinstall nvidia-ml-py",
                vendor=VENDOR,
                call="import pynvml",
            )
    found = {name: _plain(getattr(pynvml, name)) for name in _STRUCTURES}
    found |= {name: getattr(pynvml, name) for name in _VERSIONS}
    if not was_there:
        # ctypes remembers pointer types for good, and by them one of its classes; emptied, the module holds nothing.
        del sys.modules["pynvml"]
        vars(pynvml).clear()
    return found


def _library_search() -> ModuleType:
    """What pynvml looks for its library with: it is not asked to, and the real one imports 0.6 MB for that."""
    module = ModuleType("ctypes.util")
    vars(module).update(find_library=lambda name: None)
    return module


def _plain(theirs: Any) -> Any:
    """The same bytes without classes of theirs: a pointer is an address."""
    if issubclass(theirs, ctypes.Array):
        return _plain(theirs._type_) * theirs._length_
    if issubclass(theirs, ctypes._Pointer):
        return ctypes.c_void_p
    for base in (ctypes.Structure, ctypes.Union):
        if issubclass(theirs, base):
            return type(
                theirs.__name__, (base,), {"_fields_": [(name, _plain(kind)) for name, kind in theirs._fields_]}
            )
    return theirs


_LAYOUTS: Final = _read_layouts()

Utilization: Final = _LAYOUTS["c_nvmlUtilization_t"]
Memory: Final = _LAYOUTS["c_nvmlMemory_t"]
MemoryV2: Final = _LAYOUTS["c_nvmlMemory_v2_t"]
Temperature: Final = _LAYOUTS["c_nvmlTemperature_v1_t"]
PciInfo: Final = _LAYOUTS["nvmlPciInfo_t"]
FieldValue: Final = _LAYOUTS["c_nvmlFieldValue_t"]
ProcessInfo: Final = _LAYOUTS["c_nvmlProcessInfo_v3_t"]
Attributes: Final = _LAYOUTS["c_nvmlDeviceAttributes"]
GpmSupport: Final = _LAYOUTS["c_nvmlGpmSupport_t"]
GpmMetricsGet: Final = _LAYOUTS["c_nvmlGpmMetricsGet_t"]
EventData: Final = _LAYOUTS["c_nvmlEventData_t"]

MEMORY_V2: Final[int] = _LAYOUTS["nvmlMemory_v2"]
TEMPERATURE_V1: Final[int] = _LAYOUTS["nvmlTemperature_v1"]
GPM_SUPPORT_VERSION: Final[int] = _LAYOUTS["NVML_GPM_SUPPORT_VERSION"]
GPM_METRICS_GET_VERSION: Final[int] = _LAYOUTS["NVML_GPM_METRICS_GET_VERSION"]
