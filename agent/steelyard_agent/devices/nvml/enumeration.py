"""Which GPUs and MIG instances there are: handles by index, with holes."""

import ctypes
from typing import Final

from steelyard_agent.devices.nvml.binding import NvmlLibrary
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import NOT_FOUND, out_of_range
from steelyard_proto.errors import DeviceError, DeviceLost

MAX_DEVICES: Final = 256
_MAX_INSTANCES: Final = 64


def device_count(library: NvmlLibrary) -> int:
    """How many GPUs this node has, by nvmlDeviceGetCount_v2.

    Raises:
        DeviceError: the library refuses, or counts more than there can be.
    """
    name = "nvmlDeviceGetCount_v2"
    count = ctypes.c_uint()
    library.call(name, ctypes.byref(count))
    if count.value > MAX_DEVICES:
        raise out_of_range(name, "", "the number of devices", count.value)
    return count.value


def device_at(library: NvmlLibrary, index: int) -> DeviceCalls:
    """The GPU of an index.

    Raises:
        DeviceError: it gives no handle.
    """
    handle, label = ctypes.c_void_p(), f"GPU {index}"
    library.call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle), device=label)
    return DeviceCalls(library, handle, label)


def instances(calls: DeviceCalls) -> list[DeviceCalls]:
    """The MIG instances of a GPU; none where it is not cut or can't be.

    Raises:
        DeviceLost: the GPU is gone.
    """
    current, pending = ctypes.c_uint(), ctypes.c_uint()
    try:
        calls.call("nvmlDeviceGetMigMode", ctypes.byref(current), ctypes.byref(pending))
        count = min(calls.unsigned("nvmlDeviceGetMaxMigDeviceCount"), _MAX_INSTANCES) if current.value else 0
    except DeviceLost:
        raise
    except DeviceError:
        return []
    found = (_instance(calls, index) for index in range(count))
    return [instance for instance in found if instance is not None]


def _instance(calls: DeviceCalls, index: int) -> DeviceCalls | None:
    handle = ctypes.c_void_p()
    try:
        calls.call("nvmlDeviceGetMigDeviceHandleByIndex", index, ctypes.byref(handle))
    except DeviceError as error:
        if error.code == NOT_FOUND:
            return None  # instances are numbered with holes
        raise
    return DeviceCalls(calls.library, handle, f"{calls.label} instance {index}")
