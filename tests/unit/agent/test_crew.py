"""The threads behind the sources: one for all that are quick, and no slow or hanging call holds up another source."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from steelyard_agent.devices.crew import Crew, Lane
from steelyard_agent.devices.errand import Call, Errand, Outcome
from tests.standins.agent_parts import until

_LONG_S = 60.0


@dataclass(slots=True)
class Notes:
    """What a lane's watcher was told, and in which threads the calls were made."""

    called: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    finished_whats: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    def finished(self, errand: Errand | None, outcome: Outcome) -> None:
        self.finished_whats.append(outcome.call.what)

    def hangs(self, call: Call) -> None:
        self.hung.append(call.what)

    def returned(self, outcome: Outcome) -> None:
        self.back.append(outcome.call.what)

    def call(
        self, what: str, action: Callable[[], object] = lambda: None, deadline_s: float = _LONG_S, uid: str = "a"
    ) -> Call:
        def ask() -> None:
            self.called.append(what)
            self.threads.add(threading.get_ident())
            action()

        return Call(uid, what, ask, deadline_s)


def errand(*calls: Call, in_s: float | None = None, is_long: bool = False) -> Errand:
    return Errand(deque(calls), at_s=0.0 if in_s is None else time.monotonic() + in_s, is_long=is_long)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a call can wait for; open at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def threads_of(crew_name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{crew_name}-")]


def test_quick_lanes_are_served_by_one_thread() -> None:
    crew, notes = Crew("quick", monotonic=time.monotonic), [Notes() for _ in range(5)]
    lanes = [Lane(one) for one in notes]
    for tick in range(3):
        errands = [errand(one.call(f"tick {tick}"), in_s=0.05) for one in notes]
        for lane, planned in zip(lanes, errands, strict=True):
            crew.submit(lane, planned)
        for lane, planned in zip(lanes, errands, strict=True):
            crew.wait(lane, planned, time.monotonic() + _LONG_S)
    assert [one.called for one in notes] == [["tick 0", "tick 1", "tick 2"]] * 5
    # One that is preempted for long is taken for slow: another helps then, never more.
    assert len(threads_of("quick")) <= 2
    for lane in lanes:
        crew.stop(lane)
    until(lambda: not threads_of("quick"))


def test_a_call_that_takes_long_holds_up_no_other_lane(gate: threading.Event) -> None:
    crew, slow, other = Crew("holdup", monotonic=time.monotonic), Notes(), Notes()
    slow_lane, other_lane = Lane(slow), Lane(other)
    first, second = errand(slow.call("first", gate.wait)), errand(slow.call("second"))
    crew.submit(slow_lane, first)
    crew.submit(slow_lane, second)
    until(lambda: slow.called)
    asked = errand(other.call("asked"))
    crew.submit(other_lane, asked)
    crew.wait(other_lane, asked, time.monotonic() + _LONG_S)
    assert other.called == ["asked"]
    # A lane's own calls are never made two at once.
    assert slow.called == ["first"]
    assert not first.is_done
    gate.set()
    crew.wait(slow_lane, second, time.monotonic() + _LONG_S)
    assert slow.finished_whats == ["first", "second"]
    for lane in (slow_lane, other_lane):
        crew.stop(lane)


@pytest.mark.parametrize("is_told", [True, False], ids=["said so", "was slow before"])
def test_what_is_known_to_take_long_has_another_thread_wait(is_told: bool, gate: threading.Event) -> None:
    crew, slow, other = Crew("known", monotonic=time.monotonic), Notes(), Notes()
    slow_lane, other_lane = Lane(slow), Lane(other)
    # Both are served once; the one that took longer is called after the other.
    for lane, one, nap_s in ((other_lane, other, 0.0), (slow_lane, slow, 0.0 if is_told else 0.05)):
        before = errand(one.call("before", partial(time.sleep, nap_s)))
        crew.submit(lane, before)
        crew.wait(lane, before, time.monotonic() + _LONG_S)
    crew.submit(slow_lane, errand(slow.call("now", gate.wait), is_long=is_told))
    until(lambda: "now" in slow.called)
    # Planned ahead and waited for by nobody, who could see that the thread is busy.
    other_lane.queue.append(later := errand(other.call("later")))
    with crew.lock:
        other_lane.due_s = other_lane.next_s = 0.0
    until(lambda: later.is_done)
    for lane in (slow_lane, other_lane):
        crew.stop(lane)


def test_a_call_that_hangs_is_left_behind_and_the_rest_goes_on(gate: threading.Event) -> None:
    crew, notes, other = Crew("hang", monotonic=time.monotonic), Notes(), Notes()
    lane, other_lane = Lane(notes), Lane(other)
    other_lane.polls, other_lane.poll_period_s = [other.call("poll")], 0.01
    started = errand(other.call("start"))
    crew.submit(other_lane, started)
    crew.wait(other_lane, started, time.monotonic() + _LONG_S)
    tick = errand(
        notes.call("hangs", gate.wait, deadline_s=0.05),
        notes.call("same device"),
        notes.call("other device", uid="b"),
    )
    crew.submit(lane, tick)
    crew.wait(lane, tick, time.monotonic() + _LONG_S)
    assert notes.hung == ["hangs"]
    assert notes.called == ["hangs", "other device"]
    assert len(crew.hangs_for_s(lane)) == 1
    assert crew.hangs_for_s(other_lane) == []
    polled = other_lane.polled
    until(lambda: other_lane.polled > polled + 3)
    gate.set()
    until(lambda: notes.back == ["hangs"])
    assert crew.hangs_for_s(lane) == []
    for one in (lane, other_lane):
        crew.stop(one)


def test_after_too_many_hangs_a_lane_is_left_alone_and_the_others_are_not(gate: threading.Event) -> None:
    crew, notes, other = Crew("many", monotonic=time.monotonic), Notes(), Notes()
    lane, other_lane = Lane(notes, max_abandoned=2), Lane(other)
    for uid in ("a", "b"):
        hangs = errand(notes.call(f"hangs {uid}", gate.wait, deadline_s=0.05, uid=uid))
        crew.submit(lane, hangs)
        crew.wait(lane, hangs, time.monotonic() + _LONG_S)
    assert lane.is_stopped
    assert len(crew.hangs_for_s(lane)) == 2
    refused, asked = errand(notes.call("more", uid="c")), errand(other.call("asked"))
    crew.submit(lane, refused)
    assert refused.is_done
    assert refused.outcomes == []
    crew.submit(other_lane, asked)
    crew.wait(other_lane, asked, time.monotonic() + _LONG_S)
    assert other.called == ["asked"]
    crew.stop(other_lane)


def test_threads_that_nothing_is_left_for_end(gate: threading.Event) -> None:
    crew, notes = Crew("idle", monotonic=time.monotonic, idle_s=0.02), [Notes() for _ in range(4)]
    lanes = [Lane(one) for one in notes]
    errands = [errand(one.call("look", gate.wait), is_long=True) for one in notes]
    for lane, look in zip(lanes, errands, strict=True):
        crew.submit(lane, look)
    # All at once: none waits for another.
    until(lambda: all(one.called for one in notes))
    gate.set()
    for lane, look in zip(lanes, errands, strict=True):
        crew.wait(lane, look, time.monotonic() + _LONG_S)
    until(lambda: len(threads_of("idle")) <= 1)
    again = errand(notes[0].call("again"))
    crew.submit(lanes[0], again)
    crew.wait(lanes[0], again, time.monotonic() + _LONG_S)
    assert notes[0].called == ["look", "again"]
    for lane in lanes:
        crew.stop(lane)
    until(lambda: not threads_of("idle"))
