from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.guard import Holders, Reading
from steelyard_agent.devices.tally import NO_STATS, GuardStats
from steelyard_agent.directory import Directory, Identity
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Value
from steelyard_agent.sampling.gather import Gatherer
from steelyard_agent.sampling.loop import OwnFigures, SamplingLoop
from steelyard_agent.sampling.sampler import Clock, Periods, Sampler
from steelyard_agent.sampling.schedule import TickCounts
from steelyard_agent.self_metrics import METRICS, Observed, SelfMetrics
from steelyard_agent.sending.state import SenderState
from steelyard_agent.spool.ring import RingCounts
from steelyard_proto.metrics import MetricClass, catalogue
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.agent_parts import START_MS, a_device


class Time:
    """A clock that only a pause moves on; it says stop after so many seconds."""

    def __init__(self, stop_s: float) -> None:
        self.now_s = 0.0
        self.stop_s = stop_s
        self.pauses = 0

    def pause(self, seconds: float) -> bool:
        self.pauses += 1
        self.now_s += max(seconds, 1e-9)
        return self.now_s >= self.stop_s

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, lambda: START_MS + round(self.now_s * 1000), self.pause)


class FakeGuard:
    """A source whose guard is asked; notes when for what."""

    def __init__(self, time: Time, info: DeviceInfo, *, entity: str = "device", takes_s: float = 0.0) -> None:
        self.time = time
        self.info = info
        self.takes_s = takes_s
        self.name = "fake"
        self.capabilities = Capabilities(entity=entity, has_processes=True)  # type: ignore[arg-type]
        self.asked: list[tuple[float, tuple[MetricClass, ...]]] = []
        self.waiting: list[Event] = []

    def discover(self, timeout_s: float) -> object:
        return None

    def devices(self) -> Sequence[DeviceInfo]:
        return [self.info]

    def start_tick(self, metric_classes: Iterable[MetricClass], at_s: float, again_s: float) -> None:
        assert at_s >= self.time.now_s
        self.classes = tuple(metric_classes)
        self.asked.append((round(at_s, 3), self.classes))

    def collect(self, timeout_s: float) -> list[Reading]:
        self.time.now_s += min(self.takes_s, timeout_s)
        return [(self.info, c, (0.5, 7)) for c in self.classes if c in self.info.metrics]

    def processes(self) -> list[Holders]:
        return [(self.info, [DeviceProcess(1, None)])]

    def events(self) -> list[Event]:
        found, self.waiting = self.waiting, []
        return found


