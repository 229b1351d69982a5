"""Faults of a source: what they cost its devices, and that they cost nobody else."""

import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.guard import GuardedSource, Reading
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.errors import DeviceError, DeviceLost, LibraryMissing
from steelyard_proto.metrics import MetricClass

Behaviour = Callable[[], None]


def device(uid: str) -> DeviceInfo:
    return DeviceInfo(uid, "nvidia", "gpu", "Stand-in", {"fast": (1, 23), "processes": (67,)})


@dataclass
class Bench:
    """A source whose devices do what the test says."""

    uids: list[str]
    poll_period_s: float | None = None
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    discover_behaviour: Behaviour | None = None
    samples: int = 0
    polls: int = 0
    is_closed: bool = False
    name: str = "bench"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(poll_period_s=self.poll_period_s, has_processes=True)

    def discover(self) -> Sequence[DeviceInfo]:
        if self.discover_behaviour is not None:
            self.discover_behaviour()
        return [device(uid) for uid in self.uids]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        self.samples += 1
        if (behaviour := self.behaviours.get(uid)) is not None:
            behaviour()
        return (0.5, 100.0) if metric_class == "fast" else (1.0,)

    def poll(self, uid: str) -> None:
        self.polls += 1

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        return [DeviceProcess(7, None)]

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Clock:
    """Real seconds, and as many more as the test adds."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def guarded(source: Bench, clock: Callable[[], float] = time.monotonic, **more: int) -> GuardedSource:
    guard = GuardedSource(source, deadline_s=0.5, monotonic=clock, wall_ms=lambda: 1_000, **more)
    guard.discover()
    return guard


def tick(guard: GuardedSource, *classes: MetricClass) -> dict[str, Sequence[Value]]:
    guard.start_tick(classes or ("fast",))
    return {info.uid: values for info, metric_class, values in guard.collect(30.0) if metric_class == "fast"}


def readings(guard: GuardedSource) -> dict[str, Sequence[Value]]:
    return {info.uid: values for info, _class, values in guard.collect(30.0)}


def missing(values: dict[str, Sequence[Value]]) -> set[str]:
    return {uid for uid, row in values.items() if any(isinstance(value, Absent) for value in row)}


def codes(guard: GuardedSource) -> list[str]:
    return [event.code for event in guard.events()]


def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "did not come true in time"
        time.sleep(0.005)


EIGHT = [f"gpu-{index}" for index in range(8)]


def test_every_device_and_class_appears_in_order() -> None:
    guard = guarded(Bench(EIGHT))
    guard.start_tick(("fast", "processes"))
    readings: list[Reading] = guard.collect(30.0)
    assert [(info.uid, metric_class) for info, metric_class, _values in readings] == [
        (uid, metric_class) for uid in EIGHT for metric_class in ("fast", "processes")
    ]
    assert [(info.uid, holders) for info, holders in guard.processes()] == [
        (uid, [DeviceProcess(7, None)]) for uid in EIGHT
    ]
    assert guard.stats().calls == 1 + 8 * 3
    guard.close()


def test_a_planned_tick_begins_by_itself_when_it_is_time() -> None:
    source = Bench(EIGHT)
    guard = guarded(source)
    begun: list[float] = []
    source.behaviours = dict.fromkeys(EIGHT, lambda: begun.append(time.monotonic()))
    for _ in range(3):
        begun.clear()
        at_s = time.monotonic() + 0.05
        guard.start_tick(("fast",), at_s, at_s + 0.05)
        until(lambda: len(begun) == 8)
        assert min(begun) >= at_s
        assert len(guard.collect(30.0)) == 8
    guard.close()


def test_a_tick_that_is_planned_leaves_out_what_hangs_until_then() -> None:
    gate = threading.Event()
    source = Bench(EIGHT, behaviours={"gpu-3": lambda: gate.wait(30) and None})
    guard = guarded(source)
    guard.start_tick(("processes",))
    later_s = time.monotonic() + 0.05
    guard.collect(30.0)
    guard.start_tick(("fast",), later_s, later_s + 30)
    assert {uid for uid, row in readings(guard).items() if isinstance(row[0], Absent)} == {"gpu-3"}
    assert guard.stats().timeouts == 1
    gate.set()
    guard.close()


def test_a_look_does_not_wait_for_the_tick_that_is_planned() -> None:
    clock = Clock()
    source = Bench(EIGHT[:1])
    guard = guarded(source, clock)
    source.uids = EIGHT[:2]
    clock.ahead_s += 301
    guard.start_tick(("fast",), clock() + 600)
    until(lambda: len(guard.devices()) == 2)
    assert source.samples == 0
    guard.close()


def test_a_hang_costs_one_device_only_and_ends_with_its_call() -> None:
    gate = threading.Event()
    source = Bench(EIGHT, behaviours={"gpu-3": lambda: gate.wait(30) and None})
    guard = guarded(source)
    for _ in range(5):
        assert missing(tick(guard)) == {"gpu-3"}
    stats = guard.stats()
    assert (stats.timeouts, stats.quarantined, stats.abandoned) == (1, 1, 1)
    assert codes(guard) == ["device_quarantined"]
    del source.behaviours["gpu-3"]
    gate.set()
    until(lambda: guard.stats().quarantined == 0)
    assert missing(tick(guard)) == set()
    assert codes(guard) == ["device_back"]
    assert guard.stats().abandoned == 0
    guard.close()
    assert source.is_closed


def test_the_reason_for_an_absence_names_the_quarantine() -> None:
    gate = threading.Event()
    guard = guarded(Bench(["gpu-0"], behaviours={"gpu-0": lambda: gate.wait(30) and None}))
    (value, _power) = tick(guard)["gpu-0"]
    assert value == Absent("quarantined: fast has not returned within 0.5 s")
    assert guard.stats().absences == 2
    gate.set()
    guard.close()


def test_nothing_is_asked_any_more_when_too_many_calls_hang() -> None:
    gate = threading.Event()
    source = Bench(EIGHT, behaviours={uid: lambda: gate.wait(30) and None for uid in EIGHT[:3]})
    guard = guarded(source, max_abandoned=3)
    values = tick(guard)
    assert missing(values) == set(EIGHT)
    assert values["gpu-7"][0] == Absent("too many calls hang")
    assert guard.why_spent() == "3 calls hang"
    assert codes(guard) == ["device_quarantined"] * 3
    before = source.samples
    tick(guard)
    assert source.samples == before
    gate.set()


def test_a_source_is_spent_after_a_minute_in_which_all_of_it_hangs() -> None:
    gate = threading.Event()
    clock = Clock()
    source = Bench(EIGHT[:2], behaviours={"gpu-0": lambda: gate.wait(30) and None})
    guard = guarded(source, clock)
    assert missing(tick(guard)) == {"gpu-0"}
    clock.ahead_s += 61
    assert guard.why_spent() == "", "there is another to ask"
    assert max(guard.hangs_for_s()) > 60
    source.behaviours["gpu-1"] = source.behaviours["gpu-0"]
    assert missing(tick(guard)) == {"gpu-0", "gpu-1"}
    assert guard.why_spent() == "2 calls hang and nothing else is left to ask"
    gate.set()
    until(lambda: guard.stats().abandoned == 0)
    assert guard.why_spent() == ""
    assert guard.hangs_for_s() == []
    guard.close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_end_the_thread_costs_one_sample_too(error: type[BaseException]) -> None:
    def end() -> None:
        raise error

    source = Bench(EIGHT[:2], behaviours={"gpu-0": end})
    guard = guarded(source)
    assert tick(guard)["gpu-0"][0] == Absent(f"failed: {error.__name__}")
    del source.behaviours["gpu-0"]
    assert missing(tick(guard)) == set()
    assert guard.stats().abandoned == 0
    guard.close()


def test_a_lost_device_is_absent_and_found_again() -> None:
    def lose() -> None:
        raise DeviceLost("fell off the bus", vendor="nvidia", call="nvmlX", device="gpu-1", code=15)

    clock = Clock()
    source = Bench(EIGHT[:2], behaviours={"gpu-1": lose})
    guard = guarded(source, clock)
    assert tick(guard)["gpu-1"][0] == Absent("lost: gone: nvmlX (15)")
    del source.behaviours["gpu-1"]
    assert missing(tick(guard)) == {"gpu-1"}, "nobody has looked for it yet"
    clock.ahead_s += 3
    tick(guard)
    until(lambda: missing(tick(guard)) == set())
    assert codes(guard) == ["device_lost", "device_back"]
    guard.close()


def test_a_device_that_is_no_longer_listed_is_lost() -> None:
    clock = Clock()
    source = Bench(EIGHT[:2])
    guard = guarded(source, clock)
    source.uids = ["gpu-0", "gpu-9"]
    clock.ahead_s += 301
    tick(guard)
    until(lambda: "gpu-9" in tick(guard))
    values = tick(guard)
    assert missing(values) == {"gpu-1"}
    assert list(values) == ["gpu-0", "gpu-1", "gpu-9"]
    assert codes(guard) == ["device_found", "device_lost"]
    guard.close()


def test_errors_of_any_kind_are_counted_and_cost_one_sample() -> None:
    generator = random.Random(4)
    kinds: list[Exception] = [
        DeviceError("busy", vendor="nvidia", call="nvmlX", code=2),
        ValueError("a bug"),
        ZeroDivisionError(),
    ]
    failed = 0

    def sometimes() -> None:
        nonlocal failed
        if generator.random() < 0.05:
            failed += 1
            raise generator.choice(kinds)

    guard = guarded(Bench(EIGHT, behaviours=dict.fromkeys(EIGHT, sometimes)))
    absent = sum(len(missing(tick(guard))) for _ in range(200))
    stats = guard.stats()
    assert failed > 20
    assert absent == stats.errors == failed
    assert stats.absences == failed * 2
    assert set(stats.absences_by_reason) == {
        "failed: nvmlX (2)",
        "failed: ValueError",
        "failed: ZeroDivisionError",
    }
    assert stats.calls == 1 + 200 * 8
    guard.close()


def test_polls_run_between_ticks_in_the_same_thread() -> None:
    source = Bench(["gpu-0"], poll_period_s=0.01)
    guard = guarded(source)
    until(lambda: source.polls >= 10)
    assert missing(tick(guard)) == set()
    guard.close()
    polls = source.polls
    until(lambda: all(not thread.name.startswith("bench") for thread in threading.enumerate()))
    assert source.polls <= polls + 1


def test_a_sample_stands_for_a_poll() -> None:
    clock = Clock()
    source = Bench(["gpu-0"], poll_period_s=100.0)
    guard = guarded(source, clock)
    until(lambda: source.polls == 1)
    tick(guard, "processes")
    clock.ahead_s = 60.0
    tick(guard)
    clock.ahead_s = 120.0
    for _ in range(5):
        tick(guard, "processes")
    assert source.polls == 1, "60 s after the sample"
    clock.ahead_s = 170.0
    tick(guard, "processes")
    until(lambda: source.polls == 2)
    guard.close()


def test_a_missing_library_is_no_event_and_a_refusal_is_one() -> None:
    def lacks() -> None:
        raise LibraryMissing("libx.so isn't there", vendor="x", call="dlopen")

    def refuses() -> None:
        raise DeviceError("driver not loaded", vendor="x", call="init", code=9)

    clock = Clock()
    source = Bench(EIGHT, discover_behaviour=lacks)
    guard = guarded(source, clock)
    assert list(guard.devices()) == []
    assert "libx.so" in guard.stats().problem
    assert codes(guard) == []
    source.discover_behaviour = refuses
    guard.discover()
    guard.discover()
    assert codes(guard) == ["discover_failed"], "said once, not every time"
    source.discover_behaviour = None
    guard.discover()
    assert len(guard.devices()) == 8
    assert guard.stats().problem == ""
    guard.close()


def test_values_that_do_not_match_the_metrics_are_refused() -> None:
    source = Bench(["gpu-0"])
    guard = guarded(source)
    source.sample = lambda uid, metric_class: (1.0,)  # type: ignore[method-assign]
    assert tick(guard)["gpu-0"] == (Absent("bench gave 1 values for 2 metrics"),) * 2
    guard.close()


@pytest.mark.parametrize("what", ["sample", "discover", "close"])
def test_the_process_ends_with_a_stuck_call(what: str) -> None:
    program = textwrap.dedent(f"""
        import threading, time
        from steelyard_agent.devices.guard import GuardedSource
        from tests.unit.agent.test_guard import Bench
        stuck = lambda *_: threading.Event().wait(60)
        source = Bench(["gpu-0"])
        source.{what} = stuck
        guard = GuardedSource(source, deadline_s=0.1, monotonic=time.monotonic, wall_ms=lambda: 0)
        guard.discover(0.3)
        guard.start_tick(("fast",))
        guard.collect(0.3)
        guard.close()
        print("closed", flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "closed\n"
        # Sooner than the call that is stuck for a minute.
        assert process.wait(40) == 0
