"""The threads that make the sources' calls: one for all of them as long as they are quick.

A source is a lane: its calls are made one after the other, never two at once. One thread waits for what is due next in
any lane and goes through all that is, the quickest first: to wake a thread for each source costs more than their calls
do. Where a lane is known to be slow, or a call turns out to be, another thread waits for the others meanwhile.

A call can't be cut off, so a thread whose call outlives its deadline is left behind: it ends when its call does, its
outcome is not used, and another goes on with what is left. Threads are daemons: none holds up the exit.

An errand may be planned ahead, and then the thread wakes for it by itself: to be woken by another thread costs both of
them more than a device's calls do.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.devices.errand import Call, Errand, Outcome, Watcher, attempt
from steelyard_proto.errors import DeviceError

log = logging.getLogger(__name__)

MAX_ABANDONED: Final = 8
_NEVER: Final = float("inf")
# An errand that is waited for and has not begun is looked at so often: its first call may hang.
_LOOK_S: Final = 0.1
# What takes longer is slow: the others don't wait for it.
_QUICK_S: Final = 0.01
# A thread that nothing was left for ends after so long; a slow source needs it again at the next tick.
_IDLE_S: Final = 5.0


@dataclass(slots=True, eq=False)
class _Hand:
    """One thread: what it is at, since when, and whether it was left behind.

    Attributes:
        bell: what it waits for; a bare lock, for a condition costs half as much again at each tick.
    """

    bell: threading.Lock = field(default_factory=threading.Lock)
    is_waiting: bool = False
    current: Call | None = None
    errand: Errand | None = None
    started_s: float = 0.0
    is_abandoned: bool = False


@dataclass(slots=True, eq=False)
class Lane:
    """One source's calls; all of it is guarded by the crew's lock.

    Attributes:
        watcher: who is told.
        max_abandoned: threads left behind at which no call is made any more.
        polls: what to call between errands.
        poll_period_s: time between rounds of polls; None for no polls.
        polled: polls that went well.
        polled_s: time that they took.
        is_stopped: no call is made any more.
    """

    watcher: Watcher
    max_abandoned: int = MAX_ABANDONED
    polls: Sequence[Call] = ()
    poll_period_s: float | None = None
    polled: int = 0
    polled_s: float = 0.0
    is_stopped: bool = False
    # The errands, when the first of them begins, and when the one after them is expected.
    queue: deque[Errand] = field(default_factory=deque)
    due_s: float = _NEVER
    again_s: float = 0.0
    next_poll_s: float = 0.0
    # When a thread is to look at all this.
    next_s: float = _NEVER
    # The thread that is at it, and those whose calls hang.
    hand: _Hand | None = None
    left_behind: set[_Hand] = field(default_factory=set)
    # How long the last planned errand took.
    took_s: float = 0.0

    def plan(self, now_s: float) -> None:
        """Finds out when there is something to do here next."""
        next_s = self.due_s
        if now_s < self.again_s < next_s:
            next_s = self.again_s
        if self.poll_period_s is not None and self.next_poll_s < next_s:
            next_s = self.next_poll_s
        self.next_s = next_s

    def take_errand(self, now_s: float) -> Errand | None:
        """The first errand that is due and has something left to call; errands that have ended are dropped."""
        for errand in list(self.queue):
            if errand.at_s > now_s:
                continue
            errand.begin()
            if errand.calls:
                if errand.is_poll and self.poll_period_s is not None:
                    self.next_poll_s = now_s + self.poll_period_s
                return errand
            self.queue.remove(errand)
        self.due_s = min((errand.at_s for errand in self.queue), default=_NEVER)
        return None


class Crew:
    """The threads of some lanes; `lock` guards everything that the lanes' watchers keep too."""

    def __init__(self, name: str, *, monotonic: Callable[[], float], idle_s: float = _IDLE_S) -> None:
        """Starts no thread yet.

        Args:
            name: of the threads.
            monotonic: seconds that never jump.
            idle_s: how long a thread stays that nothing is left for.
        """
        self.lock = threading.Lock()
        self._name = name
        self._monotonic = monotonic
        self._idle_s = idle_s
        self._done = threading.Condition(self.lock)
        self._lanes: list[Lane] = []
        # Who waits for what is due next, or has just been called to; and when it wakes by itself.
        self._leader: _Hand | None = None
        self._wakes_s = _NEVER
        self._idle: list[_Hand] = []
        self._threads = 0

    def submit(self, lane: Lane, errand: Errand) -> None:
        """Hands an errand over; a thread begins with the first call when it is time."""
        with self.lock:
            # Before the look at what hangs: that device is left out of this errand too.
            lane.queue.append(errand)
            lane.due_s = min(lane.due_s, errand.at_s)
            if not lane.is_stopped:
                self._leave_behind_if_overdue(lane)
            if lane.is_stopped:
                errand.cancel()
                return
            lane.again_s = errand.again_s or lane.again_s
            lane.next_s = min(lane.next_s, errand.at_s)
            if lane not in self._lanes:
                self._lanes.append(lane)
            if lane.hand is None:
                self._see_to(errand.at_s)

    def wait(self, lane: Lane, errand: Errand, until_s: float, *, cancel: bool = True) -> None:
        """Waits for an errand, leaving behind a thread that hangs; `cancel` drops what hasn't begun by then."""
        with self.lock:
            while not errand.is_done:
                self._leave_behind_if_overdue(lane)
                now_s = self._monotonic()
                if now_s >= until_s:
                    break
                if lane.hand is None:
                    self._see_to(now_s)
                self._done.wait(max(0.001, min(until_s, self._look_again_s(lane, errand)) - now_s))
            if cancel:
                errand.cancel()

    def stop(self, lane: Lane) -> None:
        """Makes no more calls for a lane; a thread that nothing is left for ends."""
        with self.lock:
            self._end(lane)

    def hangs_for_s(self, lane: Lane) -> list[float]:
        """How long each call has hung that does."""
        if not lane.left_behind:
            return []
        with self.lock:
            return [self._monotonic() - hand.started_s for hand in lane.left_behind]

    # Who is at what.

    def _see_to(self, at_s: float) -> None:
        """Sees to it that a thread looks at the lanes by then: the one that waits, or one that is about to."""
        if self._leader is not None:
            if at_s < self._wakes_s:
                _ring(self._leader)
        elif not self._is_one_coming():
            self._call_another()

    def _is_one_coming(self) -> bool:
        """Whether a thread is at something that has been quick so far; if it isn't, who waits looks again."""
        now_s = self._monotonic()
        hands = [lane.hand for lane in self._lanes if lane.hand is not None]
        quick = (hand for hand in hands if hand.errand is None or not hand.errand.is_long)
        return any(now_s < hand.started_s + _QUICK_S for hand in quick)

    def _call_another(self) -> None:
        """Has a thread wait for what is due, if none does."""
        if self._leader is not None:
            return
        # What it waits for it finds out by itself.
        self._wakes_s = 0.0
        if self._idle:
            self._leader = self._idle.pop()
            _ring(self._leader)
            return
        self._leader = hand = _Hand()
        hand.bell.acquire()
        self._threads += 1
        threading.Thread(target=self._run, args=(hand,), name=f"{self._name}-{self._threads}", daemon=True).start()

    def _look_again_s(self, lane: Lane, errand: Errand) -> float:
        hand = lane.hand
        if hand is not None and hand.current is not None:
            return hand.started_s + hand.current.deadline_s
        now_s = self._monotonic()
        if self._leader is None:
            return now_s + _QUICK_S
        return now_s + (errand.calls[0].deadline_s if errand.calls else _LOOK_S)

    def _leave_behind_if_overdue(self, lane: Lane) -> None:
        hand = lane.hand
        if hand is None or hand.current is None:
            return
        call = hand.current
        if self._monotonic() < hand.started_s + call.deadline_s:
            return
        hand.is_abandoned = True
        lane.hand = None
        lane.left_behind.add(hand)
        for errand in lane.queue:
            errand.drop(call.uid)
        if hand.errand is not None:
            hand.errand.is_running = False
            hand.errand.drop(call.uid)
        lane.watcher.hangs(call)
        if len(lane.left_behind) >= lane.max_abandoned:
            self._end(lane)
        if self._lanes:
            self._see_to(0.0)

    def _end(self, lane: Lane) -> None:
        lane.is_stopped = True
        for errand in lane.queue:
            errand.cancel()
        if lane in self._lanes:
            self._lanes.remove(lane)
        if not self._lanes:
            for hand in (self._leader, *self._idle):
                if hand is not None:
                    _ring(hand)
        self._done.notify_all()

    # What each thread does, with the lock held between calls.

    def _run(self, hand: _Hand) -> None:
        with self.lock:
            if self._leader is hand:
                self._leader = None
            while (lane := self._next_lane(hand)) is not None:
                lane.hand = hand
                if not self._work(hand, lane):
                    return
                lane.hand = None

    def _next_lane(self, hand: _Hand) -> Lane | None:
        """Waits until something is due; None when there is nothing left to wait for."""
        while self._lanes:
            now_s = self._monotonic()
            first, wakes_s = self._first_due(now_s)
            if first is not None:
                return first
            if self._leader is None or wakes_s < self._wakes_s:
                # The one that waits for something later needn't be woken for it: it finds that it isn't needed.
                if self._leader is not None:
                    self._idle.append(self._leader)
                self._leader, self._wakes_s = hand, wakes_s
                seconds = wakes_s - now_s
                self._wait(hand, min(seconds, self._idle_s) if len(self._lanes) > 1 else seconds)
            else:
                self._idle.append(hand)
                if not self._wait(hand, self._idle_s) and self._leader is not hand:
                    return None
            if self._leader is hand:
                self._leader = None
        return None

    def _first_due(self, now_s: float) -> tuple[Lane | None, float]:
        """The quickest lane in which something is due, if there is one; and when the next will be."""
        first, wakes_s = None, _NEVER
        for lane in self._lanes:
            # The thread that is at a lane looks by itself when it is done.
            if lane.hand is not None:
                continue
            if lane.next_s > now_s:
                wakes_s = min(wakes_s, lane.next_s)
            elif first is None or lane.took_s < first.took_s:
                first = lane
        return first, wakes_s

    def _wait(self, hand: _Hand, seconds: float) -> bool:
        """Waits for the bell; whether it rang."""
        hand.is_waiting = True
        self.lock.release()
        try:
            is_rung = hand.bell.acquire(True, -1 if seconds == _NEVER else max(0.0, seconds))
        finally:
            self.lock.acquire()
        if not is_rung and not hand.is_waiting:
            # It rang just after the time was over.
            is_rung = hand.bell.acquire()
        hand.is_waiting = False
        if hand in self._idle:
            self._idle.remove(hand)
        return is_rung

    def _work(self, hand: _Hand, lane: Lane) -> bool:
        """Does all that is due in a lane; False if the thread was left behind."""
        now_s = self._monotonic()
        while now_s >= lane.due_s and (errand := lane.take_errand(now_s)) is not None:
            if (errand.is_long or lane.took_s > _QUICK_S) and len(self._lanes) > 1:
                self._call_another()
            if not self._do(hand, lane, errand):
                return False
            started_s, now_s = now_s, self._monotonic()
            if not errand.is_long:
                lane.took_s = now_s - started_s
        is_poll_due = lane.poll_period_s is not None and now_s >= lane.next_poll_s and not lane.is_stopped
        if is_poll_due and not self._poll(hand, lane, now_s):
            return False
        lane.plan(now_s)
        return True

    def _do(self, hand: _Hand, lane: Lane, errand: Errand) -> bool:
        while errand.calls:
            hand.current = call = errand.calls.popleft()
            hand.errand = errand
            hand.started_s = self._monotonic()
            errand.is_running = True
            self.lock.release()
            try:
                outcome = attempt(call, self._monotonic)
            finally:
                self.lock.acquire()
            hand.current = hand.errand = None
            if hand.is_abandoned:
                lane.left_behind.discard(hand)
                lane.watcher.returned(outcome)
                return False
            errand.is_running = False
            errand.outcomes.append(outcome)
            lane.watcher.finished(errand, outcome)
        self._done.notify_all()
        return True

    def _poll(self, hand: _Hand, lane: Lane, now_s: float) -> bool:
        """Makes the polls that are due; ten rounds a second pay for each line. False if left behind."""
        period_s = lane.poll_period_s or 0.0
        # A poll that is late is left out, never caught up in a burst.
        next_s = lane.next_poll_s + period_s
        lane.next_poll_s = next_s if next_s > now_s else now_s + period_s
        started_s = now_s
        for call in lane.polls:
            error: BaseException | None = None
            hand.current = call
            hand.started_s = started_s
            self.lock.release()
            try:
                call.ask()
            except DeviceError as raised:
                error = raised
            except BaseException as raised:
                log.warning("%s %s failed", call.uid, call.what, exc_info=True)
                error = raised
            ended_s = self._monotonic()
            self.lock.acquire()
            hand.current = None
            if error is not None or hand.is_abandoned:
                outcome = Outcome(call, ended_s - started_s, error=error)
                if hand.is_abandoned:
                    lane.left_behind.discard(hand)
                    lane.watcher.returned(outcome)
                    return False
                lane.watcher.finished(None, outcome)
            else:
                lane.polled += 1
                lane.polled_s += ended_s - started_s
            started_s = ended_s
            if lane.is_stopped:
                break
        return True


def _ring(hand: _Hand) -> None:
    if hand.is_waiting:
        hand.is_waiting = False
        hand.bell.release()
