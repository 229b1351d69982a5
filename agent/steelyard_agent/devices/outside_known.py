"""What is known of a source's devices across its processes, and which of a new one's events are news."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.channel import Report
from steelyard_agent.model import Absent, DeviceInfo, Event

_BAD: Final = frozenset({"device_lost", "device_quarantined"})
# What a new process finds out for itself, and would tell again.
_ONCE: Final = frozenset({"source_hangs", "source_failed", "discover_failed", "device_unreadable"})
_MAX_TEXTS: Final = 100


@dataclass(slots=True)
class Known:
    """The devices and their state, as they were told.

    Attributes:
        source: the source's name.
        devices: by uid, in the order of their discovery.
        bad: those that were told to be lost or to hang.
        listed: the uids that the present process has found; None until it has.
    """

    source: str
    capabilities: Capabilities
    devices: dict[str, DeviceInfo]
    bad: set[str]
    listed: frozenset[str] | None = None
    _texts: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """A new process begins to look."""
        self.listed = None

    def take(self, report: Report, wall_ms: Callable[[], int]) -> Iterator[Event]:
        """Takes in a report; yields what is new in it."""
        self.capabilities = report.capabilities
        present = {uid for (uid, _class), values in report.values.items() if any(type(v) is not Absent for v in values)}
        back = self.bad & present
        if report.devices is not None:
            yield from self._list(report.devices, wall_ms)
        for event in report.events:
            if self._is_news(event):
                yield event
        for uid in sorted(back & self.bad):
            self.bad.discard(uid)
            yield Event(wall_ms(), "info", "device_back", f"{uid} is read again", self.source, uid)
        if present:
            self._texts.clear()

    def _list(self, devices: list[DeviceInfo], wall_ms: Callable[[], int]) -> Iterator[Event]:
        self.listed = frozenset(info.uid for info in devices)
        was_empty = not self.devices
        for info in devices:
            if info.uid not in self.devices and not was_empty:
                yield Event(wall_ms(), "info", "device_found", f"{info.uid} is new", self.source, info.uid)
            self.devices[info.uid] = info
        for uid in self.devices.keys() - self.listed - self.bad:
            self.bad.add(uid)
            yield Event(wall_ms(), "warning", "device_lost", f"{uid} is no longer listed", self.source, uid)

    def _is_news(self, event: Event) -> bool:
        if event.code in _BAD:
            is_new = event.uid not in self.bad
            self.bad.add(event.uid)
            return is_new
        if event.code == "device_back":
            self.bad.discard(event.uid)
        elif event.code in _ONCE:
            is_new = event.text not in self._texts
            if len(self._texts) < _MAX_TEXTS:
                self._texts.add(event.text)
            return is_new
        # The devices that are new are told with the list of them.
        return event.code != "device_found"
