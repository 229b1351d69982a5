"""What a collector promises to agents on the stream, by the program itself over its embedded store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from steelyard_proto.v1 import batch_pb2, ingest_pb2
from steelyard_tui.client import connect
from tests.standins.ingest_client import (
    DEVICE,
    EVENT,
    HOST,
    NOW_MS,
    Sent,
    Stream,
    batch,
    counters,
    device,
    events,
    hello,
    lost,
)
from tests.standins.programs import Collector, end

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    collector = Collector(tmp_path_factory.mktemp("contract"))
    try:
        collector.serve()
        yield collector
    finally:
        end([collector])


@pytest.fixture
def channel(collector: Collector) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(collector.address) as channel:
        yield channel


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An agent of this test alone."""
    return str(request.node.name)


def rows(collector: Collector, query: str, **parameters: str) -> list[dict[str, Any]]:
    with connect(collector.address) as client:
        found: list[dict[str, Any]] = client.sql(query, parameters).table.to_pylist()
        return found


def gaps(collector: Collector, name: str) -> list[tuple[int, int, str]]:
    sql = "SELECT seq_from, seq_to, reason FROM gaps WHERE node = {node:String} ORDER BY kind, seq_from"
    return [(row["seq_from"], row["seq_to"], row["reason"]) for row in rows(collector, sql, node=f"node-{name}")]


def codes(collector: Collector, name: str) -> list[str]:
    sql = "SELECT code FROM events WHERE node = {node:String} ORDER BY ts, code"
    return [row["code"] for row in rows(collector, sql, node=f"node-{name}")]


def test_a_new_stream_resumes_behind_what_is_acknowledged(channel: grpc.Channel, name: str) -> None:
    with Stream(channel) as stream:
        assert list(stream.greet(hello(name)).committed) == []
        stream.send(batch(stream.agent, 1), batch(stream.agent, 2), events(stream.agent, 1, "a"))
        stream.await_ack(HOST, 2)
        stream.await_ack(EVENT, 1)
    with Stream(channel) as stream:
        welcome = stream.greet(hello(name))
        assert {item.kind: item.seq for item in welcome.committed} == {HOST: 2, EVENT: 1}
        assert welcome.max_message_bytes > 1 << 20
        assert welcome.wants.flush_ms > 0


def test_a_kill_of_the_collector_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    try:
        collector.serve()
        with grpc.insecure_channel(collector.address) as channel, Stream(channel) as stream:
            number = stream.greet(hello("k")).agent
            stream.send(batch(number, 1), lost(EVENT, 1, 4), events(number, 5, "after"))
            stream.await_ack(HOST, 1)
            stream.await_ack(EVENT, 5)
        with grpc.insecure_channel(collector.address) as channel, Stream(channel) as stream:
            # The newest block of its kind isn't the first agent's.
            other = stream.greet(hello("other")).agent
            stream.send(events(other, 1, "first"), lost(EVENT, 2, 3))
            stream.await_ack(EVENT, 3)
        collector.kill()
        collector.serve()
        with grpc.insecure_channel(collector.address) as channel, Stream(channel) as stream:
            welcome = stream.greet(hello("k"))
            assert welcome.agent == number
            assert {item.kind: item.seq for item in welcome.committed} == {HOST: 1, EVENT: 5}
        with grpc.insecure_channel(collector.address) as channel, Stream(channel) as stream:
            assert {item.kind: item.seq for item in stream.greet(hello("other")).committed} == {EVENT: 3}
    finally:
        end([collector])


def test_repeats_are_dropped(collector: Collector, channel: grpc.Channel, name: str) -> None:
    with Stream(channel) as stream:
        number = stream.greet(hello(name)).agent
        stream.send(*[events(number, seq, f"e{seq}") for seq in (1, 2, 1, 2, 2, 3)])
        stream.await_ack(EVENT, 3)
    with Stream(channel) as stream:
        stream.greet(hello(name))
        stream.send(*[events(number, seq, f"e{seq}") for seq in (1, 2, 3, 4)])
        stream.await_ack(EVENT, 4)
    assert codes(collector, name) == ["e1", "e2", "e3", "e4"]


