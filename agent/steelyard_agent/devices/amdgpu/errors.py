"""The errno of a file of the driver as our errors: one table, the number kept."""

import errno
from typing import Final

from steelyard_proto.errors import DeviceError, DeviceLost, LibraryMissing, NotPermitted, NotSupported

VENDOR: Final = "amd"

# errno -> error and what it means to a person.
CODES: Final[dict[int, tuple[type[DeviceError], str]]] = {
    errno.ENOENT: (NotSupported, "this driver has no such file"),
    errno.EOPNOTSUPP: (NotSupported, "this chip does not give it"),
    errno.EINVAL: (NotSupported, "this chip does not give it"),
    errno.ENODEV: (DeviceLost, "the device is gone; was the driver unloaded?"),
    errno.ENXIO: (DeviceLost, "the device is gone; was the driver unloaded?"),
    errno.EACCES: (NotPermitted, "not permitted; let the agent's user read it"),
    errno.EPERM: (DeviceError, "the device is being reset"),
    errno.EBUSY: (DeviceError, "the device is busy"),
}


def error_for(error: OSError, *, call: str, device: str) -> DeviceError:
    """The error of a file that could not be read.

    Args:
        error: what the system said.
        call: the file, below the device's folder.
        device: the device's PCI address.
    """
    kind, text = CODES.get(error.errno or 0, (DeviceError, error.strerror or "failed"))
    return kind(text, vendor=VENDOR, call=call, device=device, code=error.errno)


def driver_missing(sys: str) -> LibraryMissing:
    """The error of a node without the driver."""
    return LibraryMissing(f"no amdgpu driver ({sys}/module/amdgpu is not there)", vendor=VENDOR, call="discover")
