"""A source's calls: what is to be called, together, and what came of it."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from steelyard_proto.errors import DeviceError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    Attributes:
        uid: the device; empty where the source as a whole is asked.
        what: a word for what is called, unique among the steps of a device in one job.
        deadline_s: how long the call may take.
    """

    uid: str
    what: str
    call: Callable[[], object]
    deadline_s: float


class Outcome(NamedTuple):
    """What came of a step, and how long it took."""

    step: Step
    seconds: float
    value: object = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Job:
    """Steps that are handed over together, and what has come of them.

    Attributes:
        make: gives the steps when the job begins; None once it has.
        at_s: when to begin.
        again_s: when the next job is expected to begin, so that a thread is awake then.
        is_poll: its calls read what a poll reads: the next poll is due a period after it.
        is_long: its calls may take long, and nothing else is to wait for them.
    """

    steps: deque[Step] = field(default_factory=deque)
    make: Callable[[], Iterable[Step]] | None = None
    at_s: float = 0.0
    again_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    is_poll: bool = False
    is_long: bool = False
    is_running: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.make is None and not self.steps and not self.is_running

    def begin(self) -> None:
        """Makes the steps, the first time."""
        make, self.make = self.make, None
        if make is not None:
            self.steps.extend(make())

    def cancel(self) -> None:
        """Leaves out all that has not begun."""
        self.make = None
        self.steps.clear()

    def drop(self, uid: str) -> None:
        """Leaves out what is still to be called for a device."""
        self.steps = deque(step for step in self.steps if step.uid != uid)


class Watcher(Protocol):
    """Who is told what happens; all of it with the crew's lock held."""

    def finished(self, job: Job | None, outcome: Outcome) -> None:
        """A call ended in time; a poll is of no job."""

    def hangs(self, step: Step) -> None:
        """A call outlived its deadline, and its thread is left behind."""

    def returned(self, outcome: Outcome) -> None:
        """A call that had been left behind has ended after all."""


def attempt(step: Step, monotonic: Callable[[], float]) -> Outcome:
    """Makes a call, whatever it raises."""
    started_s = monotonic()
    try:
        value = step.call()
    except DeviceError as error:
        return Outcome(step, monotonic() - started_s, error=error)
    except BaseException as error:
        # Also one that would end the thread, which then looked as if it hung.
        log.warning("%s %s failed", step.uid, step.what, exc_info=True)
        return Outcome(step, monotonic() - started_s, error=error)
    return Outcome(step, monotonic() - started_s, value=value)