class Kept:
    def __init__(self) -> None:
        self.put_messages: list[tuple[int, ingest_pb2.AgentMessage]] = []
        self.layouts: dict[int, batch_pb2.Layout] = {}

    def put(self, kind: int, message: ingest_pb2.AgentMessage, from_ms: int, to_ms: int) -> int:
        self.put_messages.append((kind, message))
        return len(self.put_messages)

    def describe(self, message: ingest_pb2.Describe) -> None:
        self.layouts |= {layout.id: layout for layout in message.layouts}

    def ticks(self, kind: int) -> int:
        return sum(len(message.batch.ts_ms) // 8 for k, message in self.put_messages if k == kind)


PERIODS = Periods(
    {
        ("device", "fast"): 1000,
        ("device", "slow"): 60_000,
        ("device", "processes"): 10_000,
        ("host", "fast"): 500,
        ("host", "slow"): 60_000,
    },
    500,
)
NOTHING = Observed({}, TickCounts(), RingCounts(), 0, SenderState())


def build(time: Time, guards: Sequence[FakeGuard], **more: object) -> tuple[SamplingLoop, Kept, Sampler]:
    sink = Kept()
    gatherer = Gatherer(Directory(Identity("a", "0", ingest_pb2.Node())), catalogue(), sink)
    sampler = Sampler(guards, gatherer, PERIODS, time.clock)
    arguments = {"flush_ms": lambda: 5000, **more}
    return SamplingLoop(sampler, gatherer, time.clock, **arguments), sink, sampler  # type: ignore[arg-type]


def test_each_class_has_its_own_period() -> None:
    time = Time(stop_s=20.5)
    guard = FakeGuard(time, a_device(0))
    build(time, [guard])[0].run()
    fast = [at for at, classes in guard.asked if "fast" in classes]
    assert fast == [float(n) for n in range(22)], "the last is only planned"
    assert [at for at, classes in guard.asked if "processes" in classes] == [0.0, 10.0, 20.0]
    assert [at for at, classes in guard.asked if "slow" in classes] == [0.0]


def test_host_and_devices_keep_apart_periods_and_kinds() -> None:
    time = Time(stop_s=5.2)
    host = FakeGuard(time, DeviceInfo("host", "host", "cpu", "n", metrics={"fast": (100, 101)}), entity="host")
    device = FakeGuard(time, a_device(0))
    _, sink, _ = parts = build(time, [host, device])
    parts[0].run()
    assert sink.ticks(batch_pb2.KIND_HOST_SAMPLES) == 11
    assert sink.ticks(batch_pb2.KIND_DEVICE_SAMPLES) == 6


def test_a_slow_source_makes_late_ticks_that_are_counted_and_not_caught_up() -> None:
    time = Time(stop_s=30)
    guard = FakeGuard(time, a_device(0), takes_s=1.7)
    loop, _, sampler = build(time, [guard])
    sampler._budget_s = 2.0
    loop.run()
    gaps = [b - a for (a, _), (b, _) in zip(guard.asked, guard.asked[1:], strict=False)]
    assert min(gaps) >= 1.0
    assert sampler.counts.missed > 5


def test_flushes_by_the_interval_that_the_collector_wants() -> None:
    time = Time(stop_s=20.5)
    flushed: list[float] = []
    wanted = iter([5000] * 6 + [2000] * 100)
    loop, sink, _ = build(
        time,
        [FakeGuard(time, a_device(0))],
        flush_ms=lambda: next(wanted),
        on_flush=lambda: flushed.append(round(time.now_s)),
    )
    loop.run()
    assert flushed == [5, 7, 9, 11, 13, 15, 17, 19, 21]
    assert sink.ticks(batch_pb2.KIND_DEVICE_SAMPLES) == 21


def test_an_event_is_sent_at_once() -> None:
    time = Time(stop_s=4.5)
    flushed: list[float] = []
    guard = FakeGuard(time, a_device(0))
    loop, sink, _ = build(
        time, [guard], flush_ms=lambda: 5000, on_flush=lambda: flushed.append(sink.ticks(batch_pb2.KIND_DEVICE_SAMPLES))
    )
    guard.waiting = [Event(START_MS, "error", "xid_79", "gone", "fake", "GPU-0")]
    loop.run()
    # Then, and with what is left at the end.
    assert flushed == [0, 5]
    assert sink.put_messages[0][0] == batch_pb2.KIND_EVENT


def test_events_become_records_with_their_device() -> None:
    time = Time(stop_s=1.5)
    guard = FakeGuard(time, a_device(0))
    guard.waiting = [
        Event(START_MS, "warning", "device_lost", "gone", "fake", "GPU-0"),
        Event(START_MS, "info", "other", "who", "fake", "GPU-unknown"),
        Event(START_MS + 86_400_000, "info", "later", "next day", "fake"),
    ]
    loop, sink, _ = build(time, [guard])
    loop.run()
    messages = [message.records for kind, message in sink.put_messages if kind == batch_pb2.KIND_EVENT]
    assert [[event.code for event in records.events] for records in messages] == [["device_lost", "other"], ["later"]]
    first, second = messages[0].events
    assert first.device == 1
    assert not second.HasField("device")


def test_own_figures_are_of_the_agents_kind() -> None:
    time = Time(stop_s=20.5)
    loop, sink, _ = build(time, [FakeGuard(time, a_device(0))], own=OwnFigures(lambda: NOTHING, 10_000))
    loop.run()
    assert sink.ticks(batch_pb2.KIND_AGENT_SAMPLES) == 3
    [layout] = [layout for layout in sink.layouts.values() if layout.kind == batch_pb2.KIND_AGENT_SAMPLES]
    assert sorted([*layout.gauges, *layout.counters]) == list(METRICS)


def test_own_figures_fit_the_catalogue() -> None:
    values = SelfMetrics().values(NOTHING)
    assert len(values) == len(METRICS)
    known = catalogue().by_id
    for metric, value in zip(METRICS, values, strict=True):
        assert known[metric].entity == "agent"
        if not isinstance(value, Absent):
            assert isinstance(value, int if known[metric].kind == "counter" else float)
    assert isinstance(values[METRICS.index(215)], Absent), "no collector has answered: no offset is known"
    rss = values[METRICS.index(201)]
    assert isinstance(rss, float)
    assert 5e6 < rss < 1e9


def test_own_figures_tell_of_each_source_what_it_takes_and_misses() -> None:
    reasons = {
        "quarantined: fast has not returned within 0.5 s": 3,
        "not read in time": 1,
        "lost: gone: nvmlDeviceGetClockInfo (15)": 5,
        "not permitted: nvmlDeviceGetUtilizationRates (4)": 7,
        "failed: nvmlGpmMetricsGet (21)": 11,
        "GPM window under 100 ms": 2,
    }
    nvml = replace(NO_STATS, calls=10, sample_s=0.02, absences_by_reason=reasons, abandoned=2)
    chip = replace(NO_STATS, calls=4, sample_s=0.004)
    own = SelfMetrics()

    def told(**guards: GuardStats) -> dict[str, Value]:
        values = own.values(replace(NOTHING, guards=guards))
        return {catalogue().by_id[number].name: value for number, value in zip(METRICS, values, strict=True)}

    first = told(nvml=nvml, mychip=chip, replay=chip)
    assert first["threads_abandoned"] == 2.0
    assert first["nvml_read_ms"] == pytest.approx(2.0)
    assert first["others_read_ms"] == pytest.approx(1.0)
    assert [first[f"nvml_absent_{kind}"] for kind in ("hung", "lost", "refused", "failed")] == [4, 5, 7, 13]
    assert [first[f"others_absent_{kind}"] for kind in ("hung", "lost", "refused", "failed")] == [0, 0, 0, 0]
    assert first["dcmi_read_ms"] == first["dcmi_absent_lost"] == Absent("no such source is asked")
    second = told(nvml=replace(nvml, calls=20, sample_s=0.07), mychip=chip, replay=chip)
    assert second["nvml_read_ms"] == pytest.approx(5.0), "since the figure before"
    assert isinstance(second["others_read_ms"], Absent)


def test_with_no_source_the_loop_rests() -> None:
    time = Time(stop_s=60)
    loop, sink, _ = build(time, [])
    loop.run()
    assert time.pauses <= 7
    assert sink.put_messages == []


@pytest.mark.parametrize("period_ms", [100, 1000])
def test_the_pause_for_workers_fits_into_the_shortest_period(period_ms: int) -> None:
    time = Time(stop_s=1)
    periods = Periods({("device", "fast"): period_ms}, 500)
    sink = Kept()
    gatherer = Gatherer(Directory(Identity("a", "0", ingest_pb2.Node())), catalogue(), sink)
    assert Sampler([], gatherer, periods, time.clock)._settle_s <= 0.03
