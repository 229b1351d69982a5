"""The sampling thread's loop: tick, gather, flush, until it is told to stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.model import Event
from steelyard_agent.sampling.gather import Gatherer
from steelyard_agent.sampling.holders import Follower, Sighting
from steelyard_agent.sampling.records import event_rows
from steelyard_agent.sampling.sampler import Clock, Sampler
from steelyard_agent.sampling.schedule import Schedule
from steelyard_agent.self_metrics import METRICS, Observed, SelfMetrics
from steelyard_agent.training.watch import Teller
from steelyard_proto.v1 import batch_pb2

# With nothing to sample the agent still has its own figures to tell.
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """The agent's figures about itself: what its parts tell, and how often that is taken."""

    observe: Callable[[], Observed]
    period_ms: int


class SamplingLoop:
    """Everything that happens at a tick."""

    def __init__(
        self,
        sampler: Sampler,
        gatherer: Gatherer,
        clock: Clock,
        *,
        flush_ms: Callable[[], int],
        on_flush: Callable[[], None] = lambda: None,
        own: OwnFigures | None = None,
        follower: Follower | None = None,
        teller: Teller | None = None,
    ) -> None:
        """Wires a loop.

        Args:
            sampler: asks the sources.
            gatherer: takes what they say.
            clock: time, and the pause between ticks.
            flush_ms: how long to gather, asked anew at each tick.
            on_flush: called when the spool has something new.
            own: the agent's own figures; None to leave them out.
            follower: makes rows of who holds the devices; None to leave them out.
            teller: tells of training processes' steps; None to leave them out.
        """
        self._sampler = sampler
        self._gatherer = gatherer
        self._clock = clock
        self._flush_ms = flush_ms
        self._on_flush = on_flush
        self._own = own
        self._self_metrics = SelfMetrics()
        self._follower = follower
        self._teller = teller
        self._own_schedule: Schedule | None = None
        self._flushed_s = 0.0

    def run(self) -> None:
        """Ticks until the pause says to stop, then spools what was gathered."""
        self._sampler.start()
        self._flushed_s = self._clock.monotonic()
        if self._own is not None:
            self._own_schedule = Schedule(self._own.period_ms / 1000, self._flushed_s, self._sampler.counts)
        try:
            while not self._clock.pause(self._left_s()):
                self._tick()
        finally:
            self._gatherer.flush()
            self._on_flush()

    def _left_s(self) -> float:
        next_s = self._sampler.next_due_s()
        if self._own_schedule is not None:
            # They wait for the tick that follows, if one does soon, rather than wake the agent for themselves.
            next_s = min(next_s, self._own_schedule.due_s + self._sampler.half_tick_s)
        return min(_LONGEST_PAUSE_S, max(0.0, next_s - self._clock.monotonic()))

    def _tick(self) -> None:
        holders = self._sampler.tick()
        if holders and self._follower is not None:
            self._put_sighting(self._follower.see(self._clock.wall_ms(), holders, self._gatherer.key_of))
        self._take_own()
        events = self._sampler.events()
        if self._teller is not None:
            if holders:
                self._teller.look(holders)
            events = sorted([*events, *self._take_told(self._teller)], key=lambda event: event.ts_ms)
        if events:
            self._gatherer.put_records(batch_pb2.KIND_EVENT, event_rows(events, self._gatherer.find_key))
            # An event doesn't wait for samples.
            self._on_flush()
        now_s = self._clock.monotonic()
        # Half a tick early counts as due: else a 5 s flush of 1 s ticks would wander between 5 and 6 s.
        if now_s - self._flushed_s >= self._flush_ms() / 1000 - self._sampler.half_tick_s:
            self._gatherer.flush()
            self._flushed_s = now_s
            self._on_flush()

    def _put_sighting(self, seen: Sighting) -> None:
        self._gatherer.put_records(batch_pb2.KIND_PROCESS, seen.processes)
        self._gatherer.put_records(batch_pb2.KIND_JOB_INTERVAL, seen.intervals)

    def _take_told(self, teller: Teller) -> Sequence[Event]:
        told = teller.take(self._clock.wall_ms(), self._gatherer.key_of)
        for kind, rows in (
            (batch_pb2.KIND_STEP, told.steps),
            (batch_pb2.KIND_TRAINING, told.trainings),
            (batch_pb2.KIND_PROFILE, told.profiles),
            (batch_pb2.KIND_PROFILE_ROW, told.profile_rows),
            (batch_pb2.KIND_STACK, told.stacks),
        ):
            if rows:
                self._gatherer.put_records(kind, rows)
        return told.events

    def _take_own(self) -> None:
        if self._own is None or self._own_schedule is None or not self._own_schedule.take(self._clock.monotonic()):
            return
        values = self._self_metrics.values(self._own.observe())
        self._gatherer.add_node("agent", "slow", self._own.period_ms, self._clock.wall_ms(), METRICS, values)
