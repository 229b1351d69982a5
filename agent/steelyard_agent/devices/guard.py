"""Keeps a source's faults away from everything else: hangs, lost devices, errors of any kind.

A tick is one errand, whose calls are made one after the other by a thread that quick sources share (crew.py). A device
whose call hangs is quarantined until that call ends, and another thread goes on with the others. A lost device is
absent, with the reason, until a later look finds it again (roster.py). Every exception becomes a count and an absence
here, and goes no further. Where too much hangs, the source goes on in a process of its own (moving.py).
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Literal, cast

from steelyard_agent.devices.absence import NOT_READ, TOO_MANY_HANG, reason
from steelyard_agent.devices.base import (
    DEVICES_CHANGED,
    Capabilities,
    ComplaintSource,
    EventSource,
    OutdatedSource,
    PatientSource,
    Source,
)
from steelyard_agent.devices.crew import MAX_ABANDONED, Crew, Lane
from steelyard_agent.devices.errand import Call, Errand, Outcome, attempt
from steelyard_agent.devices.roster import NO_LIBRARY_S, Changes, Roster
from steelyard_agent.devices.tally import GuardStats, Tally
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Value
from steelyard_proto.errors import DeviceError, DeviceLost, LibraryMissing
from steelyard_proto.metrics import MetricClass

log = logging.getLogger(__name__)

Severity = Literal["info", "warning", "error"]
Reading = tuple[DeviceInfo, MetricClass, Sequence[Value]]
Holders = tuple[DeviceInfo, Sequence[DeviceProcess] | Absent]

_DISCOVER: Final = "discover"
_HOLDERS: Final = "processes of"
_FIRST_LOOK_S: Final = 10.0
_LATER_LOOK_S: Final = 5.0
_CLOSE_S: Final = 0.5
# What hangs at a look for devices, or leaves nothing else to ask, is left in this process for so long: a driver that is
# being reloaded comes back.
_LONG_S: Final = 60.0
# Events wait here for the next batch; a source that flaps must not fill the memory.
MAX_EVENTS: Final = 256


class GuardedSource:
    """A source behind its guard. `start_tick` and `collect` are called by one thread, the rest by any."""

    def __init__(
        self,
        source: Source,
        *,
        deadline_s: float,
        monotonic: Callable[[], float],
        wall_ms: Callable[[], int],
        max_abandoned: int = MAX_ABANDONED,
        crew: Crew | None = None,
    ) -> None:
        """Wraps a source; nothing is called yet.

        Args:
            source: the source; from now on only the guard calls it.
            deadline_s: how long one call for one device may take.
            monotonic: seconds that never jump.
            wall_ms: Unix time for events, in ms.
            max_abandoned: hanging threads at which no call is made any more.
            crew: the threads that make the calls; its own by default.
        """
        self._source = source
        # Asked once: a look at a protocol's methods costs as much as reading a device.
        self._events_of = source.events if isinstance(source, EventSource) else None
        self._under_way_of = source.under_way_s if isinstance(source, PatientSource) else None
        self._why_outdated = source.why_outdated if isinstance(source, OutdatedSource) else None
        self._max_abandoned = max_abandoned
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._roster = Roster()
        self._tally = Tally()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._problem = ""
        self._bugs: set[str] = set()
        self._complaints = 0
        self._has_looked = False
        self._is_looking = False
        self._has_changed = False
        self._tick = Errand()
        self._classes: tuple[MetricClass, ...] = ()
        self._holders: list[Holders] = []
        # By device and class: a device's calls are the same at each tick.
        self._samples: dict[tuple[str, MetricClass], Call] = {}
        self._crew = crew or Crew(source.name, monotonic=monotonic)
        self._lane = Lane(self, max_abandoned)

    @property
    def name(self) -> str:
        """The source's name."""
        return self._source.name

    @property
    def capabilities(self) -> Capabilities:
        """The source's capabilities; known once a look for devices has ended."""
        return self._source.capabilities

    def discover(self, timeout_s: float = _FIRST_LOOK_S) -> Sequence[DeviceInfo]:
        """Looks for devices now and waits for it; ticks do this by themselves when it is due."""
        errand = Errand(deque([self._look()]), is_long=True)
        self._crew.submit(self._lane, errand)
        self._crew.wait(self._lane, errand, self._monotonic() + timeout_s, cancel=False)
        return self.devices()

    def devices(self) -> Sequence[DeviceInfo]:
        """Every device known so far, also the missing ones, in the order of their discovery."""
        with self._crew.lock:
            return [known.info for known in self._roster.known.values()]

    def start_tick(self, metric_classes: Iterable[MetricClass], at_s: float = 0.0, again_s: float = 0.0) -> None:
        """Plans the work of one tick; `collect` fetches what came of it.

        Args:
            metric_classes: what is due.
            at_s: when, on the monotonic clock; by default at once.
            again_s: when the tick after it is expected.
        """
        self._classes = tuple(metric_classes)
        with self._crew.lock:
            has_calls = any(True for _ in self._tick_calls())
            is_due = self._has_changed or self._monotonic() >= self._roster.next_look_s
            is_look_due = is_due and not self._is_looking
        self._tick = Errand()
        # A source without devices isn't woken for nothing; a look that hangs is noticed by the next submission.
        if has_calls or self._is_looking:
            # Made when it begins: what is lost or hangs by then is left out.
            is_poll = "fast" in self._classes
            self._tick = Errand(plan=self._tick_calls, at_s=at_s, again_s=again_s, is_poll=is_poll)
            self._crew.submit(self._lane, self._tick)
        if is_look_due:
            # An errand of its own: nobody waits for it.
            self._crew.submit(self._lane, Errand(deque([self._look()]), is_long=True))

    def collect(self, timeout_s: float) -> list[Reading]:
        """Waits for the tick, at most so long; every known device appears with every class that was asked for."""
        if not self._roster.known and not self._is_looking:
            return []
        self._crew.wait(self._lane, self._tick, self._monotonic() + timeout_s)
        with self._crew.lock:
            outcomes = {(outcome.call.uid, outcome.call.what): outcome for outcome in self._tick.outcomes}
            readings: list[Reading] = []
            for known in self._roster.known.values():
                info = known.info
                for metric_class in self._classes:
                    if ids := info.metrics.get(metric_class):
                        values = self._values(info.uid, ids, outcomes.get((info.uid, metric_class)))
                        self._tally.note_values(values)
                        readings.append((info, metric_class, values))
            if "processes" in self._classes:
                self._holders = self._read_holders(outcomes)
        return readings

    def hangs_for_s(self) -> list[float]:
        """How long each call has hung that does, those in threads of the source's own among them."""
        beside = () if self._under_way_of is None else self._under_way_of()
        return [*self._crew.hangs_for_s(self._lane), *(seconds for seconds in beside if seconds >= self._deadline_s)]

    def why_outdated(self) -> str:
        """Why only a new process can read the source; empty while this one can."""
        return "" if self._why_outdated is None else self._why_outdated()

    def why_spent(self) -> str:
        """Why no more should be asked in this process; empty while it should."""
        if outdated := self.why_outdated():
            return outdated
        hanging = self.hangs_for_s()
        if self._lane.is_stopped:
            # Nothing is asked here any more, also if all of them have returned since.
            return f"{len(hanging)} calls hang" if hanging else "too many calls have hung"
        long = sum(seconds >= _LONG_S for seconds in hanging)
        if long >= self._max_abandoned:
            return f"{long} calls hang"
        with self._crew.lock:
            is_idle = bool(long) and not self._roster.present()
        return f"{len(hanging)} calls hang and nothing else is left to ask" if is_idle else ""

    def missing(self) -> frozenset[str]:
        """The uids of the devices that are lost or hang."""
        with self._crew.lock:
            return frozenset(uid for uid, known in self._roster.known.items() if known.state != "present")

    def processes(self) -> list[Holders]:
        """Who held each device at the last tick of the class `processes`."""
        with self._crew.lock:
            return list(self._holders)

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        with self._crew.lock:
            events = list(self._events)
            self._events.clear()
        if self._events_of is not None:
            told = self._events_of()
            # One that comes while a look is under way calls for another.
            self._has_changed |= any(event.code == DEVICES_CHANGED for event in told)
            events += told
        return events

    def stats(self) -> GuardStats:
        """The counts so far."""
        abandoned = len(self.hangs_for_s())
        with self._crew.lock:
            tally = self._tally
            return GuardStats(
                calls=tally.calls + self._lane.polled,
                errors=tally.errors,
                timeouts=tally.timeouts,
                quarantined=self._roster.count("quarantined"),
                absences=tally.absences,
                sample_s=tally.sample_s + self._lane.polled_s,
                absences_by_reason=dict(tally.by_reason),
                abandoned=abandoned,
                problem=self._problem,
            )

    def close(self) -> None:
        """Closes the source, waiting half a second for it at most; as long as it takes where too much has hung."""
        call = Call("", "close", self._source.close, _CLOSE_S)
        if self._lane.is_stopped:
            # Too much has hung: there is no thread any more that would do it.
            attempt(call, self._monotonic)
            return
        errand = Errand(deque([call]), is_long=True)
        self._crew.submit(self._lane, errand)
        self._crew.wait(self._lane, errand, self._monotonic() + _CLOSE_S)
        self._crew.stop(self._lane)

    # What to call.

    def _look(self) -> Call:
        self._is_looking = True
        self._has_changed = False
        return Call("", _DISCOVER, self._source.discover, _LATER_LOOK_S if self._has_looked else _FIRST_LOOK_S)

    def _tick_calls(self) -> Iterable[Call]:
        for info in self._roster.present():
            for metric_class in self._classes:
                if info.metrics.get(metric_class):
                    yield self._sample(info.uid, metric_class)
            if "processes" in self._classes and self._source.capabilities.has_processes:
                yield self._who(info.uid)

    def _sample(self, uid: str, metric_class: MetricClass) -> Call:
        call = self._samples.get((uid, metric_class))
        if call is None:
            call = Call(uid, metric_class, partial(self._source.sample, uid, metric_class), self._deadline_s)
            self._samples[uid, metric_class] = call
        return call

    def _who(self, uid: str) -> Call:
        return Call(uid, _HOLDERS, lambda: self._source.processes(uid), self._deadline_s)

    def _plan_polls(self) -> None:
        """Tells the crew what to call between errands, whenever other devices are there than before."""
        self._lane.polls = [
            Call(info.uid, "poll", partial(self._source.poll, info.uid), self._deadline_s)
            for info in self._roster.present()
        ]

    # What came of it.

    def _values(self, uid: str, ids: Sequence[int], outcome: Outcome | None) -> Sequence[Value]:
        if outcome is not None and outcome.error is None:
            values: Sequence[Value] = outcome.value  # type: ignore[assignment]
            if len(values) == len(ids):
                return values
            return (Absent(f"{self.name} gave {len(values)} values for {len(ids)} metrics"),) * len(ids)
        return (Absent(self._why_missing(uid, outcome)),) * len(ids)

    def _why_missing(self, uid: str, outcome: Outcome | None) -> str:
        known = self._roster.known[uid]
        if known.state != "present":
            return f"{known.state}: {known.reason}"
        if outcome is not None and outcome.error is not None:
            return reason(outcome.error)
        return TOO_MANY_HANG if self._lane.is_stopped else NOT_READ

    def _read_holders(self, outcomes: dict[tuple[str, str], Outcome]) -> list[Holders]:
        holders: list[Holders] = []
        for uid, known in self._roster.known.items():
            outcome = outcomes.get((uid, _HOLDERS))
            if outcome is not None and outcome.error is None:
                holders.append((known.info, cast("Sequence[DeviceProcess] | Absent", outcome.value)))
            elif self._source.capabilities.has_processes:
                holders.append((known.info, Absent(self._why_missing(uid, outcome))))
        return holders

    # What the crew tells, with its lock held.

    def finished(self, errand: Errand | None, outcome: Outcome) -> None:
        """A call ended in time."""
        call, error = outcome.call, outcome.error
        self._tally.note_call(outcome.seconds, failed=error is not None)
        if error is None and call.what != _DISCOVER:
            return
        if call.what == _DISCOVER:
            self._end_look(outcome)
        elif isinstance(error, DeviceLost) and self._roster.lose(call.uid, reason(error), self._monotonic()):
            if errand is not None:
                errand.drop(call.uid)
            self._plan_polls()
            self._note("warning", "device_lost", f"{call.uid} is gone: {error}", call.uid)
        elif error is not None and not isinstance(error, DeviceError):
            self._note_bug(call, error)

    def hangs(self, call: Call) -> None:
        """A call outlived its deadline, and its thread is left behind."""
        self._tally.calls += 1
        self._tally.timeouts += 1
        text = f"{call.what} has not returned within {call.deadline_s:g} s"
        if call.uid:
            self._roster.quarantine(call.uid, text, self._monotonic())
            self._plan_polls()
            self._note("error", "device_quarantined", f"{call.uid}: {text}; left alone until it does", call.uid)
        else:
            self._note("error", "source_hangs", f"{self.name}: {text}")

    def returned(self, outcome: Outcome) -> None:
        """A call that had been left behind has ended after all."""
        call = outcome.call
        self._tally.sample_s += outcome.seconds
        if call.what == _DISCOVER:
            self._end_look(outcome)
        elif self._roster.release(call.uid) is not None:
            self._plan_polls()
            text = f"{call.uid}: {call.what} returned after {outcome.seconds:.1f} s"
            self._note("info", "device_back", text, call.uid)

    def _end_look(self, outcome: Outcome) -> None:
        self._is_looking = False
        now_s = self._monotonic()
        if outcome.error is not None:
            self._note_failed_look(outcome.error, now_s)
            return
        changes = self._roster.update(cast(Sequence[DeviceInfo], outcome.value), now_s)
        if self._under_way_of is not None and self._under_way_of():
            self._roster.plan_look(now_s, failed=True)
        self._note_changes(changes)
        self._note_complaints()
        self._problem = ""
        self._has_looked = True
        self._lane.poll_period_s = self._source.capabilities.poll_period_s
        self._plan_polls()

    def _note_bug(self, call: Call, error: BaseException) -> None:
        bug = f"{call.what}: {type(error).__name__}"
        if bug not in self._bugs:
            self._bugs.add(bug)
            self._note("error", "source_failed", f"{self.name} {call.uid} {bug}: {error}", call.uid)

    def _note_failed_look(self, error: BaseException, now_s: float) -> None:
        self._roster.plan_look(now_s, failed=True)
        if isinstance(error, LibraryMissing):
            self._roster.next_look_s = now_s + NO_LIBRARY_S
        elif str(error) != self._problem:
            self._note("warning", "discover_failed", f"{self.name}: {error}")
        self._problem = str(error)

    def _note_changes(self, changes: Changes) -> None:
        if self._has_looked:
            for uid in changes.new:
                self._note("info", "device_found", f"{uid} is new", uid)
        for uid in changes.back:
            self._note("info", "device_back", f"{uid} is there again", uid)
        for uid in changes.lost:
            self._note("warning", "device_lost", f"{uid} is no longer listed", uid)

    def _note_complaints(self) -> None:
        """The devices that the look has left out, each fault once."""
        if isinstance(self._source, ComplaintSource):
            complaints = self._source.complaints
            for error in complaints[self._complaints :]:
                self._note("warning", "device_unreadable", str(error))
            self._complaints = len(complaints)

    def _note(self, severity: Severity, code: str, text: str, uid: str = "") -> None:
        log.info("%s: %s", code, text)
        self._events.append(Event(self._wall_ms(), severity, code, text, self.name, uid))
