"""The thread that makes a source's calls, and its replacement while a call hangs.

A call can't be cut off, so a thread whose call outlives its deadline is left behind: it ends when its call does,
its outcome is not used, and a new thread goes on with what is left. Threads are daemons: none holds up the exit.

A job may be planned ahead, and then the thread wakes for it by itself: to be woken by another thread costs both of
them more than a device's calls do.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from steelyard_proto.errors import DeviceError

log = logging.getLogger(__name__)

MAX_ABANDONED: Final = 8
_NEVER: Final = float("inf")
# A job that is waited for and has not begun is looked at so often: its first call may hang.
_LOOK_S: Final = 0.1


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
        again_s: when the next job is expected to begin, so that the thread is awake then.
        is_poll: its calls read what a poll reads: the next poll is due a period after it.
    """

    steps: deque[Step] = field(default_factory=deque)
    make: Callable[[], Iterable[Step]] | None = None
    at_s: float = 0.0
    again_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    is_poll: bool = False
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


@dataclass(slots=True, eq=False)
class _Hand:
    """One thread: what it is at, since when, and whether it was left behind."""

    current: Step | None = None
    job: Job | None = None
    started_s: float = 0.0
    is_abandoned: bool = False


class Crew:
    """One worker thread at a time; `lock` guards everything that a watcher keeps too.

    Attributes:
        poll_period_s: time between rounds of polls; None for no polls.
        polls: what to call between jobs.
        polled: polls that went well.
        polled_s: time that they took.
    """

    def __init__(
        self,
        name: str,
        *,
        watcher: Watcher,
        monotonic: Callable[[], float],
        max_abandoned: int = MAX_ABANDONED,
    ) -> None:
        self.lock = threading.Lock()
        self.poll_period_s: float | None = None
        self.polls: Sequence[Step] = ()
        self.polled = 0
        self.polled_s = 0.0
        self.is_stopped = False
        self._name = name
        self._watcher = watcher
        self._monotonic = monotonic
        self._max_abandoned = max_abandoned
        # A bare lock as a bell, which the thread waits for: a condition costs it half as much again at each tick.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_waiting = False
        self._done = threading.Condition(self.lock)
        self._queue: deque[Job] = deque()
        self._hand: _Hand | None = None
        self._left_behind: set[_Hand] = set()
        self._next_poll_s = 0.0
        # When the first of the jobs in the queue begins.
        self._due_s = _NEVER
        # When the thread, if it waits, is going to wake by itself.
        self._wakes_s = _NEVER
        self._again_s = 0.0
        self._threads = 0

    def hangs_for_s(self) -> list[float]:
        """How long each call has hung that does."""
        if not self._left_behind:
            return []
        with self.lock:
            return [self._monotonic() - hand.started_s for hand in self._left_behind]

    def submit(self, job: Job) -> None:
        """Hands a job over; the thread begins with the first call when it is time."""
        with self.lock:
            # Before the look at what hangs: that device is left out of this job too.
            self._queue.append(job)
            self._due_s = min(self._due_s, job.at_s)
            self._replace_if_overdue()
            if self.is_stopped:
                job.cancel()
                return
            self._again_s = job.again_s or self._again_s
            if self._hand is None:
                self._start_hand()
            elif job.at_s < self._wakes_s:
                self._ring()

    def wait(self, job: Job, until_s: float, *, cancel: bool = True) -> None:
        """Waits for a job, leaving behind a thread that hangs; `cancel` drops what hasn't begun by then."""
        with self.lock:
            while not job.is_done:
                self._replace_if_overdue()
                now_s = self._monotonic()
                if now_s >= until_s:
                    break
                self._done.wait(max(0.001, min(until_s, self._overdue_s(job)) - now_s))
            if cancel:
                job.cancel()

    def stop(self) -> None:
        """Lets the thread end once it is idle."""
        with self.lock:
            self._end()

    def _overdue_s(self, job: Job) -> float:
        hand = self._hand
        if hand is not None and hand.current is not None:
            return hand.started_s + hand.current.deadline_s
        return self._monotonic() + (job.steps[0].deadline_s if job.steps else _LOOK_S)

    def _replace_if_overdue(self) -> None:
        hand = self._hand
        if hand is None or hand.current is None:
            return
        step = hand.current
        if self._monotonic() < hand.started_s + step.deadline_s:
            return
        hand.is_abandoned = True
        self._left_behind.add(hand)
        for job in self._queue:
            job.drop(step.uid)
        if hand.job is not None:
            hand.job.is_running = False
            hand.job.drop(step.uid)
        self._watcher.hangs(step)
        if len(self._left_behind) >= self._max_abandoned:
            self._end()
        else:
            self._start_hand()

    def _end(self) -> None:
        self.is_stopped = True
        for job in self._queue:
            job.cancel()
        self._hand = None
        self._ring()
        self._done.notify_all()

    def _start_hand(self) -> None:
        self._hand = hand = _Hand()
        self._threads += 1
        threading.Thread(target=self._run, args=(hand,), name=f"{self._name}-{self._threads}", daemon=True).start()

    def _run(self, hand: _Hand) -> None:
        with self.lock:
            step = self._next(hand)
        while step is not None:
            outcome = attempt(step, self._monotonic)
            with self.lock:
                hand.current = None
                if hand.is_abandoned:
                    self._left_behind.discard(hand)
                    self._watcher.returned(outcome)
                    return
                job, hand.job = hand.job, None
                if job is not None:
                    self._finish(job, outcome)
                # What it is at comes first, without a look at what else there is.
                step = self._begin(hand, job) if job is not None and job.steps else self._next(hand)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        job.is_running = False
        job.outcomes.append(outcome)
        self._watcher.finished(job, outcome)
        if not job.steps:
            self._done.notify_all()

    def _next(self, hand: _Hand) -> Step | None:
        while not self.is_stopped:
            now_s = self._monotonic()
            if now_s >= self._due_s and (job := self._due_job(now_s)) is not None:
                return self._begin(hand, job)
            if self.poll_period_s is None or now_s < self._next_poll_s:
                self._wait(now_s)
            elif not self._poll(hand, self.poll_period_s, now_s):
                return None
        return None

    def _due_job(self, now_s: float) -> Job | None:
        for job in list(self._queue):
            if job.at_s > now_s:
                continue
            job.begin()
            if job.steps:
                if job.is_poll and self.poll_period_s is not None:
                    self._next_poll_s = now_s + self.poll_period_s
                return job
            self._queue.remove(job)
            if job.is_done:
                self._done.notify_all()
        self._due_s = min((job.at_s for job in self._queue), default=_NEVER)
        return None

    def _wait(self, now_s: float) -> None:
        wakes_s = self._due_s
        if now_s < self._again_s < wakes_s:
            wakes_s = self._again_s
        if self.poll_period_s is not None and self._next_poll_s < wakes_s:
            wakes_s = self._next_poll_s
        self._wakes_s = wakes_s
        self._is_waiting = True
        self.lock.release()
        try:
            is_rung = self._bell.acquire(timeout=-1 if wakes_s == _NEVER else max(0.0, wakes_s - now_s))
        finally:
            self.lock.acquire()
        if not is_rung and not self._is_waiting:
            # It rang just after the time was over.
            self._bell.acquire()
        self._is_waiting = False
        self._wakes_s = _NEVER

    def _ring(self) -> None:
        # There is one thread at most that waits: one that is left behind is in its call.
        if self._is_waiting:
            self._is_waiting = False
            self._bell.release()

    def _begin(self, hand: _Hand, job: Job) -> Step:
        hand.current = step = job.steps.popleft()
        hand.job = job
        hand.started_s = self._monotonic()
        job.is_running = True
        return step

    def _poll(self, hand: _Hand, period_s: float, now_s: float) -> bool:
        """Makes the polls that are due; ten rounds a second pay for each line. False if left behind."""
        # A poll that is late is left out, never caught up in a burst.
        next_s = self._next_poll_s + period_s
        self._next_poll_s = next_s if next_s > now_s else now_s + period_s
        started_s = now_s
        for step in self.polls:
            error: BaseException | None = None
            hand.current = step
            hand.started_s = started_s
            self.lock.release()
            try:
                step.call()
            except DeviceError as raised:
                error = raised
            except BaseException as raised:
                log.warning("%s %s failed", step.uid, step.what, exc_info=True)
                error = raised
            ended_s = self._monotonic()
            self.lock.acquire()
            hand.current = None
            if error is not None or hand.is_abandoned:
                outcome = Outcome(step, ended_s - started_s, error=error)
                if hand.is_abandoned:
                    self._left_behind.discard(hand)
                    self._watcher.returned(outcome)
                    return False
                self._watcher.finished(None, outcome)
            else:
                self.polled += 1
                self.polled_s += ended_s - started_s
            started_s = ended_s
            if self.is_stopped:
                break
        return True


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
