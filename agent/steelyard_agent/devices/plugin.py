"""A source of another package, at arm's length: loaded behind the guard, and believed only as far as it can be checked.

What a source gives goes to the gatherer as it is, which trusts our own. So types and ranges are checked here, in the
source's own thread: a figure that can't be is absent, a device that can't be is refused.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, get_args

from steelyard_agent.devices.base import (
    Capabilities,
    ComplaintSource,
    EventSource,
    LatencySource,
    OutdatedSource,
    PatientSource,
    Source,
)
from steelyard_agent.devices.guard import MAX_EVENTS, Severity
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Origin, Value
from steelyard_proto.errors import DeviceError
from steelyard_proto.metrics import Metric, MetricClass, catalogue

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": ("gpu", "npu", "cpu"),
    "part": ("package", "die", "gcd", "mig", "partition"),
    "power_scope": ("", "device", "die", "package", "module"),
    "origin": get_args(Origin),
}
_TEXTS: Final = ("uid", "vendor", "name", "chip", "package_uid", "pci_address", "driver_version", "library_version")
_ENDS: Final[Mapping[str, int]] = {"index": 1 << 31, "numa_node": 1 << 31, "memory_bytes": 1 << 63}


class PluginSource:
    """Another package's source; see `Source`."""

    def __init__(
        self, name: str, load: Callable[[], Source], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Loads nothing yet.

        Args:
            name: the entry point's.
            load: imports the package and makes the source; each look calls it until it has.
            monotonic: seconds.
        """
        self._name = name
        self._load = load
        self._monotonic = monotonic
        self._source: Source | None = None
        self._events_of: Callable[[], Sequence[object]] | None = None
        self._under_way_of: Callable[[], Sequence[object]] | None = None
        self._under_way_since_s: tuple[float, ...] = ()
        self._why_outdated_of: Callable[[], object] | None = None
        self._why_outdated = ""
        self._capabilities = Capabilities()
        self._metrics: dict[tuple[str, MetricClass], tuple[Metric, ...]] = {}
        self._told: deque[Event] = deque(maxlen=MAX_EVENTS)

    @property
    def name(self) -> str:
        """The entry point's name, by which the settings name the source."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """The source's, once a look has ended."""
        return self._capabilities

    @property
    def complaints(self) -> Sequence[DeviceError]:
        """The source's, if it has any."""
        return self._source.complaints if isinstance(self._source, ComplaintSource) else ()

    def discover(self) -> Sequence[DeviceInfo]:
        """Loads the source if need be, and lists its devices.

        Raises:
            DeviceError: the source's own; or it can't be loaded, or describes what can't be.
        """
        try:
            if self._source is None:
                self._source = source = self._load()
                self._events_of = source.events if isinstance(source, EventSource) else None
                self._under_way_of = source.under_way_s if isinstance(source, PatientSource) else None
                self._why_outdated_of = source.why_outdated if isinstance(source, OutdatedSource) else None
            try:
                found = [self._checked(info) for info in self._source.discover()]
            finally:
                self._gather_state()
            capabilities = self._source.capabilities
        except DeviceError:
            raise
        except Exception as error:
            raise self._error("discover", f"{type(error).__name__}: {error}") from error
        if not isinstance(capabilities, Capabilities) or capabilities.entity != "device":
            raise self._error("capabilities", "a source of another package describes devices")
        if len({info.uid for info in found}) < len(found):
            raise self._error("discover", "two devices have the same uid")
        known = catalogue().by_id
        self._capabilities = capabilities
        self._metrics = {
            (info.uid, metric_class): tuple(known[number] for number in numbers)
            for info in found
            for metric_class, numbers in info.metrics.items()
        }
        return found

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading; a figure that its metric can't have is absent."""
        assert self._source is not None
        values = self._source.sample(uid, metric_class)
        self._gather_events()
        self._gather_under_way()
        metrics = self._metrics.get((uid, metric_class), ())
        if len(values) != len(metrics):
            # The guard says so.
            return values
        return [_figure(metric, value) for metric, value in zip(metrics, values, strict=True)]

    def poll(self, uid: str) -> None:
        """Takes an inner reading."""
        assert self._source is not None
        self._source.poll(uid)

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """Who holds the device.

        Raises:
            DeviceError: what it says is no process.
        """
        assert self._source is not None
        holders = self._source.processes(uid)
        if isinstance(holders, Absent):
            return holders
        if not all(map(_is_holder, holders)):
            raise self._error("processes", "gave what is no process")
        return list(holders)

    def events(self) -> Sequence[Event]:
        """What the source told at its last readings: it is asked in its own thread alone."""
        told = []
        while self._told:
            told.append(self._told.popleft())
        return told

    def under_way_s(self) -> Sequence[float]:
        """How long each call in a thread of the source's own has taken, by its last look or reading."""
        now_s = self._monotonic()
        return [now_s - since_s for since_s in self._under_way_since_s]

    def why_outdated(self) -> str:
        """Why only a new process can read the devices, by the source's last look."""
        return self._why_outdated

    def latencies_us(self, uid: str) -> Mapping[int, float]:
        """The source's, if it tells any.

        Raises:
            DeviceError: it fails.
        """
        try:
            return self._source.latencies_us(uid) if isinstance(self._source, LatencySource) else {}
        except Exception as error:
            raise self._error("latencies_us", f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Gives everything back."""
        if self._source is not None:
            self._source.close()

    def _gather_state(self) -> None:
        self._gather_under_way()
        if self._why_outdated_of is not None:
            self._why_outdated = str(self._why_outdated_of())

    def _gather_under_way(self) -> None:
        if self._under_way_of is None:
            return
        told = self._under_way_of()
        if not all(map(_is_duration, told)):
            raise self._error("under_way_s", "told what is no duration")
        now_s = self._monotonic()
        self._under_way_since_s = tuple(now_s - float(seconds) for seconds in told)  # type: ignore[arg-type]

    def _gather_events(self) -> None:
        if self._events_of is not None:
            self._told.extend(map(self._checked_event, self._events_of()))

    def _checked_event(self, event: object) -> Event:
        if not isinstance(event, Event) or not _is_between(-1, event.ts_ms, 1 << 63):
            raise self._error("events", "told what is no event")
        if event.severity not in get_args(Severity) or not f"{event.code}{event.uid}".isprintable():
            raise self._error("events", "told an event of no severity or code")
        text = str(event.text).encode(errors="replace").decode()
        return replace(event, text=text, source=self._name)

    def _checked(self, info: object) -> DeviceInfo:
        if not isinstance(info, DeviceInfo):
            raise self._error("discover", f"listed a {type(info).__name__}, which is no DeviceInfo")
        texts = {name: getattr(info, name) for name in _TEXTS}
        wrong = [name for name, text in texts.items() if not isinstance(text, str) or not text.isprintable()]
        wrong += [name for name in ("uid", "vendor", "name") if not texts[name]]
        wrong += [name for name, choices in _CHOICES.items() if getattr(info, name) not in choices]
        wrong += [name for name, end in _ENDS.items() if not _is_between(-1, getattr(info, name), end)]
        if wrong:
            raise self._error("discover", f"the device {info.uid!r} has no proper {', '.join(wrong)}")
        known, seen = catalogue().by_id, set[int]()
        for metric_class, numbers in info.metrics.items():
            for number in numbers:
                metric = known.get(number)
                is_ours = metric is not None and (metric.entity, metric.metric_class) == ("device", metric_class)
                if not is_ours or number in seen:
                    raise self._error("discover", f"{info.uid} has metric {number!r} in the class {metric_class!r}")
                seen.add(number)
        metrics = {metric_class: tuple(numbers) for metric_class, numbers in info.metrics.items()}
        return replace(info, metrics=metrics, notes={str(name): str(text) for name, text in info.notes.items()})

    def _error(self, call: str, text: str) -> DeviceError:
        return DeviceError(text, vendor=self._name, call=call)


def _figure(metric: Metric, value: Value) -> Value:
    if isinstance(value, Absent):
        return value
    if metric.kind == "gauge" and isinstance(value, int | float) and type(value) is not bool and math.isfinite(value):
        return float(value)
    if metric.kind != "gauge" and _is_between(0, value, 1 << 63):
        return int(value)
    return Absent(f"the source gave no proper {metric.kind} for {metric.name}")


def _is_holder(process: object) -> bool:
    if not isinstance(process, DeviceProcess) or not _is_between(1, process.pid, 1 << 31):
        return False
    return process.hbm_used_bytes is None or _is_between(0, process.hbm_used_bytes, 1 << 63)


def _is_duration(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 <= seconds < math.inf


def _is_between(first: int, number: object, end: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and first <= number < end
