"""NVML's return codes as our errors: one table, the number kept."""

from typing import Final

from steelyard_proto.errors import DeviceError, DeviceLost, DeviceTimeout, LibraryMissing, NotPermitted, NotSupported

VENDOR: Final = "nvidia"

OK: Final = 0
INVALID_ARGUMENT: Final = 2
NOT_FOUND: Final = 6
INSUFFICIENT_SIZE: Final = 7
TIMEOUT: Final = 10
UNKNOWN: Final = 999

# code -> error and what it means to a person. The names are those of nvml.h.
CODES: Final[dict[int, tuple[type[DeviceError], str]]] = {
    1: (DeviceLost, "the library has to be opened again"),
    2: (DeviceError, "an argument was refused"),
    3: (NotSupported, "this device does not give it"),
    4: (NotPermitted, "not permitted; run the agent as a user who may"),
    6: (DeviceError, "not found"),
    7: (DeviceError, "the space for the answer is too small"),
    8: (DeviceLost, "the device's power cables are not attached"),
    9: (DeviceLost, "the kernel's driver is not loaded; load the module nvidia"),
    10: (DeviceTimeout, "the driver's own deadline passed"),
    11: (DeviceLost, "the kernel got no interrupts from the device"),
    12: (DeviceLost, "the library misses a part of itself"),
    13: (NotSupported, "this version of the library does not give it"),
    15: (DeviceLost, "the device fell off the bus or cannot be reached"),
    16: (DeviceLost, "the device has to be reset"),
    17: (DeviceError, "the operating system refused"),
    18: (DeviceLost, "library and kernel driver are of different versions; finish the driver's upgrade"),
    20: (DeviceError, "out of memory"),
    21: (DeviceError, "no data yet"),
    25: (NotSupported, "this version of the library has another struct"),
    26: (NotSupported, "the driver gives it no more"),
    27: (DeviceError, "not ready"),
    28: (DeviceLost, "there is no such device any more"),
    999: (DeviceError, "the driver failed without saying why"),
}

# After these no call works until the library is initialised again.
REOPEN: Final = frozenset({1, 9, 12, 18})
# After these not even then: the file that is loaded is not the driver's, or not any more.
RELOAD: Final = frozenset({12, 18})
# What a handle answers whose MIG instance was destroyed.
_STALE: Final = frozenset({INVALID_ARGUMENT, NOT_FOUND})


def error_for(code: int, *, call: str, device: str = "", is_instance: bool = False) -> DeviceError:
    """The error of a return code that is not 0.

    Args:
        code: what the call returned.
        call: the C function's name.
        device: the device's label, empty for a call about the library.
        is_instance: the device is a MIG instance, which can be destroyed at any time.
    """
    kind, text = CODES.get(code, (DeviceError, "failed"))
    if is_instance and code in _STALE:
        kind, text = DeviceLost, "the MIG instance is gone"
    return kind(text, vendor=VENDOR, call=call, device=device, code=code)


def missing_symbol(call: str, device: str = "") -> NotSupported:
    """The error of a function that this version of the library does not have."""
    return NotSupported("the library has no such function", vendor=VENDOR, call=call, device=device)


def library_missing(tried: str, cause: str) -> LibraryMissing:
    """The error of a node without the driver."""
    return LibraryMissing(
        f"no libnvidia-ml.so.1 (tried {tried}: {cause}); install the NVIDIA driver, let the container runtime mount "
        "it (NVIDIA_DRIVER_CAPABILITIES=utility), or start the agent with its directory in LD_LIBRARY_PATH",
        vendor=VENDOR,
        call="dlopen",
    )


def out_of_range(call: str, device: str, what: str, value: int) -> DeviceError:
    """The error of a figure that can't be: every count that a driver returns is bounded."""
    return DeviceError(f"{what} is {value}, which can't be", vendor=VENDOR, call=call, device=device)
