"""A source's calls: what is to be called, together, and what came of it."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from steelyard_proto.errors import DeviceError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        uid: the device; empty where the source as a whole is asked.
        what: a word for what is asked, unique among the calls of a device in one errand.
        ask: makes the call.
        deadline_s: how long the call may take.
    """

    uid: str
    what: str
    ask: Callable[[], object]
    deadline_s: float


class Outcome(NamedTuple):
    """What came of a call, and how long it took."""

    call: Call
    seconds: float
    value: object = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Errand:
    """Calls that are handed over together, and what has come of them.

    Attributes:
        plan: lists the calls when the errand begins; None once it has.
        at_s: when to begin.
        again_s: when the next errand is expected to begin, so that a thread is awake then.
        is_poll: its calls read what a poll reads: the next poll is due a period after it.
        is_long: its calls may take long, and nothing else is to wait for them.
    """

    calls: deque[Call] = field(default_factory=deque)
    plan: Callable[[], Iterable[Call]] | None = None
    at_s: float = 0.0
    again_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    is_poll: bool = False
    is_long: bool = False
    is_running: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.plan is None and not self.calls and not self.is_running

    def begin(self) -> None:
        """Lists the calls, the first time."""
        plan, self.plan = self.plan, None
        if plan is not None:
            self.calls.extend(plan())

    def cancel(self) -> None:
        """Leaves out all that has not begun."""
        self.plan = None
        self.calls.clear()

    def drop(self, uid: str) -> None:
        """Leaves out what is still to be called for a device."""
        self.calls = deque(call for call in self.calls if call.uid != uid)


class Watcher(Protocol):
    """Who is told what happens; all of it with the crew's lock held."""

    def finished(self, errand: Errand | None, outcome: Outcome) -> None:
        """A call ended in time; a poll is of no errand."""

    def hangs(self, call: Call) -> None:
        """A call outlived its deadline, and its thread is left behind."""

    def returned(self, outcome: Outcome) -> None:
        """A call that had been left behind has ended after all."""


def attempt(call: Call, monotonic: Callable[[], float]) -> Outcome:
    """Makes a call, whatever it raises."""
    started_s = monotonic()
    try:
        value = call.ask()
    except DeviceError as error:
        return Outcome(call, monotonic() - started_s, error=error)
    except BaseException as error:
        # Also one that would end the thread, which then looked as if it hung.
        log.warning("%s %s failed", call.uid, call.what, exc_info=True)
        return Outcome(call, monotonic() - started_s, error=error)
    return Outcome(call, monotonic() - started_s, value=value)
