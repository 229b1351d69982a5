"""A guarded source that goes on in a process of its own where too much of it hangs in the agent's.

What a process of its own takes is loaded and started then, and not before. The source stays there until the agent
ends: its calls that hang here may never end.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from steelyard_agent.devices.base import Capabilities, Source
from steelyard_agent.devices.crew import Crew
from steelyard_agent.devices.guard import GuardedSource, Holders, Reading
from steelyard_agent.devices.registry import SourceRequest
from steelyard_agent.devices.tally import GuardStats, added
from steelyard_agent.model import DeviceInfo, Event
from steelyard_proto.metrics import MetricClass

if TYPE_CHECKING:
    from steelyard_agent.devices.outside import OutsideSource

log = logging.getLogger(__name__)


class MovingSource:
    """Has the face of a guarded source. `start_tick` and `collect` are called by one thread, which lives longest."""

    def __init__(
        self,
        source: Source,
        request: SourceRequest,
        *,
        deadline_s: float,
        monotonic: Callable[[], float],
        wall_ms: Callable[[], int],
        crew: Crew | None = None,
    ) -> None:
        """Wraps a source; nothing is called yet.

        Args:
            source: the source; from now on only its guard calls it.
            request: how another process makes the same source.
            deadline_s: how long one call for one device may take.
            monotonic: seconds that never jump.
            wall_ms: Unix time for events, in ms.
            crew: the threads that make the calls; its own by default.
        """
        self._here = GuardedSource(source, deadline_s=deadline_s, monotonic=monotonic, wall_ms=wall_ms, crew=crew)
        self._outside: OutsideSource | None = None
        self._request = request
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._events: list[Event] = []
        self._is_left = False

    @property
    def name(self) -> str:
        """The source's name."""
        return self._here.name

    @property
    def capabilities(self) -> Capabilities:
        """The source's capabilities; known once a look for devices has ended."""
        return self._now.capabilities

    @property
    def _now(self) -> "GuardedSource | OutsideSource":
        return self._outside or self._here

    def discover(self, timeout_s: float) -> Sequence[DeviceInfo]:
        """Looks for devices now and waits for it; ticks do this by themselves when it is due."""
        return self._here.discover(timeout_s)

    def devices(self) -> Sequence[DeviceInfo]:
        """Every device known so far, also the missing ones, in the order of their discovery."""
        return self._now.devices()

    def start_tick(self, metric_classes: Iterable[MetricClass], at_s: float = 0.0, again_s: float = 0.0) -> None:
        """Plans the work of one tick; `collect` fetches what came of it."""
        if self._outside is None and (why := self._here.why_spent()):
            self._outside = self._move(why)
        elif self._outside is not None and not self._is_left and not self._here.hangs_for_s():
            # What hung here has returned: the library is given back, in a thread, for that may hang too.
            self._is_left = True
            threading.Thread(target=self._here.close, name=f"{self.name}-close", daemon=True).start()
        self._now.start_tick(metric_classes, at_s, again_s)

    def collect(self, timeout_s: float) -> list[Reading]:
        """Waits for the tick, at most so long; every known device appears with every class that was asked for."""
        return self._now.collect(timeout_s)

    def processes(self) -> list[Holders]:
        """Who held each device at the last tick of the class `processes`."""
        return self._now.processes()

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        return events + self._now.events()

    def stats(self) -> GuardStats:
        """The counts so far, of both."""
        here = self._here.stats()
        return here if self._outside is None else added(replace(here, quarantined=0), self._outside.stats())

    def close(self) -> None:
        """Closes the source, within a second."""
        self._now.close()

    def _move(self, why: str) -> "OutsideSource":
        # Imported here: an agent whose devices are well does without.
        from steelyard_agent.devices.channel import Task
        from steelyard_agent.devices.outside import OutsideSource
        from steelyard_agent.devices.outside_known import Known

        here, request = self._here, self._request
        text = f"{why}; {here.name} goes on in a process of its own"
        log.info("source_moved: %s", text)
        # The source itself stays open as long: to close a library under calls that hang in it could end the agent.
        self._events = [*here.events(), Event(self._wall_ms(), "error", "source_moved", text, here.name)]
        task = Task(request.name, request.node, request.argument, self._deadline_s)
        known = Known(here.name, here.capabilities, {i.uid: i for i in here.devices()}, set(here.missing()))
        return OutsideSource(task, known, monotonic=self._monotonic, wall_ms=self._wall_ms)