def test_a_gap_is_refused_until_it_is_declared(collector: Collector, channel: grpc.Channel, name: str) -> None:
    with Stream(channel) as stream:
        number = stream.greet(hello(name)).agent
        stream.send(events(number, 1, "e1"), events(number, 3, "e3"))
        status, words, _ = stream.refusal()
        assert (status, words.partition(":")[0]) == (INVALID, "records.seq")
        assert "is 3 after 1; declare what lies between as Lost" in words
    with Stream(channel) as stream:
        stream.greet(hello(name, lost=[ingest_pb2.Lost(kind=EVENT, seq_from=2, seq_to=2, reason="damaged")]))
        stream.send(events(number, 3, "e3"), lost(EVENT, 4, 9), lost(EVENT, 4, 9), events(number, 10, "e10"))
        stream.await_ack(EVENT, 10)
    assert codes(collector, name) == ["e1", "e3", "e10"]
    assert gaps(collector, name) == [(2, 2, "damaged"), (4, 9, "ring_full")]


def test_metrics_that_only_a_newer_agent_knows_are_kept(collector: Collector, channel: grpc.Channel, name: str) -> None:
    newer = batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1, 60_001], counters=[25, 60_002], devices=[1])
    with Stream(channel) as stream:
        stream.greet(hello(name, layouts=[newer]))
        stream.send(batch(stream.agent, 1, 1, (0.5, 0.25), counters=counters(10, 1 << 40)))
        stream.await_ack(DEVICE, 1)
    sql = """
        SELECT metric_id, value FROM unknown_metrics AS m JOIN devices AS d ON d.device_id = m.device_id
        WHERE d.uid = {uid:String} ORDER BY metric_id"""
    found = [(row["metric_id"], row["value"]) for row in rows(collector, sql, uid=f"{name}-a")]
    assert found == [(60_001, 0.25), (60_002, float(1 << 40))]


def test_layouts_change_in_the_middle_of_a_stream(collector: Collector, channel: grpc.Channel, name: str) -> None:
    more = ingest_pb2.Describe(
        devices=[device(2, f"{name}-b")],
        layouts=[
            batch_pb2.Layout(id=3, kind=DEVICE, gauges=[1], devices=[2, 1]),
            batch_pb2.Layout(id=4, kind=DEVICE, gauges=[60_000, 1], counters=[60_001], devices=[1]),
        ],
    )
    with Stream(channel) as stream:
        number = stream.greet(hello(name)).agent
        stream.send(batch(number, 1, 1, [0.25], counters=counters(7)))
        stream.send(ingest_pb2.AgentMessage(describe=more))
        stream.send(
            batch(number, 2, 3, [0.5, 0.75]), batch(number, 3, 1, [float("nan")], counters=counters(-(1 << 63)))
        )
        # Metrics that this catalogue doesn't know are kept beside those that it does.
        stream.send(batch(number, 4, 4, [42.0, 1.0], counters=counters(43)))
        stream.await_ack(DEVICE, 4)
    collector_rows = rows(
        collector,
        "SELECT uid, toUnixTimestamp64Milli(ts) - {now:Int64} AS ms, busy FROM device_history "
        "WHERE level = 'raw' AND node = {node:String} ORDER BY ms, uid",
        node=f"node-{name}",
        now=str(NOW_MS),
    )
    first = f"{name}-a"
    assert [(row["uid"], row["ms"], row["busy"]) for row in collector_rows] == [
        (first, 1000, 0.25),
        (first, 2000, 0.75),
        (f"{name}-b", 2000, 0.5),
        (first, 3000, None),
        (first, 4000, 1.0),
    ]


