"""The agent's side of a source's own process, against processes that a test writes the words of."""

import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.channel import Channel, Report, Task, Tick
from steelyard_agent.devices.outside import OutsideSource
from steelyard_agent.devices.outside_known import Known
from steelyard_agent.devices.tally import NO_STATS
from steelyard_agent.model import Absent, DeviceInfo, Event

TASK = Task("bench", "n1", "", 0.1)
TWO = ["gpu-0", "gpu-1"]


def device(uid: str) -> DeviceInfo:
    return DeviceInfo(uid, "nvidia", "gpu", "Stand-in", {"fast": (1, 23)})


class Scripted:
    """A process of which the test holds the other end; it dies when it is told to, unless it is stuck."""

    def __init__(self, pid: int, *, is_stuck: bool = False) -> None:
        ours, theirs = socket.socketpair()
        self.pid = pid
        self.channel = Channel(ours)
        self.words = Channel(theirs)
        self.code: int | None = None
        self.is_stuck = is_stuck

    def wait(self, timeout_s: float) -> int | None:
        return self.code

    def kill(self) -> None:
        if not self.is_stuck:
            self.code = -signal.SIGKILL

    def die(self, code: int) -> None:
        self.code = code
        self.words.close()

    def say(self, **facts: object) -> None:
        """Answers the tick that was asked for, unless the agent has closed its end."""
        try:
            tick = self.words.receive(1.0)
        except ConnectionResetError:
            return
        assert isinstance(tick, Tick)
        values = {(uid, "fast"): (0.5, 100.0) for uid in TWO}
        report = Report(tick.number, Capabilities(), None, values, {}, [], NO_STATS, 0.0)  # type: ignore[arg-type]
        self.words.send(replace(report, **facts))  # type: ignore[arg-type]


@dataclass
class Bench:
    """The source under test, its processes so far, and its time."""

    now_s: float = 1000.0
    stuck: bool = False
    refusal: OSError | None = None
    children: list[Scripted] = field(default_factory=list)
    known: Sequence[str] = tuple(TWO)
    missing: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        known = Known("bench", Capabilities(), {uid: device(uid) for uid in self.known}, set(self.missing))
        self.source = OutsideSource(TASK, known, monotonic=lambda: self.now_s, wall_ms=lambda: 1_000, start=self.start)

    def start(self, task: Task) -> Scripted:
        assert task == TASK
        if self.refusal is not None:
            raise self.refusal
        self.children.append(Scripted(100 + len(self.children), is_stuck=self.stuck))
        return self.children[-1]

    def tick(self, **facts: object) -> dict[str, object]:
        """One tick, which the newest process answers with these facts; `answers=False` for not at all."""
        answers = facts.pop("answers", True)
        self.source.start_tick(("fast",), self.now_s, self.now_s + 1)
        if answers and self.children and self.children[-1].code is None:
            self.children[-1].say(**facts)
        return {info.uid: values[0] for info, _class, values in self.source.collect(0.01)}

    def codes(self) -> list[tuple[str, str]]:
        return [(event.code, event.uid) for event in self.source.events()]


Make = Callable[..., Bench]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Bench] = []

    def make_one(**facts: object) -> Bench:
        made.append(Bench(**facts))  # type: ignore[arg-type]
        return made[-1]

    yield make_one
    for bench in made:
        bench.source.close()
        for child in bench.children:
            child.channel.close()
            child.words.close()


def quarantined(uid: str) -> Event:
    return Event(1, "error", "device_quarantined", "hangs", "bench", uid)


def test_what_is_known_already_is_not_told_again_and_what_comes_back_is(make: Make) -> None:
    bench = make(missing=frozenset({"gpu-0"}))
    one = {("gpu-1", "fast"): (0.5, 100.0), ("gpu-0", "fast"): (Absent("hangs"), Absent("hangs"))}
    assert bench.tick(values=one, events=[quarantined("gpu-0"), quarantined("gpu-1")])["gpu-0"] == Absent("hangs")
    assert bench.codes() == [("device_quarantined", "gpu-1")]
    bench.tick()
    assert bench.codes() == [("device_back", "gpu-0"), ("device_back", "gpu-1")]


def test_devices_of_a_new_process_are_compared_with_the_known_ones(make: Make) -> None:
    bench = make()
    assert bench.tick(values={})["gpu-0"] == Absent("its process is being started"), "it has not looked yet"
    rows = bench.tick(devices=[device("gpu-1"), device("gpu-2")], values={("gpu-1", "fast"): (0.5, 100.0)})
    assert rows == {"gpu-0": Absent("lost: no longer listed"), "gpu-1": 0.5, "gpu-2": Absent("not read in time")}
    assert bench.codes() == [("device_found", "gpu-2"), ("device_lost", "gpu-0")]


