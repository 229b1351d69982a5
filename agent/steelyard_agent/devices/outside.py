"""A source in a process of its own, which is asked by the tick, and ended and started again where it doesn't answer.

The agent's thread waits for a report and no longer than for any source. What the source has told so far outlives its
processes: a device is known until the agent ends, and absent with the reason while nobody can read it.
"""

import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from steelyard_agent.devices.absence import ITS_PROCESS, NOT_READ
from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.channel import Channel, Report, Task, Tick
from steelyard_agent.devices.crew import MAX_ABANDONED
from steelyard_agent.devices.guard import MAX_EVENTS, Holders, Reading, Severity
from steelyard_agent.devices.outside_known import Known
from steelyard_agent.devices.tally import NO_STATS, GuardStats, Tally, added
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Value
from steelyard_proto.metrics import MetricClass

log = logging.getLogger(__name__)

PROGRAM: Final = (sys.executable, "-P", "-m", "steelyard_agent.devices.child")
# A report is there within a tick; a process that starts while the node is busy may take this long.
_SILENT_S: Final = 15.0
_FIRST_BACKOFF_S: Final = 2.0
_LAST_BACKOFF_S: Final = 600.0
# A device that hangs for so long is tried in a new process, at first; then ever less often, for each try costs the
# others a tick or two.
_FIRST_PATIENCE_S: Final = 60.0
_LAST_PATIENCE_S: Final = 3600.0
# A process that has been well for so long is forgiven what its forerunners did.
_WELL_S: Final = 300.0
_CLOSE_S: Final = 0.7
_REAP_S: Final = 0.1
_UNKILLABLE_S: Final = 5.0
_STARTS: Final = f"{ITS_PROCESS} is being started"


class Child(Protocol):
    """One process."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def channel(self) -> Channel:
        """The way to it."""
        ...

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, less than 0 for a signal; None if it is still there after so long."""
        ...

    def kill(self) -> None:
        """Asks the kernel to end it, without waiting."""
        ...


class ChildProcess:
    """A real one. It is to be started by the thread that lives longest: it ends when that thread does."""

    def __init__(self, task: Task, program: Sequence[str] = PROGRAM) -> None:
        """Starts it.

        Raises:
            OSError: that isn't possible now.
        """
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [*program, str(theirs.fileno()), str(os.getpid()), task.name],
                    stdin=subprocess.DEVNULL,
                    # A vendor's library may talk; the agent's own output may be data.
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                )
            self.channel.send(task, 0.0)
        except OSError:
            self.channel.close()
            raise

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code; None if it is still there after so long."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it, unless it is in the kernel's uninterruptible sleep."""
        self._process.kill()


@dataclass(slots=True)
class _Killed:
    """A process that was killed and isn't gone yet."""

    child: Child
    since_s: float
    is_told: bool = False


