"""What GPUs tell by themselves: XIDs and ECC errors, waited for in a thread of its own.

The thread has initialised the library for itself, so it may outlive the source that started it by the two seconds that
a wait takes. Only GPUs tell events: those of an instance come from its GPU.
"""

import ctypes
import logging
import threading
from collections.abc import Mapping
from typing import Final

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.binding import NvmlLibrary
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import OK, TIMEOUT
from steelyard_agent.devices.nvml.told import WANTED, Sink
from steelyard_proto.errors import DeviceError

log = logging.getLogger(__name__)

_WAIT_MS: Final = 2000
# A wait that fails at once must not turn the thread into a busy loop.
_FAILURES_TO_END: Final = 3


class EventThread:
    """Waits for the events of the GPUs that it was started with."""

    def __init__(self, library: NvmlLibrary, event_set: ctypes.c_void_p, uids: Mapping[int, str], sink: Sink) -> None:
        self.uids = uids
        self._library = library
        self._set = event_set
        self._sink = sink
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nvml-events", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 0.0) -> None:
        """Lets it end by itself, within two seconds if the driver keeps its own deadline."""
        self._is_ended.set()
        if wait_s:
            self._thread.join(wait_s)

    def _run(self) -> None:
        data = structs.EventData()
        wait = self._library.bound("nvmlEventSetWait_v2", self._set, ctypes.byref(data), _WAIT_MS)
        failures = 0
        while not self._is_ended.is_set() and failures < _FAILURES_TO_END:
            code = wait()
            if code == OK and not self._is_ended.is_set():
                failures = 0
                self._sink.put(data.eventType, data.eventData, self.uids.get(data.device or 0, ""))
            elif code not in (OK, TIMEOUT):
                failures += 1
                self._is_ended.wait(1.0)
        self._library.bound("nvmlEventSetFree", self._set)()
        self._library.stop()


def listen(library: NvmlLibrary, gpus: Mapping[str, DeviceCalls], sink: Sink) -> EventThread | None:
    """Registers the GPUs' events and starts to wait for them; None where no GPU tells any."""
    event_set = ctypes.c_void_p()
    try:
        library.start()
    except DeviceError:
        return None
    try:
        library.call("nvmlEventSetCreate", ctypes.byref(event_set))
    except DeviceError:
        library.stop()
        return None
    uids = {calls.handle.value or 0: uid for uid, calls in gpus.items() if _register(calls, event_set)}
    if not uids:
        library.bound("nvmlEventSetFree", event_set)()
        library.stop()
        return None
    return EventThread(library, event_set, uids, sink)


def _register(calls: DeviceCalls, event_set: ctypes.c_void_p) -> bool:
    supported = ctypes.c_ulonglong()
    try:
        calls.call("nvmlDeviceGetSupportedEventTypes", ctypes.byref(supported))
        # One type that the device doesn't know would make it refuse all.
        wanted = supported.value & WANTED
        if wanted:
            calls.call("nvmlDeviceRegisterEvents", wanted, event_set)
    except DeviceError as error:
        log.info("%s", error)
        return False
    return bool(wanted)
