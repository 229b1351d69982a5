"""Asks every source what is due at a tick, all at once, and hands the readings on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.guard import Holders, Reading
from steelyard_agent.model import DeviceInfo, Entity, Event
from steelyard_agent.sampling.gather import Gatherer
from steelyard_agent.sampling.schedule import Schedule, TickCounts
from steelyard_proto.metrics import MetricClass

# Workers are given this long before anybody waits for them: most are done by then, and one wake-up serves all.
_SETTLE_S: Final = 0.03
# Between the starts of two sources: what reading the kernel's files takes.
_GAP_S: Final = 0.004
# Of a fast period: what a tick waits for its sources at most.
_BUDGET_SHARE: Final = 0.9
# A first look at a vendor's library may take seconds; what it finds later comes in with a later tick.
_FIRST_LOOK_S: Final = 3.0


class Guarded(Protocol):
    """What the sampler uses of a guarded source; see devices/guard.py."""

    @property
    def name(self) -> str:
        """The source's name."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the source describes."""
        ...

    def discover(self, timeout_s: float) -> object:
        """Looks for devices now."""
        ...

    def devices(self) -> Sequence[DeviceInfo]:
        """The devices that are known."""
        ...

    def start_tick(self, metric_classes: Sequence[MetricClass]) -> None:
        """Begins to read."""
        ...

    def collect(self, timeout_s: float) -> list[Reading]:
        """What was read."""
        ...

    def processes(self) -> list[Holders]:
        """Who holds the devices."""
        ...

    def events(self) -> list[Event]:
        """What has happened."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the agent sees it: seconds that never jump, Unix ms, and a pause that says whether to stop."""

    monotonic: Callable[[], float]
    wall_ms: Callable[[], int]
    pause: Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Periods:
    """Milliseconds between ticks by entity and class."""

    of: Mapping[tuple[Entity, MetricClass], int]
    call_deadline_ms: int

    @property
    def shortest_ms(self) -> int:
        """The shortest of all."""
        return min(self.of.values())


@dataclass(slots=True)
class _Plan:
    """One source's deadlines; they are set once its entity is known, with its first look for devices."""

    source: Guarded
    schedules: dict[MetricClass, Schedule] = field(default_factory=dict)


class Sampler:
    """Owns the deadlines of all sources. Used by one thread."""

    def __init__(self, sources: Sequence[Guarded], gatherer: Gatherer, periods: Periods, clock: Clock) -> None:
        self.counts = TickCounts()
        self._gatherer = gatherer
        self._periods = periods
        self._clock = clock
        self._plans = [_Plan(source) for source in sources]
        self._has_looked = False
        budget_s = periods.shortest_ms / 1000 * _BUDGET_SHARE
        self._budget_s = max(budget_s, periods.call_deadline_ms / 1000 + 0.1)
        self._settle_s = min(_SETTLE_S, periods.shortest_ms / 1000 * 0.2)
        self._gap_s = min(_GAP_S, periods.shortest_ms / 1000 * 0.02)

    def look(self) -> None:
        """Looks for devices, the first time that it is called."""
        if not self._has_looked:
            self._has_looked = True
            for plan in self._plans:
                plan.source.discover(_FIRST_LOOK_S)

    def start(self) -> None:
        """Looks for devices and sets the first deadlines to now."""
        self.look()
        now_s = self._clock.monotonic()
        for plan in self._plans:
            entity = plan.source.capabilities.entity
            for (of, metric_class), period_ms in self._periods.of.items():
                if of == entity:
                    plan.schedules[metric_class] = Schedule(period_ms / 1000, now_s, self.counts)

    @property
    def half_tick_s(self) -> float:
        """Half of the shortest time between two ticks."""
        return self._periods.shortest_ms / 2000

    def next_due_s(self) -> float:
        """The next deadline of any source."""
        return min((s.due_s for plan in self._plans for s in plan.schedules.values()), default=float("inf"))

    def tick(self) -> list[Holders]:
        """Reads what is due; returns who holds the devices where that was due."""
        now_s = self._clock.monotonic()
        due = [(plan, classes) for plan in self._plans if (classes := _take(plan, now_s))]
        if not due:
            return []
        ts_ms = self._clock.wall_ms()
        # One after the other, the quick ones first, which the registry lists last: workers that run at once fight over
        # the interpreter's lock at each call, and wake up 50 times where 10 do.
        for plan, classes in reversed(due):
            plan.source.start_tick(classes)
            if plan.source.devices() and plan is not due[0][0]:
                self._clock.pause(self._gap_s)
        self._clock.pause(self._settle_s)
        until_s = now_s + self._budget_s
        holders: list[Holders] = []
        for plan, classes in due:
            readings = plan.source.collect(max(0.0, until_s - self._clock.monotonic()))
            self._hand_on(plan.source, readings, ts_ms)
            if "processes" in classes and plan.source.capabilities.has_processes:
                holders += plan.source.processes()
        return holders

    def events(self) -> list[Event]:
        """What has happened to the sources since the last call, oldest first."""
        found = [event for plan in self._plans for event in plan.source.events()]
        return sorted(found, key=lambda event: event.ts_ms)

    def _hand_on(self, source: Guarded, readings: Sequence[Reading], ts_ms: int) -> None:
        entity = source.capabilities.entity
        by_class: dict[MetricClass, list[Reading]] = {}
        for reading in readings:
            by_class.setdefault(reading[1], []).append(reading)
        for metric_class, group in by_class.items():
            period_ms = self._periods.of[entity, metric_class]
            if entity == "device":
                rows = [(info, values) for info, _, values in group]
                self._gatherer.add_devices(source.name, metric_class, period_ms, ts_ms, rows)
                continue
            for info, _, values in group:
                metrics = info.metrics[metric_class]
                self._gatherer.add_node(entity, metric_class, period_ms, ts_ms, metrics, values)


def _take(plan: _Plan, now_s: float) -> tuple[MetricClass, ...]:
    return tuple(name for name, schedule in plan.schedules.items() if schedule.take(now_s))