class OutsideSource:
    """Has the same face as a guarded source. Used by one thread, which must be the one that lives longest."""

    def __init__(
        self,
        task: Task,
        known: Known,
        *,
        monotonic: Callable[[], float],
        wall_ms: Callable[[], int],
        start: Callable[[Task], Child] = ChildProcess,
    ) -> None:
        """Nothing is started before the first tick.

        Args:
            task: which source.
            known: what the agent's own process knew of it.
            monotonic: seconds that never jump.
            wall_ms: Unix time for events, in ms.
            start: makes a process.
        """
        self._task = task
        self._known = known
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._start_child = start
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._tally = Tally()
        # The counts of processes that have ended, and of the one that is there.
        self._past = self._present = NO_STATS
        self._child: Child | None = None
        self._left_behind: list[_Killed] = []
        self._why = _STARTS
        self._begun_s = self._asked_s = 0.0
        self._start_s = float("-inf")
        self._backoff_s = _FIRST_BACKOFF_S
        self._patience_s = _FIRST_PATIENCE_S
        self._number = 0
        self._is_owed = False
        self._report: Report | None = None
        self._classes: tuple[MetricClass, ...] = ()

    @property
    def capabilities(self) -> Capabilities:
        """The source's capabilities."""
        return self._known.capabilities

    def devices(self) -> list[DeviceInfo]:
        """Every device known so far, also the missing ones."""
        return list(self._known.devices.values())

    def start_tick(self, metric_classes: Iterable[MetricClass], at_s: float, again_s: float) -> None:
        """Asks for a tick, of a new process where there is none and it is time for one."""
        self._classes = tuple(metric_classes)
        self._reap()
        self._take(0.0)
        now_s = self._monotonic()
        if self._is_owed and now_s - self._asked_s >= _SILENT_S:
            self._end(f"has not answered for {_SILENT_S:.0f} s")
        if self._child is None and now_s >= self._start_s:
            self._begin(now_s)
        # A report that comes after its own tick is told apart by its number.
        self._number += 1
        if self._child is None or self._is_owed:
            return
        tick = Tick(self._number, self._classes, max(0.0, at_s - now_s), max(0.0, again_s - now_s))
        self._asked_s = now_s
        try:
            self._child.channel.send(tick, 0.0)
            self._is_owed = True
        except OSError:
            self._end(self._how_it_ended(self._child))

    def collect(self, timeout_s: float) -> list[Reading]:
        """Waits for the tick, at most so long; every known device appears with every class that was asked for."""
        self._report = None
        self._take(timeout_s)
        told: Mapping[tuple[str, MetricClass], Sequence[Value]] = self._report.values if self._report else {}
        readings: list[Reading] = []
        for info in self._known.devices.values():
            for metric_class in self._classes:
                if ids := info.metrics.get(metric_class):
                    values = told.get((info.uid, metric_class), ())
                    if len(values) != len(ids):
                        values = (Absent(self._why_missing(info.uid)),) * len(ids)
                    self._tally.note_values(values)
                    readings.append((info, metric_class, values))
        return readings

    def processes(self) -> list[Holders]:
        """Who held each device at the last tick of the class `processes`."""
        if not self.capabilities.has_processes:
            return []
        told: Mapping[str, Sequence[DeviceProcess] | Absent] = self._report.holders if self._report else {}
        return [
            (info, told.get(info.uid, Absent(self._why_missing(info.uid)))) for info in self._known.devices.values()
        ]

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        events = list(self._events)
        self._events.clear()
        return events

    def stats(self) -> GuardStats:
        """The counts so far, of all its processes."""
        own = replace(
            NO_STATS,
            # Without a process none can be asked.
            quarantined=0 if self._child else len(self._known.devices),
            absences=self._tally.absences,
            absences_by_reason=dict(self._tally.by_reason),
            abandoned=len(self._left_behind),
        )
        return added(own, self._past, self._present if self._child else replace(NO_STATS, problem=self._why))

    def close(self) -> None:
        """Ends its process, within a second."""
        child, self._child = self._child, None
        if child is None:
            return
        child.channel.close()
        if child.wait(_CLOSE_S) is None:
            child.kill()
            child.wait(_REAP_S)

    # Its process.

    def _begin(self, now_s: float) -> None:
        if len(self._left_behind) >= MAX_ABANDONED:
            self._why = f"{ITS_PROCESS} is one of {len(self._left_behind)} that can't be ended"
            return
        try:
            self._child = self._start_child(self._task)
        except OSError as error:
            self._plan(f"can't be started: {error.strerror}", now_s)
            return
        self._why, self._begun_s, self._is_owed = _STARTS, now_s, False
        self._known.begin()
        log.info("%s is asked from process %d", self._task.name, self._child.pid)

    def _how_it_ended(self, child: Child) -> str:
        code = child.wait(_REAP_S)
        if code is None:
            return "has closed its end"
        return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"

    def _end(self, why: str, *, at_once: bool = False) -> None:
        child, self._child = self._child, None
        assert child is not None
        self._is_owed = False
        child.channel.close()
        now_s = self._monotonic()
        if child.wait(0.0) is None:
            child.kill()
            self._left_behind.append(_Killed(child, now_s))
        self._past = added(self._past, replace(self._present, quarantined=0, abandoned=0, problem=""))
        self._present = NO_STATS
        if at_once:
            self._start_s = now_s
            self._note("warning", "source_process_ended", f"{self._task.name}: its process {why}; another is started")
            self._why = _STARTS
            return
        if now_s - self._begun_s >= _WELL_S:
            self._backoff_s = _FIRST_BACKOFF_S
        self._plan(why, now_s)

    def _plan(self, why: str, now_s: float) -> None:
        """Sets when the next process is started."""
        self._why = f"{ITS_PROCESS} {why}"
        self._start_s = now_s + self._backoff_s
        text = f"{self._task.name}: {self._why}; another is started in {self._backoff_s:.0f} s"
        self._note("warning", "source_process_ended", text)
        self._backoff_s = min(self._backoff_s * 2, _LAST_BACKOFF_S)

    def _reap(self) -> None:
        """Looks which of the killed ones are gone."""
        if not self._left_behind:
            return
        self._left_behind = [killed for killed in self._left_behind if killed.child.wait(0.0) is None]
        for killed in self._left_behind:
            if not killed.is_told and self._monotonic() - killed.since_s >= _UNKILLABLE_S:
                killed.is_told = True
                text = f"{self._task.name}: its process {killed.child.pid} can't be ended: it sleeps in the driver"
                self._note("error", "source_process_stuck", text)

    # What it says.

    def _take(self, timeout_s: float) -> None:
        """Waits for the report that is owed."""
        child = self._child
        if child is None or not self._is_owed:
            return
        try:
            report = child.channel.receive(timeout_s)
        except ConnectionAbortedError as error:
            self._end(f"is ended: {error}")
            return
        except OSError:
            self._end(self._how_it_ended(child))
            return
        if report is None:
            return
        if not isinstance(report, Report):
            self._end("is ended: it gives no report")
            return
        self._is_owed = False
        self._report = report if report.number == self._number else None
        self._present = report.stats
        self._events.extend(self._known.take(report, self._wall_ms))
        self._mind_hangs(report.hangs_for_s)

    def _mind_hangs(self, hangs_for_s: float) -> None:
        """A device that hangs comes back in a new process only, if its call never ends."""
        if hangs_for_s >= self._patience_s:
            self._patience_s = min(self._patience_s * 2, _LAST_PATIENCE_S)
            self._end(f"has had a call hanging for {hangs_for_s:.0f} s", at_once=True)
        elif not hangs_for_s and self._monotonic() - self._begun_s >= _WELL_S:
            self._patience_s = _FIRST_PATIENCE_S

    def _why_missing(self, uid: str) -> str:
        if self._child is None or self._known.listed is None:
            return self._why
        return NOT_READ if uid in self._known.listed else "lost: no longer listed"

    def _note(self, severity: Severity, code: str, text: str) -> None:
        log.info("%s: %s", code, text)
        self._events.append(Event(self._wall_ms(), severity, code, text, self._task.name))