def test_a_good_end_acknowledges_the_last_message(channel: grpc.Channel, name: str) -> None:
    with Stream(channel) as stream:
        number = stream.greet(hello(name)).agent
        stream.send(batch(number, 1), batch(number, 2), events(number, 1, "bye"))
        assert stream.end() == {HOST: 2, EVENT: 1}
        assert stream.call.code() is grpc.StatusCode.OK


def test_the_newer_of_two_streams_speaks_for_the_agent(collector: Collector, channel: grpc.Channel, name: str) -> None:
    with Stream(channel) as older, Stream(channel) as newer:
        number = older.greet(hello(name)).agent
        older.send(events(number, 1, "e1"))
        older.await_ack(EVENT, 1)
        assert newer.greet(hello(name)).agent == number
        newer.send(events(number, 2, "e2"))
        newer.await_ack(EVENT, 2)
        older.send(events(number, 3, "never"))
        status, words, _ = older.refusal()
        assert (status, words) == (grpc.StatusCode.ABORTED, "another stream speaks for this agent now")
        newer.send(events(number, 3, "e3"))
        newer.await_ack(EVENT, 3)
    assert codes(collector, name) == ["e1", "e2", "e3"]


def test_a_stream_of_an_older_epoch_says_nothing_in_the_newer(
    collector: Collector, channel: grpc.Channel, name: str
) -> None:
    with Stream(channel) as older, Stream(channel) as newer:
        number = older.greet(hello(name, epoch=7)).agent
        # Refused, but its epoch has come: the older stream's first event must not pass for one of it.
        newer.send(ingest_pb2.AgentMessage(hello=hello(name, epoch=8, lost=[ingest_pb2.Lost()])))
        assert newer.refusal()[0] is INVALID
        older.send(events(number, 1, "of epoch 7"))
        assert older.refusal()[0] is grpc.StatusCode.ABORTED
    with Stream(channel) as stream:
        stream.greet(hello(name, epoch=8))
        stream.send(events(number, 1, "of epoch 8"))
        stream.await_ack(EVENT, 1)
    assert codes(collector, name) == ["of epoch 8"]


def records(kind: int, **rows: Any) -> Callable[[int], Sent]:
    def make(number: int) -> Sent:
        made = batch_pb2.Records(kind=kind, agent=number, seq=1, **rows)  # type: ignore[arg-type]
        return ingest_pb2.AgentMessage(records=made)

    return make


def layout(**fields: Any) -> Callable[[int], Sent]:
    whole: dict[str, Any] = {"id": 9, "kind": DEVICE, "gauges": [1], "devices": [1]}
    made = ingest_pb2.Describe(layouts=[batch_pb2.Layout(**{**whole, **fields})])
    return lambda number: ingest_pb2.AgentMessage(describe=made)


def devices(*made: batch_pb2.Device) -> Callable[[int], Sent]:
    return lambda number: ingest_pb2.AgentMessage(describe=ingest_pb2.Describe(devices=made))


