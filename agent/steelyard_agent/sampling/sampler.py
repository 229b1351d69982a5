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

# The sources' thread wakes by itself when a tick is due, and is given this long before anybody looks what it has: it is
# done by then, and one wake-up serves all. No longer: after 30 ms of rest a processor's caches hold nothing of ours any
# more, and the same code takes ten times as long.
_SETTLE_S: Final = 0.008
# Of a fast period: what a tick waits for its sources at most.
_BUDGET_SHARE: Final = 0.9
# A pause may end this much before its time.
_EARLY_S: Final = 0.0005
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

    def start_tick(self, metric_classes: Sequence[MetricClass], at_s: float, again_s: float) -> None:
        """Plans to read at a time, and says when it will be time again."""
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
    """The deadlines of all sources of one entity, known with their first look for devices; and their next tick.

    Attributes:
        due_s: the deadline of the next tick, which is planned already.
        at_s: when that tick begins.
        classes: what is read then.
    """

    schedules: dict[MetricClass, Schedule]
    sources: list[Guarded] = field(default_factory=list)
    due_s: float = float("inf")
    at_s: float = float("inf")
    classes: tuple[MetricClass, ...] = ()


class Sampler:
    """Owns the deadlines of all sources. Used by one thread."""

    def __init__(self, sources: Sequence[Guarded], gatherer: Gatherer, periods: Periods, clock: Clock) -> None:
        self.counts = TickCounts()
        self._gatherer = gatherer
        self._periods = periods
        self._clock = clock
        self._has_looked = False
        budget_s = periods.shortest_ms / 1000 * _BUDGET_SHARE
        self._budget_s = max(budget_s, periods.call_deadline_ms / 1000 + 0.1)
        self._sources = sources
        self._plans: list[_Plan] = []
        self._settle_s = min(_SETTLE_S, periods.shortest_ms / 1000 * 0.2)

    def look(self) -> None:
        """Looks for devices, the first time that it is called."""
        if not self._has_looked:
            self._has_looked = True
            for source in self._sources:
                source.discover(_FIRST_LOOK_S)

    def start(self) -> None:
        """Looks for devices and plans the first ticks for now."""
        self.look()
        now_s = self._clock.monotonic()
        plans: dict[Entity, _Plan] = {}
        for (entity, metric_class), period_ms in self._periods.of.items():
            plan = plans.setdefault(entity, _Plan({}))
            plan.schedules[metric_class] = Schedule(period_ms / 1000, now_s, self.counts)
        for source in self._sources:
            if (of_entity := plans.get(source.capabilities.entity)) is not None:
                of_entity.sources.append(source)
        self._plans = [plan for plan in plans.values() if plan.sources]
        for plan in self._plans:
            self._plan(plan)

    @property
    def half_tick_s(self) -> float:
        """Half of the shortest time between two ticks."""
        return self._periods.shortest_ms / 2000

    def next_due_s(self) -> float:
        """When the next tick of any source can be fetched."""
        return min((plan.at_s for plan in self._plans), default=float("inf")) + self._settle_s

    def tick(self) -> list[Holders]:
        """Fetches what was due and plans what is next; returns who holds the devices where that was due."""
        now_s = self._clock.monotonic()
        due = [plan for plan in self._plans if plan.at_s + self._settle_s <= now_s + _EARLY_S]
        if not due:
            return []
        # The time that the reading began, not this one.
        at_s = min(plan.at_s for plan in due)
        ts_ms = self._clock.wall_ms() - round((now_s - at_s) * 1000)
        until_s = at_s + self._settle_s + self._budget_s
        holders: list[Holders] = []
        for plan in due:
            classes = plan.classes
            found = [(one, one.collect(max(0.0, until_s - self._clock.monotonic()))) for one in plan.sources]
            for metric_class in classes:
                plan.schedules[metric_class].take(max(plan.due_s, now_s - self._settle_s))
            self._plan(plan)
            for source, readings in found:
                self._hand_on(source, readings, ts_ms)
                if "processes" in classes and source.capabilities.has_processes:
                    holders += source.processes()
        return holders

    def _plan(self, plan: _Plan) -> None:
        plan.due_s = min(schedule.due_s for schedule in plan.schedules.values())
        plan.at_s = max(plan.due_s, self._clock.monotonic())
        plan.classes = tuple(name for name, schedule in plan.schedules.items() if schedule.due_s <= plan.due_s)
        again_s = min(s.due_s + (s.period_s if name in plan.classes else 0.0) for name, s in plan.schedules.items())
        for source in plan.sources:
            source.start_tick(plan.classes, plan.at_s, again_s)

    def events(self) -> list[Event]:
        """What has happened to the sources since the last call, oldest first."""
        found = [event for source in self._sources for event in source.events()]
        return sorted(found, key=lambda event: event.ts_ms)

    def _hand_on(self, source: Guarded, readings: Sequence[Reading], ts_ms: int) -> None:
        if not readings:
            return
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
