"""Reads what is slow in a thread of its own, so that no tick waits for it.

Every ten seconds: the error codes of all devices, then each device's slow figures. The thread is a crew's
(devices/crew.py) with the guard's rules: a call that outlives its deadline is left behind, its device isn't asked
again until the call has ended, and after four such calls nothing slow is asked any more. The device's other figures
go on meanwhile.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from steelyard_agent.devices.crew import Crew, Lane
from steelyard_agent.devices.dcmi.faults import SOURCE, FaultLog, Severity
from steelyard_agent.devices.dcmi.readings import DeviceCalls
from steelyard_agent.devices.dcmi.slow import NETWORK_HEALTH, PERIOD_S, Shelf, SlowReading, active_faults, measure
from steelyard_agent.devices.errand import Call, Errand, Outcome
from steelyard_agent.model import Event

# On top of a window of 0.1 s; the network's health is known to be retried for long where a card has dropped.
_DEADLINE_S: Final = 2.0
_MAX_ABANDONED: Final = 4
_MAX_EVENTS: Final = 256


@dataclass(frozen=True, slots=True)
class SlowDevice:
    """A device and what is slow about it; `calls` are its own, for those of the ticks are used meanwhile."""

    calls: DeviceCalls
    readings: tuple[SlowReading, ...]
    shelf: Shelf
    has_faults: bool


class Aside:
    """The thread of one source. `turn` and `follow` are called by any thread and wait for nothing."""

    def __init__(self, monotonic: Callable[[], float], wall_ms: Callable[[], int], log: FaultLog) -> None:
        """Starts no thread yet.

        Args:
            monotonic: seconds.
            wall_ms: Unix time of events, in ms.
            log: what is known of each device's faults; outlives this.
        """
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._log = log
        self._devices: Mapping[str, SlowDevice] = {}
        self._hanging: set[str] = set()
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._errand = Errand()
        self._next_s = 0.0
        self._crew = Crew("dcmi-aside", monotonic=monotonic)
        self._lane = Lane(self, _MAX_ABANDONED)

    def follow(self, devices: Mapping[str, SlowDevice]) -> None:
        """Takes the devices, by uid, from the next round on."""
        self._devices = devices

    def turn(self) -> None:
        """Begins the next round if it is due; leaves a call behind that has outlived its deadline."""
        now_s = self._monotonic()
        if not self._errand.is_done:
            self._crew.wait(self._lane, self._errand, now_s, cancel=False)
        elif now_s >= self._next_s and self._devices and not self._lane.is_stopped:
            self._next_s = max(self._next_s + PERIOD_S, now_s)
            self._errand = Errand(plan=self._calls)
            self._crew.submit(self._lane, self._errand)

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        found: list[Event] = []
        while self._events:
            found.append(self._events.popleft())
        return found

    def hangs_for_s(self) -> list[float]:
        """How long each call has hung that does."""
        return self._crew.hangs_for_s(self._lane)

    def close(self) -> None:
        """Lets the thread end after the call that it is in."""
        self._crew.stop(self._lane)

    # What to call.

    def _calls(self) -> Iterable[Call]:
        devices = {uid: device for uid, device in self._devices.items() if uid not in self._hanging}
        for uid, device in devices.items():
            if device.has_faults:
                yield Call(uid, "error codes", partial(self._faults, uid, device), _DEADLINE_S)
        for uid, device in devices.items():
            for reading in device.readings:
                yield Call(uid, reading.what, partial(self._measure, uid, device, reading), _DEADLINE_S)

    def _faults(self, uid: str, device: SlowDevice) -> None:
        codes = active_faults(device.calls)
        self._events.extend(self._log.faults(uid, codes, device.calls, self._wall_ms()))

    def _measure(self, uid: str, device: SlowDevice, reading: SlowReading) -> None:
        measure(device.calls, reading, device.shelf)
        if reading is NETWORK_HEALTH:
            level = device.shelf.newest(reading)[0]
            if isinstance(level, float):
                self._events.extend(self._log.network(uid, int(level), self._wall_ms()))

    # What the crew tells, with its lock held.

    def finished(self, errand: Errand | None, outcome: Outcome) -> None:
        """A call ended in time; what it told, or why not, lies on the shelf."""

    def hangs(self, call: Call) -> None:
        """A call outlived its deadline, and its thread is left behind."""
        self._hanging.add(call.uid)
        text = (
            f"{call.uid}: {call.what} have not returned within {call.deadline_s:g} s; its slow figures are left alone"
        )
        self._note("warning", "slow_call_hangs", text, call.uid)

    def returned(self, outcome: Outcome) -> None:
        """A call that had been left behind has ended after all."""
        uid = outcome.call.uid
        self._hanging.discard(uid)
        self._note("info", "slow_call_back", f"{uid}: {outcome.call.what} returned after {outcome.seconds:.1f} s", uid)

    def _note(self, severity: Severity, code: str, text: str, uid: str) -> None:
        self._events.append(Event(self._wall_ms(), severity, code, text, SOURCE, uid))