FAR = 1 << 60
PROCESS, JOB = batch_pb2.KIND_PROCESS, batch_pb2.KIND_JOB_INTERVAL
STEP, TRAINING = batch_pb2.KIND_STEP, batch_pb2.KIND_TRAINING
REFUSED: list[tuple[str, Callable[[int], Sent]]] = [
    ("message", lambda number: b"\xff\xff\xff"),
    ("message", lambda number: b""),
    ("message", lambda number: ingest_pb2.AgentMessage(hello=hello("again"))),
    ("batch.agent", lambda number: batch(number + 1, 1)),
    ("batch.layout", lambda number: batch(number, 1, 99)),
    ("batch.seq", lambda number: batch(number, 2)),
    ("batch.ts_ms", lambda number: batch(number, 1, ts_ms=b"short")),
    ("batch.ts_ms", lambda number: batch(number, 1, ts_ms=counters(NOW_MS, NOW_MS), gauges=[1, 2])),
    ("batch.gauges", lambda number: batch(number, 1, gauges=[1, 2])),
    ("batch.counters", lambda number: batch(number, 1, counters=counters(1))),
    ("records.agent", lambda number: events(number + 1, 1, "x")),
    ("records.seq", lambda number: events(number, 2, "x")),
    ("records.kind", records(HOST)),
    ("records.events", records(EVENT)),
    ("records.processes", records(EVENT, processes=[batch_pb2.Process()])),
    ("records.events.ts_ms", records(EVENT, events=[batch_pb2.Event(ts_ms=NOW_MS), batch_pb2.Event(ts_ms=1)])),
    ("records.events[0].device", records(EVENT, events=[batch_pb2.Event(ts_ms=NOW_MS, device=9)])),
    ("records.processes[0].device", records(PROCESS, processes=[batch_pb2.Process(ts_ms=NOW_MS)])),
    (
        "records.processes[0].start_ms",
        records(PROCESS, processes=[batch_pb2.Process(ts_ms=NOW_MS, device=1, start_ms=FAR)]),
    ),
    (
        "records.job_intervals[0].from_ms",
        records(JOB, job_intervals=[batch_pb2.JobInterval(ts_ms=NOW_MS, device=1, from_ms=-1)]),
    ),
    (
        "records.job_intervals[0].to_ms",
        records(JOB, job_intervals=[batch_pb2.JobInterval(ts_ms=NOW_MS, device=1, to_ms=FAR)]),
    ),
    ("records.steps[0].begin_ms", records(STEP, steps=[batch_pb2.Step(ts_ms=NOW_MS, begin_ms=FAR)])),
    ("records.steps[0].step_time_s", records(STEP, steps=[batch_pb2.Step(ts_ms=NOW_MS, step_time_s=float("inf"))])),
    ("records.trainings[0].start_ms", records(TRAINING, trainings=[batch_pb2.Training(ts_ms=NOW_MS, start_ms=-FAR)])),
    (
        "records.trainings[0].price_per_device_hour",
        records(TRAINING, trainings=[batch_pb2.Training(ts_ms=NOW_MS, price_per_device_hour=float("nan"))]),
    ),
    ("describe.layouts[0].id", layout(id=0)),
    ("describe.layouts[0].id", layout(id=1, gauges=[1, 2])),
    ("describe.layouts[0].kind", layout(kind=EVENT)),
    ("describe.layouts[0].gauges", layout(gauges=[1, 1])),
    ("describe.layouts[0].devices", layout(devices=[7])),
    ("describe.devices[0].key", devices(device(0, "u"))),
    ("describe.devices[0].key", devices(device(1, "another than before"))),
    ("describe.devices[0].uid", devices(device(3, ""))),
    ("describe.devices[0].vendor", devices(batch_pb2.Device(key=3, uid="u"))),
    (
        "describe.devices[0].library_version",
        devices(batch_pb2.Device(key=3, uid="u", vendor="v", library_version="x" * 2000)),
    ),
    ("describe.devices[0].power_scope", devices(batch_pb2.Device(key=3, uid="u", vendor="v", power_scope="x" * 2000))),
    ("describe.devices[0].notes[k]", devices(batch_pb2.Device(key=3, uid="u", vendor="v", notes={"k": "x" * 2000}))),
    ("lost.kind", lambda number: lost(0, 1, 1)),
    ("lost.seq_from", lambda number: lost(EVENT, 2, 1)),
    ("lost.seq_from", lambda number: lost(EVENT, 3, 4)),
    # Sequence numbers are 32 bits wide in the store.
    ("lost.seq_to", lambda number: lost(EVENT, 1, 1 << 32)),
    ("lost.from_ms", lambda number: lost(EVENT, 1, 1, from_ms=5)),
]


