"""NVML's C structures, laid out by nvidia-ml-py, without what makes its own classes slow to read.

nvidia-ml-py overrides attribute access in Python; the same fields in a plain Structure are ten times as fast. Only
this module imports pynvml, and only after the library was found: it takes 5 MB that other nodes need not spend.
"""

import ctypes
from typing import Any, Final

from steelyard_agent.devices.nvml.errors import VENDOR
from steelyard_proto.errors import LibraryMissing

try:
    import pynvml
except ImportError as error:
    raise LibraryMissing(
        "libnvidia-ml is here, but not the package nvidia-ml-py to read it by; run pip install nvidia-ml-py",
        vendor=VENDOR,
        call="import pynvml",
    ) from error


def _plain(name: str) -> Any:
    theirs = getattr(pynvml, name, None)
    if theirs is None:
        raise LibraryMissing(
            f"{pynvml.__file__} has no {name}: it is not a recent nvidia-ml-py; "
            "run pip uninstall pynvml, then pip install --force-reinstall nvidia-ml-py",
            vendor=VENDOR,
            call="import pynvml",
        )
    return type(name, (ctypes.Structure,), {"_fields_": list(theirs._fields_)})


Utilization: Final = _plain("c_nvmlUtilization_t")
Memory: Final = _plain("c_nvmlMemory_t")
MemoryV2: Final = _plain("c_nvmlMemory_v2_t")
Temperature: Final = _plain("c_nvmlTemperature_v1_t")
PciInfo: Final = _plain("nvmlPciInfo_t")
FieldValue: Final = _plain("c_nvmlFieldValue_t")
ProcessInfo: Final = _plain("c_nvmlProcessInfo_v3_t")
Attributes: Final = _plain("c_nvmlDeviceAttributes")
GpmSupport: Final = _plain("c_nvmlGpmSupport_t")
GpmMetricsGet: Final = _plain("c_nvmlGpmMetricsGet_t")
EventData: Final = _plain("c_nvmlEventData_t")

MEMORY_V2: Final[int] = pynvml.nvmlMemory_v2
TEMPERATURE_V1: Final[int] = pynvml.nvmlTemperature_v1
GPM_SUPPORT_VERSION: Final[int] = pynvml.NVML_GPM_SUPPORT_VERSION
GPM_METRICS_GET_VERSION: Final[int] = pynvml.NVML_GPM_METRICS_GET_VERSION
