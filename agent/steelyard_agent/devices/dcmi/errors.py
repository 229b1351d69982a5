"""DCMI's return codes as our errors: one table, the number kept."""

from typing import Final

from steelyard_proto.errors import DeviceError, DeviceLost, DeviceTimeout, LibraryMissing, NotPermitted, NotSupported

VENDOR: Final = "huawei"

ARGUMENT_REFUSED: Final = -8001

# code -> error and what it means to a person. The names are those of the driver's public header.
CODES: Final[dict[int, tuple[type[DeviceError], str]]] = {
    ARGUMENT_REFUSED: (DeviceError, "an argument was refused"),
    -8002: (NotPermitted, "not permitted; run the agent as a member of the driver's group (HwHiAiUser)"),
    -8003: (DeviceError, "the driver is out of memory"),
    -8005: (DeviceError, "inner error; in a container this is usually a device that another container holds"),
    -8006: (DeviceTimeout, "the driver's own deadline passed"),
    -8007: (DeviceLost, "there is no such device"),
    -8008: (DeviceLost, "the device does not exist"),
    -8009: (DeviceError, "the driver's ioctl failed"),
    -8010: (DeviceError, "the device could not be asked"),
    -8011: (DeviceError, "the device did not answer"),
    -8012: (DeviceLost, "the device is not ready"),
    -8013: (NotPermitted, "not given in a container; run the agent on the host"),
    -8015: (DeviceError, "a reset failed"),
    -8017: (DeviceError, "firmware is being upgraded"),
    -8020: (DeviceError, "the device is occupied by another user"),
    -8255: (NotSupported, "this device does not give it"),
    -99998: (NotSupported, "this version of the library does not give it"),
}

# Codes of the library's own loader, around -99998: a function that isn't there in this version.
_LOADER_CODES: Final = range(-99999, -99989)


def error_for(code: int, *, call: str, device: str = "") -> DeviceError:
    """The error of a return code that is not 0.

    Args:
        code: what the call returned.
        call: the C function's name.
        device: the card and device, empty for a call about the library.
    """
    kind, text = CODES.get(code, (DeviceError, "failed"))
    if code in _LOADER_CODES:
        kind, text = CODES[-99998]
    return kind(text, vendor=VENDOR, call=call, device=device, code=code)


def missing_symbol(call: str, device: str = "") -> NotSupported:
    """The error of a function that this version of the library does not have."""
    return NotSupported("the library has no such function", vendor=VENDOR, call=call, device=device)


def library_missing(tried: str) -> LibraryMissing:
    """The error of a node without the driver."""
    return LibraryMissing(
        f"no libdcmi.so (tried {tried}); install the Ascend driver or mount it into the container",
        vendor=VENDOR,
        call="dlopen",
    )


def out_of_range(call: str, device: str, what: str, value: int) -> DeviceError:
    """The error of a figure that can't be: every count that a driver returns is bounded."""
    return DeviceError(f"{what} is {value}, which can't be", vendor=VENDOR, call=call, device=device)
