"""What GPUs tell by themselves: XIDs and ECC errors, waited for in a thread of its own.

The thread has initialised the library for itself, so it may outlive the source that started it by the two seconds that
a wait takes. Only GPUs tell events: those of an instance come from its GPU.
"""

import ctypes
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.binding import NvmlLibrary
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import OK, TIMEOUT, UNKNOWN
from steelyard_agent.devices.nvml.recovery import ask
from steelyard_agent.devices.nvml.told import RECOVERY, WANTED, Sink
from steelyard_proto.errors import DeviceError

log = logging.getLogger(__name__)

_WAIT_MS: Final = 2000
# A wait that fails at once must not turn the thread into a busy loop.
_FAILURES_TO_END: Final = 3


class EventThread:
    """Registers the events of GPUs and waits for them; ends by itself where no GPU tells any."""

    def __init__(self, library: NvmlLibrary, gpus: Mapping[str, DeviceCalls], sink: Sink) -> None:
        """Begins. The library has been started for this thread, which stops it in the end."""
        self._gpus = {calls.handle.value or 0: (uid, calls) for uid, calls in gpus.items()}
        self._library = library
        self._sink = sink
        self._is_registered = threading.Event()
        self._is_ended = threading.Event()
        self._begun_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="nvml-events", daemon=True)
        self._thread.start()

    def has_registered(self, timeout_s: float) -> bool:
        """Waits at most so long until all that happens is heard."""
        return self._is_registered.wait(timeout_s)

    def registering_s(self) -> float | None:
        """How long it has been registering; None once it listens. May be called by any thread."""
        return None if self._is_registered.is_set() else time.monotonic() - self._begun_s

    def stop(self, wait_s: float = 0.0) -> None:
        """Lets it end by itself, within two seconds if the driver keeps its own deadline."""
        self._is_ended.set()
        if wait_s:
            self._thread.join(wait_s)

    def _run(self) -> None:
        try:
            event_set = _register_all(self._library, {uid: calls for uid, calls in self._gpus.values()})
        finally:
            self._is_registered.set()
        if event_set is not None:
            self._wait(event_set)
            self._library.bound("nvmlEventSetFree", event_set)()
        self._library.stop()

    def _wait(self, event_set: ctypes.c_void_p) -> None:
        data = structs.EventData()
        wait = self._library.bound("nvmlEventSetWait_v2", event_set, ctypes.byref(data), _WAIT_MS)
        failures = 0
        while not self._is_ended.is_set() and failures < _FAILURES_TO_END:
            code = wait()
            if code == OK and not self._is_ended.is_set():
                failures = 0
                self._tell(data)
            elif code not in (OK, TIMEOUT):
                failures += 1
                self._is_ended.wait(1.0)

    def _tell(self, data: Any) -> None:
        uid, calls = self._gpus.get(data.device or 0, ("", None))
        # The event doesn't say what is to be done; the field does, on drivers that have it.
        if calls is None or data.eventType != RECOVERY or not ask(calls, uid, self._sink):
            self._sink.put(data.eventType, data.eventData, uid)


def listen(library: NvmlLibrary, gpus: Mapping[str, DeviceCalls], sink: Sink) -> EventThread | None:
    """Starts to wait for the GPUs' events; None where the library can't be started."""
    try:
        library.start()
    except DeviceError:
        return None
    return EventThread(library, gpus, sink)


def _register_all(library: NvmlLibrary, gpus: Mapping[str, DeviceCalls]) -> ctypes.c_void_p | None:
    """A set with all events of the GPUs; None where none tells any."""
    wanted = dict(gpus)
    while wanted:
        event_set = ctypes.c_void_p()
        try:
            library.call("nvmlEventSetCreate", ctypes.byref(event_set))
        except DeviceError:
            break
        heard, spoilt_by = _registered(wanted, event_set)
        if heard and not spoilt_by:
            return event_set
        library.bound("nvmlEventSetFree", event_set)()
        if not spoilt_by:
            break
        del wanted[spoilt_by]
    return None


def _registered(gpus: Mapping[str, DeviceCalls], event_set: ctypes.c_void_p) -> tuple[bool, str]:
    """Whether any GPU tells events, and the one that has left the set undefined, which has to be freed then."""
    heard = False
    for uid, calls in gpus.items():
        try:
            heard = _register(calls, event_set) or heard
        except DeviceError as error:
            log.info("%s", error)
            if error.code == UNKNOWN:
                return heard, uid
    return heard, ""


def _register(calls: DeviceCalls, event_set: ctypes.c_void_p) -> bool:
    supported = ctypes.c_ulonglong()
    calls.call("nvmlDeviceGetSupportedEventTypes", ctypes.byref(supported))
    # One type that the device doesn't know would make it refuse all.
    wanted = supported.value & WANTED
    if wanted:
        calls.call("nvmlDeviceRegisterEvents", wanted, event_set)
    return bool(wanted)