@pytest.mark.parametrize(("field", "make"), REFUSED, ids=[f"{i}-{field}" for i, (field, _) in enumerate(REFUSED)])
def test_a_refusal_names_the_field(channel: grpc.Channel, field: str, make: Callable[[int], Sent]) -> None:
    with Stream(channel) as stream:
        number = stream.greet(hello("refused")).agent
        stream.send(make(number))
        status, words, trailers = stream.refusal()
        assert (status, words.partition(": ")[0]) == (INVALID, field)
        assert len(words) > len(field) + 5
        is_about_content = field.startswith(("batch.ts", "batch.gau", "batch.cou", "records.")) and not field.endswith(
            (".agent", ".seq")
        )
        # What can never be taken names the message, which the agent declares as lost.
        assert ("steelyard-seq" in trailers) == is_about_content


HELLOS: list[tuple[str, dict[str, Any]]] = [
    ("hello.agent_id", {"agent_id": ""}),
    ("hello.epoch", {"epoch": 0}),
    ("hello.node.name", {"node": ingest_pb2.Node()}),
    ("hello.node.kernel", {"node": ingest_pb2.Node(name="n", kernel="x" * 2000)}),
    ("hello.node.labels", {"node": ingest_pb2.Node(name="n", labels={str(n): "" for n in range(100)})}),
    ("hello.devices[1].uid", {"devices": [device(1, "a"), device(2, "")]}),
    ("hello.layouts[0].gauges", {"layouts": [batch_pb2.Layout(id=1, kind=HOST)]}),
    ("hello.lost[0].kind", {"lost": [ingest_pb2.Lost(seq_from=1, seq_to=1)]}),
]


@pytest.mark.parametrize(("field", "change"), HELLOS, ids=[field for field, _ in HELLOS])
def test_a_refused_hello_names_the_field(channel: grpc.Channel, name: str, field: str, change: dict[str, Any]) -> None:
    said = hello(name, **{key: value for key, value in change.items() if key not in ("agent_id", "epoch")})
    for key in change.keys() & {"agent_id", "epoch"}:
        setattr(said, key, change[key])
    with Stream(channel) as stream:
        stream.send(ingest_pb2.AgentMessage(hello=said))
        status, words, _ = stream.refusal()
        assert (status, words.partition(": ")[0]) == (INVALID, field)


def test_a_stream_begins_with_hello(channel: grpc.Channel) -> None:
    with Stream(channel) as stream:
        stream.send(batch(1, 1))
        assert stream.refusal()[:2] == (INVALID, "message: the first message of a stream is Hello")


def test_what_a_newer_agent_adds_is_skipped_and_told_and_the_rest_goes_on(
    collector: Collector, channel: grpc.Channel, name: str
) -> None:
    newer = 40
    with Stream(channel) as stream:
        said = hello(name)
        said.layouts.append(batch_pb2.Layout(id=5, kind=newer + 1, gauges=[1]))  # type: ignore[arg-type]
        number = stream.greet(said).agent
        stream.send(
            *[
                ingest_pb2.AgentMessage(records=batch_pb2.Records(kind=newer, agent=number, seq=seq))
                for seq in (1, 2, 3)
            ]
        )  # type: ignore[arg-type]
        stream.send(batch(number, 1, 5, [1.0]), events(number, 1, "known"), lost(newer, 4, 5))
        for kind, seq in ((newer, 5), (newer + 1, 1), (EVENT, 1)):
            stream.await_ack(kind, seq)
    with Stream(channel) as stream:
        welcome = stream.greet(hello(name))
        assert {item.kind: item.seq for item in welcome.committed} == {newer: 5, newer + 1: 1, EVENT: 1}
    assert codes(collector, name) == ["known"]
    told = gaps(collector, name)
    assert told[:3] == [(1, 1, "unknown_kind"), (2, 2, "unknown_kind"), (3, 3, "unknown_kind")]
    assert told[3:] == [(4, 5, "ring_full"), (1, 1, "unknown_kind")]
