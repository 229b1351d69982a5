"""NVIDIA GPUs through NVML."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.nvml.binding import SEARCH_PATHS, NvmlLibrary, open_library
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.enumeration import device_at, device_count, instances
from steelyard_agent.devices.nvml.errors import RELOAD, REOPEN, VENDOR
from steelyard_agent.devices.nvml.reading import absent_for
from steelyard_agent.devices.nvml.told import Sink
from steelyard_agent.devices.patience import FIRST_LOOK_S, LATER_LOOK_S, PatientLook
from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Value
from steelyard_proto.chips import ChipTable, load_chips
from steelyard_proto.errors import DeviceError, DeviceLost, DeviceTimeout
from steelyard_proto.metrics import MetricClass

if TYPE_CHECKING:
    from steelyard_agent.devices.nvml.device import KnownDevice, Look, Seen, Surroundings
    from steelyard_agent.devices.nvml.events import EventThread

_log = logging.getLogger(__name__)

# NVML may be called by several threads: a GPU's neighbours are described while its second sample of GPM is waited for.
_EACH_S: Final = 0.02
# Starting the library anew interrupts every device for a moment: not more often than this for one that is lost.
_RESTART_S: Final = 600.0
# To register events takes no time, unless a GPU hangs in it.
_REGISTERED_S: Final = 0.5
# The library is not shut down while a thread still waits in it for events.
_LISTENER_ENDS_S: Final = 2.5


class NvmlSource:
    """The GPUs of this node and their MIG instances; see devices/base.py for what each method promises."""

    def __init__(
        self,
        *,
        library_paths: Sequence[str] = SEARCH_PATHS,
        chips: ChipTable | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        later_look_s: float = LATER_LOOK_S,
        hears_events: bool = True,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
    ) -> None:
        """Opens nothing yet.

        Args:
            library_paths: where to look for libnvidia-ml.so.1, in order; a bare name goes through the loader.
            chips: the chip table; the shipped one by default.
            clock: monotonic seconds.
            sleep: waits so many seconds.
            later_look_s: how long a look waits for new devices while others are known, whose ticks wait for it.
            hears_events: wait for XIDs and ECC errors, in a thread.
            wall_ms: Unix time for events, in ms.
            proc: root of procfs.
            sys: root of sysfs.
        """
        self._paths = tuple(library_paths)
        self._chips = chips if chips is not None else load_chips()
        self._clock = clock
        self._sleep = sleep
        self._proc = proc
        self._sys = sys
        self._later_look_s = later_look_s
        self._patient = PatientLook(self._ask, VENDOR, "GPU", each_s=_EACH_S)
        self._around: Surroundings | None = None
        self._library: NvmlLibrary | None = None
        self._is_started = False
        self._must_restart = False
        self._started_s = 0.0
        self._missing: set[str] = set()
        self._by_uid: dict[str, KnownDevice] = {}
        self._lost: set[str] = set()
        self._listener: EventThread | None = None
        # Those whose registration hangs, the one that is used now among them.
        self._registering: tuple[EventThread, ...] = ()
        self._heard: tuple[object, ...] = ()
        self._hears_events = hears_events
        self._sink = Sink(wall_ms)
        self._complaints: dict[tuple[str, str, int | None], DeviceError] = {}

    @property
    def name(self) -> str:
        """The registry's name."""
        return "nvml"

    @property
    def capabilities(self) -> Capabilities:
        """NVML counts energy by itself; processes are told."""
        return Capabilities(has_processes=True)

    @property
    def complaints(self) -> Sequence[DeviceError]:
        """Why GPUs or instances that are there could not be described."""
        return tuple(self._complaints.values())

    def discover(self) -> Sequence[DeviceInfo]:
        """Lists the GPUs; those that are known and well are not asked again, so that a sick one harms no other.

        Source: nvmlDeviceGetCount_v2, nvmlDeviceGetHandleByIndex_v2, nvmlDeviceGetMigDeviceHandleByIndex.

        Raises:
            LibraryMissing: no libnvidia-ml.so.1, or no nvidia-ml-py to read it by.
            DeviceError: the driver refuses, or no device answers.
        """
        library = self._opened()
        try:
            found, failure = self._look(library)
        except DeviceError as error:
            self._note_code(error)
            raise
        for uid, device in self._by_uid.items():
            if found.get(uid) is not device:
                device.close()
        gpus = {uid for uid, device in self._by_uid.items() if device.parent is None}
        self._missing = (self._missing | gpus) - found.keys()
        self._by_uid = found
        self._listen(library)
        self._lost.clear()
        if failure is not None and not found:
            self._note_code(failure)
            raise failure
        return [device.info for device in sorted(found.values(), key=_order)]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading of all metrics of a class; see `readings`, `fields` and `gpm` for the calls."""
        device = self._device(uid)
        values: list[Value] = []
        failure: DeviceError | None = None
        answered = False
        device.is_inside = True
        try:
            for reading in device.readings.get(metric_class, ()):
                try:
                    values.extend(reading.read())
                    answered = True
                except DeviceLost:
                    raise
                except DeviceError as error:
                    failure = error
                    values.extend((absent_for(error.code, error.call),) * len(reading.ids))
        except DeviceLost as error:
            self._lose(uid, error)
            raise
        finally:
            device.is_inside = False
        if failure is not None and not answered:
            raise failure
        return values

    def poll(self, uid: str) -> None:
        """Nothing: see `capabilities`."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """The compute processes of a device; see `processes` for the call."""
        device = self._device(uid)
        if device.holders is None:
            return Absent("the library does not tell processes")
        device.is_inside = True
        try:
            return device.holders.read()
        except DeviceLost as error:
            self._lose(uid, error)
            raise
        except DeviceError as error:
            return absent_for(error.code, error.call)
        finally:
            device.is_inside = False

    def latencies_us(self, uid: str) -> Mapping[int, float]:
        """Of the metrics that come as field values (latencyUsec of nvmlFieldValue_t)."""
        groups = self._device(uid).readings.values()
        return {metric: us for group in groups for one in group for metric, us in one.latencies_us().items()}

    def under_way_s(self) -> Sequence[float]:
        """Of the looks at GPUs that haven't answered yet, and of the threads that still register events."""
        looks = self._patient.under_way_s()
        if not self._registering:
            return looks
        waits = [listener.registering_s() for listener in self._registering]
        return [*looks, *(seconds for seconds in waits if seconds is not None)]

    def events(self) -> Sequence[Event]:
        """What GPUs have told since the last call: XIDs, ECC errors. May be called by any thread; waits for nothing."""
        return self._sink.take()

    def close(self) -> None:
        """Gives back the sample buffers and the library, unless a call still hangs in it."""
        self._forget()
        self._library = None

    def _opened(self) -> NvmlLibrary:
        if self._library is None:
            self._library = open_library(self._paths)
        is_missing_long = bool(self._missing) and self._clock() - self._started_s >= _RESTART_S
        if self._is_started and (self._must_restart or is_missing_long):
            # A new handle was not enough: a device that was reset may come back only in a library that starts anew.
            self._forget(_LISTENER_ENDS_S)
        if not self._is_started:
            self._started_s = self._clock()
            self._start(self._library)
            self._is_started = True
            self._must_restart = False
        return self._library

    def _start(self, library: NvmlLibrary) -> None:
        try:
            library.start()
        except DeviceError as error:
            # The driver was upgraded under the agent: the next look loads the library that came with it.
            if error.code in RELOAD and library.unload():
                self._library = None
            raise
        library.lifetime += 1

    def _forget(self, wait_s: float = 0.0) -> None:
        if self._is_anything_inside():
            return
        # What was told late is of the library that ends now.
        for seen in self._patient.forget():
            seen.close()
        for device in self._by_uid.values():
            device.close()
        self._by_uid = {}
        listener, self._listener, self._heard = self._listener, None, ()
        if listener is not None:
            listener.stop(wait_s)
        if self._library is not None and self._is_started:
            self._library.stop()
        self._is_started = False

    def _look(self, library: NvmlLibrary) -> "tuple[dict[str, KnownDevice], DeviceError | None]":
        """The devices that are there now, and why one could not be described."""
        self._around = self._surroundings(library)
        indexes = range(device_count(library))
        told = self._told(indexes)
        # What was told too late for an earlier look may be of a device that has been lost since.
        outdated = [index for index, seen in told.items() if not self._is_current(seen)]
        told = {index: seen for index, seen in told.items() if index not in outdated} | self._told(outdated)
        found: dict[str, KnownDevice] = {}
        failure: DeviceError | None = None
        for index in indexes:
            seen = told.get(index)
            if isinstance(seen, DeviceError):
                failure = seen
                self._complain(seen)
            if seen is None or isinstance(seen, DeviceTimeout):
                # One that is known is kept: the ticks find out for themselves whether it answers.
                devices = [device for device in self._well_known() if device.info.index == index]
            else:
                devices = [] if isinstance(seen, DeviceError) else seen.devices
            found.update((device.info.uid, device) for device in devices)
            for error in [] if seen is None or isinstance(seen, DeviceError) else seen.complaints:
                failure = error
                self._complain(error)
        return found, failure

    def _told(self, indexes: Iterable[int]) -> "dict[int, Seen | DeviceError]":
        patience_s = self._later_look_s if self._well_known() else FIRST_LOOK_S
        return dict(self._patient.look(indexes, patience_s))

    def _is_current(self, seen: "Seen | DeviceError") -> bool:
        if isinstance(seen, DeviceError):
            return True
        well = self._well_known()
        if all(any(device is one for one in well) for device in seen.kept):
            return True
        seen.close()
        return False

    def _well_known(self) -> "list[KnownDevice]":
        return [device for uid, device in self._by_uid.items() if uid not in self._lost]

    def _ask(self, index: int) -> "Seen":
        """A GPU and its MIG instances; in a thread of its own, for any of these calls may hang.

        Raises:
            DeviceError: it gives no handle, or can't be described.
        """
        # Only here, for it imports pynvml: 5 MB that a node without the library need not spend.
        from steelyard_agent.devices.nvml.device import Look

        library, around = self._library, self._around
        if library is None or around is None:
            raise DeviceError("the source is closed", vendor=VENDOR, call="describe", device=f"GPU {index}")
        look = Look(around)
        calls = device_at(library, index)
        known = self._known(calls)
        if known is not None and known.is_inside:
            parts = [device for device in self._by_uid.values() if device.parent is known.calls]
            look.seen.kept.extend((known, *parts))
            return look.seen
        self._look_at(known, calls, index, look)
        look.finish(self._sleep)
        return look.seen

    def _look_at(self, known: "KnownDevice | None", calls: DeviceCalls, index: int, look: "Look") -> None:
        parts = instances(known.calls if known else calls)
        if known is not None and known.is_cut == bool(parts):
            look.seen.kept.append(known)
            calls = known.calls
        else:
            look.start(calls, None, index, is_cut=bool(parts))
        for part in parts:
            known = self._known(part)
            # An instance can be destroyed and another be given its handle.
            try:
                if known is not None and known.parent is calls and part.text("nvmlDeviceGetUUID") == known.info.uid:
                    look.seen.kept.append(known)
                else:
                    look.start(part, calls, index)
            except DeviceError as error:
                look.seen.complaints.append(error)

    def _listen(self, library: NvmlLibrary) -> None:
        from steelyard_agent.devices.nvml.events import listen

        gpus = {uid: device.calls for uid, device in self._by_uid.items() if device.parent is None}
        heard = (library.lifetime, *((uid, calls.handle.value) for uid, calls in gpus.items()))
        if heard == self._heard or not self._hears_events:
            return
        before, self._listener = self._listener, listen(library, gpus, self._sink)
        self._heard = heard
        self._registering = tuple(one for one in self._registering if one.registering_s() is not None)
        if self._listener is not None and not self._listener.has_registered(_REGISTERED_S):
            self._registering += (self._listener,)
            text = "hangs; until it returns no XID is heard"
            self._complain(DeviceTimeout(text, vendor=VENDOR, call="nvmlDeviceRegisterEvents"))
        # The new one listens already: what happens meanwhile is told once, by it.
        if before is not None:
            before.stop()

    def _surroundings(self, library: NvmlLibrary) -> "Surroundings":
        from steelyard_agent.devices.nvml.device import Surroundings

        return Surroundings(
            chips=self._chips,
            sys=self._sys,
            sees_host_pids=sees_host_pids(self._proc),
            clock=self._clock,
            driver_version=library.text("nvmlSystemGetDriverVersion"),
            library_version=library.text("nvmlSystemGetNVMLVersion"),
            sink=self._sink,
        )

    def _known(self, calls: DeviceCalls) -> "KnownDevice | None":
        for uid, device in self._by_uid.items():
            if device.calls.handle.value == calls.handle.value and uid not in self._lost:
                return device
        return None

    def _device(self, uid: str) -> "KnownDevice":
        device = self._by_uid.get(uid)
        if device is None:
            raise DeviceLost("is not on this node", vendor=VENDOR, device=uid, call="discover")
        return device

    def _lose(self, uid: str, error: DeviceError) -> None:
        self._lost.add(uid)
        self._note_code(error)

    def _note_code(self, error: DeviceError) -> None:
        if error.code in REOPEN:
            self._lost.update(self._by_uid)
            self._must_restart = True

    def _is_anything_inside(self) -> bool:
        return bool(self._patient.under_way_s()) or any(device.is_inside for device in self._by_uid.values())

    def _complain(self, error: DeviceError) -> None:
        key = (error.device, error.call, error.code)
        if key not in self._complaints:
            self._complaints[key] = error
            _log.warning("%s", error)


def _order(device: "KnownDevice") -> tuple[int, bool, str]:
    return device.info.index, device.parent is not None, device.info.uid
