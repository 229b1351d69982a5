"""One device's calls: its handle and label, and the plain forms of out arguments."""

import ctypes
from collections.abc import Callable
from typing import Any, Final

from steelyard_agent.devices.nvml.binding import NvmlLibrary, decode
from steelyard_agent.devices.nvml.errors import OK, error_for
from steelyard_proto.errors import DeviceError

_TEXT_LENGTH: Final = 96


class DeviceCalls:
    """A handle with what errors need to name it. The handle's address stays valid while the library is initialised.

    Attributes:
        label: the uuid once it is known, else the index.
        is_instance: the handle is a MIG instance's, and is asked only for what it has given before: a refusal means
            that the instance is gone.
    """

    def __init__(self, library: NvmlLibrary, handle: ctypes.c_void_p, label: str) -> None:
        self.library = library
        self.handle = handle
        self.label = label
        self.is_instance = False

    def call(self, name: str, *arguments: object) -> None:
        """Calls with (handle, ...); raises as `NvmlLibrary.call`."""
        self.library.call(name, self.handle, *arguments, device=self.label, is_instance=self.is_instance)

    def filled(self, name: str, out: Any, *arguments: object) -> Callable[[], None]:
        """A call with (handle, ..., &out) of every tick; raises as `NvmlLibrary.call`, here and when it is called."""
        bound = self.library.bound(name, self.handle, *arguments, ctypes.byref(out), device=self.label)

        def fill() -> None:
            code = bound()
            if code != OK:
                raise self.error(code, name)

        return fill

    def error(self, code: int, name: str) -> DeviceError:
        """The error of a code."""
        return error_for(code, call=name, device=self.label, is_instance=self.is_instance)

    def unsigned(self, name: str, *selectors: int) -> int:
        """What a function of the form (handle, [selector,] unsigned *) writes."""
        out = ctypes.c_uint()
        self.call(name, *selectors, ctypes.byref(out))
        return out.value

    def text(self, name: str) -> str:
        """What a function of the form (handle, char *, unsigned length) writes."""
        buffer = ctypes.create_string_buffer(_TEXT_LENGTH)
        self.call(name, buffer, _TEXT_LENGTH)
        return decode(buffer.value)