def test_it_is_started_again_ever_later_while_it_ends(make: Make) -> None:
    bench = make()
    for wait_s in (2, 4, 8):
        bench.tick()
        bench.children[-1].die(3)
        started = len(bench.children)
        assert bench.tick(answers=False)["gpu-0"] == Absent("its process ended with code 3")
        bench.now_s += wait_s - 0.5
        bench.tick()
        assert len(bench.children) == started
        bench.now_s += 0.5
        assert bench.tick()["gpu-0"] == 0.5
        assert len(bench.children) == started + 1
    bench.now_s += 301
    bench.children[-1].die(3)
    bench.tick(answers=False)
    bench.now_s += 2
    assert bench.tick()["gpu-0"] == 0.5, "it was well for long, so the first wait holds again"


def test_one_that_cannot_be_started_is_tried_again(make: Make) -> None:
    bench = make(refusal=OSError(11, "Resource temporarily unavailable"))
    reason = Absent("its process can't be started: Resource temporarily unavailable")
    assert bench.tick() == dict.fromkeys(TWO, reason)
    bench.refusal = None
    bench.now_s += 2
    assert bench.tick()["gpu-0"] == 0.5


def test_a_device_that_hangs_is_tried_in_a_new_process_after_a_minute_then_ever_later(make: Make) -> None:
    bench = make()
    bench.tick(hangs_for_s=59.0)
    assert len(bench.children) == 1
    assert bench.tick(hangs_for_s=60.0)["gpu-0"] == 0.5, "what it still said counts"
    bench.tick(hangs_for_s=0.0)
    bench.tick(hangs_for_s=61.0)
    assert (len(bench.children), bench.children[0].code) == (2, -signal.SIGKILL)
    bench.tick(hangs_for_s=120.0)
    bench.tick()
    assert len(bench.children) == 3
    assert bench.codes() == [("source_process_ended", "")] * 2


def test_processes_that_cannot_be_ended_are_counted_and_are_eight_at_most(make: Make) -> None:
    bench = make(stuck=True)
    for _ in range(20):
        bench.tick(hangs_for_s=1e6)
        bench.now_s += 3600
    assert len(bench.children) == 8
    assert bench.source.stats().abandoned == 8
    assert bench.tick()["gpu-0"] == Absent("its process is one of 8 that can't be ended")
    assert [code for code, _ in bench.codes()].count("source_process_stuck") == 8
    bench.children[0].code = -signal.SIGKILL
    assert bench.tick()["gpu-0"] == 0.5
    assert bench.source.stats().abandoned == 7


def test_counts_are_of_all_processes_together(make: Make) -> None:
    bench = make()
    bench.tick(stats=replace(NO_STATS, calls=5, timeouts=1, quarantined=1))
    assert (bench.source.stats().calls, bench.source.stats().quarantined) == (5, 1)
    bench.children[-1].die(0)
    bench.tick(answers=False)
    assert (bench.source.stats().calls, bench.source.stats().quarantined) == (5, 2)
    bench.now_s += 2
    bench.tick(stats=replace(NO_STATS, calls=7, problem="no driver"))
    stats = bench.source.stats()
    assert (stats.calls, stats.timeouts, stats.quarantined, stats.problem) == (12, 1, 0, "no driver")
    assert stats.absences_by_reason == {"its process ended with code 0": 4}


def test_a_late_report_is_of_no_later_tick(make: Make) -> None:
    bench = make()
    assert bench.tick(answers=False)["gpu-0"] == Absent("its process is being started")
    bench.children[0].say(values={(uid, "fast"): (0.1, 1.0) for uid in TWO}, devices=[device(uid) for uid in TWO])
    assert bench.tick()["gpu-0"] == 0.5
    assert bench.tick(answers=False)["gpu-0"] == Absent("not read in time")
    bench.source.start_tick(("fast",), bench.now_s, bench.now_s + 1)
    bench.children[0].say()
    assert all(isinstance(values[0], Absent) for _info, _class, values in bench.source.collect(0.1))
    assert bench.tick()["gpu-0"] == 0.5


@pytest.mark.parametrize(
    "speak",
    [
        pytest.param(lambda words: words.send(ZeroDivisionError()), id="a type that is no message's"),
        pytest.param(lambda words: words.send(TASK), id="another message"),
        pytest.param(lambda words: words._socket.send(b"\xff\xff\xff\xff"), id="a length that can't be"),
        pytest.param(lambda words: words._socket.send(b"\x04\0\0\0nope"), id="no pickle"),
    ],
)
def test_a_process_that_speaks_nonsense_is_ended(make: Make, speak: Callable[[Channel], object]) -> None:
    bench = make()
    bench.source.start_tick(("fast",), bench.now_s, bench.now_s + 1)
    speak(bench.children[0].words)
    bench.source.collect(0.1)
    assert bench.codes() == [("source_process_ended", "")]
    assert bench.children[0].code == -signal.SIGKILL
