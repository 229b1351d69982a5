"""Ten thousand truncated, random and hostile messages on every service of the program: it refuses and goes on."""

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from steelyard_proto.v1 import batch_pb2, control_pb2, ingest_pb2, query_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_client import HOST, NOW_MS, PATIENCE_S, Stream, batch, counters, device, events, hello, lost
from tests.standins.programs import Collector, end

SEED = 20_261_125
ASKED, INGEST, HTTP = 3_000, 6_700, 300
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# What a refusal may look like; UNKNOWN would be a fault of ours that nobody expected.
CLEAR = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    collector = Collector(tmp_path_factory.mktemp("hostile"), "--max-disk", "1GB")
    try:
        collector.serve()
        yield collector
    finally:
        end([collector])


@pytest.fixture
def channel(collector: Collector) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(collector.address) as channel:
        yield channel


def rss_bytes(collector: Collector) -> int:
    assert collector.process is not None
    status = Path(f"/proc/{collector.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024


def assert_serves(channel: grpc.Channel, epoch: int) -> None:
    """A good agent gets its acknowledgement."""
    with Stream(channel) as stream:
        number = stream.greet(hello("good", epoch)).agent
        stream.send(batch(number, 1))
        stream.await_ack(HOST, 1)


def spoiled(chance: random.Random, data: bytes) -> bytes:
    """Cut, mixed up, repeated, or other bytes altogether."""
    how = chance.randrange(5)
    if how == 0 or not data:
        return chance.randbytes(chance.randrange(300))
    if how == 1:
        return data[: chance.randrange(len(data))]
    if how == 2:
        spot = chance.randrange(len(data))
        return data[:spot] + chance.randbytes(1 + chance.randrange(4)) + data[spot + 1 :]
    return data * 2 if how == 3 else data


NUMBERS = (0, 1, 2, 7, 1 << 16, (1 << 31) - 1, (1 << 32) - 1)
LONGS = (*NUMBERS, 1 << 32, (1 << 63) - 1)
TIMES = (0, 1, -1, NOW_MS, NOW_MS + 1, NOW_MS + 86_400_000, -(1 << 63), (1 << 63) - 1)
TEXTS = ("", "x", "\0", "'; DROP TABLE raw_host", "\u202e\U0001f4a9", "x" * 5000, "../../etc/passwd")
IDS = ("00000000-0000-4000-8000-000000000001", "", "x" * 36, "00000000-0000-4000-8000-00000000000A")
FLOATS = (0.0, -1.0, 1e308, float("nan"), float("inf"), float("-inf"))


def hostile_agent_message(chance: random.Random, agent: int, seq: int) -> bytes:
    """Well-formed, about what the next message would be, with one thing or another that no agent says."""
    pick: Callable[..., object] = chance.choice
    made: list[Callable[[], object]] = [
        lambda: batch(agent, seq, pick((1, 2, 3)), [pick((0.5, *FLOATS[:2], FLOATS[3]))], counters=counters(7)),
        lambda: batch(agent, pick(LONGS)),
        lambda: batch(agent, seq, ts_ms=counters(*[pick(TIMES) for _ in range(chance.randrange(3))])),
        lambda: events(agent, seq, pick(TEXTS), text=pick(TEXTS)),
        lambda: lost(chance.randrange(300), pick(LONGS), pick(LONGS), from_ms=pick(TIMES), to_ms=pick(TIMES)),
        lambda: ingest_pb2.AgentMessage(describe=_describe(pick)),
        lambda: ingest_pb2.AgentMessage(records=_records(chance, agent, seq)),
        lambda: ingest_pb2.AgentMessage(hello=hello("hostile", 9)),
        lambda: ingest_pb2.AgentMessage(answer=_answer(pick)),
    ]
    message = pick(made)()  # type: ignore[operator]
    return message if isinstance(message, bytes) else message.SerializeToString()  # type: ignore[no-any-return]


def _describe(pick: Callable[..., object]) -> ingest_pb2.Describe:
    layout = batch_pb2.Layout(
        id=pick(NUMBERS), kind=pick((0, 1, 2, 3, 4, 5, 40)), gauges=[pick(NUMBERS), 1], counters=[pick((25, 100))],
        devices=[pick((1, 2))],
    )  # fmt: skip
    odd = batch_pb2.Device(key=pick(NUMBERS), uid=pick(TEXTS), vendor="v", numa_node=-1, notes={pick(TEXTS): "x"})
    odd.memory_bytes = (1 << 64) - 1
    return ingest_pb2.Describe(devices=[odd, device(pick((1, 2)), pick(TEXTS))], layouts=[layout])


def _records(chance: random.Random, agent: int, seq: int) -> batch_pb2.Records:
    pick = chance.choice
    kind = pick((5, 6, 7, 8, 9, 9, 8, 10, 10, 11, 11, 12, 12, 40))
    records = batch_pb2.Records(kind=kind, agent=agent, seq=seq)
    most, least = (1 << 64) - 1, -(1 << 31)
    if kind == 5:
        records.processes.add(
            ts_ms=NOW_MS, device=1, start_ms=pick(TIMES), hbm_used_bytes=most, rank=least, cpu_share=pick((0.5, -1.0))
        )
    elif kind == 7:
        records.job_intervals.add(
            ts_ms=NOW_MS, device=1, job=pick(TEXTS), from_ms=pick(TIMES), to_ms=pick(TIMES), ranks=[least] * 3
        )
    elif kind == 8:
        records.steps.add(
            ts_ms=NOW_MS, begin_ms=pick(TIMES), step=most, tokens=most, total_tokens=most, total_s=pick(FLOATS)
        )
    elif kind == 9:
        records.trainings.add(
            ts_ms=NOW_MS, start_ms=pick(TIMES), parameters=most, price_per_device_hour=pick(FLOATS),
            origins={pick(TEXTS): pick(TEXTS)},
        )  # fmt: skip
    _add_profiles(records, pick)
    return records


def _add_profiles(records: batch_pb2.Records, pick: Callable[..., Any]) -> None:
    most, least = (1 << 64) - 1, -(1 << 31)
    if records.kind == 10:
        records.profiles.add(
            ts_ms=pick((NOW_MS, *TIMES)), id=pick(IDS), written_ms=pick(TIMES), start_ms=pick(TIMES), to_ms=pick(TIMES),
            job=pick(TEXTS), rank=least, devices=pick(NUMBERS), steps=pick(NUMBERS), window_ns=most,
            communication_ns=pick(LONGS), overlapped_ns=most, loss_s=pick(FLOATS), loss_high_s=pick(FLOATS),
            sampled_hz=pick(FLOATS), notes=[pick(TEXTS)] * 3, trace_bytes=most,
        )  # fmt: skip
    elif records.kind == 11:
        records.profile_rows.add(
            ts_ms=NOW_MS, device=pick((1, 1, 9)), profile=pick(IDS), by=pick(TEXTS), layer=pick(TEXTS), count=most,
            name=pick(TEXTS), total_ns=most, min_ns=most, flops=pick(FLOATS), shapes=pick(TEXTS),
        )  # fmt: skip
    elif records.kind == 12:
        records.stacks.add(
            ts_ms=NOW_MS, profile=pick(IDS), frames=[pick(TEXTS)] * pick((0, 1, 2000)), duration_ns=most, samples=most
        )


def _answer(pick: Callable[..., Any]) -> ingest_pb2.Answer:
    return ingest_pb2.Answer(
        id=pick((*IDS, *TEXTS)), state=pick(TEXTS), text=pick(TEXTS), profile=pick(IDS), piece=b"x" * pick((0, 4096)),
        total_bytes=pick(LONGS), file_name=pick(TEXTS), is_last=pick((True, False)),
    )  # fmt: skip


def test_the_ingest_stream(collector: Collector, channel: grpc.Channel) -> None:
    chance = random.Random(SEED)
    before = 0
    refusals = []
    sent = streams = 0
    while sent < INGEST:
        streams += 1
        with Stream(channel) as stream:
            if streams % 4 == 0:
                whole = ingest_pb2.AgentMessage(hello=hello("hostile", 9)).SerializeToString()
                stream.send(spoiled(chance, whole))
                sent += 1
            else:
                # A new epoch now and then, so that the numbers below are the next ones.
                stream.greet(hello(f"hostile-{streams % 5}", 10 + streams))
            count = chance.randrange(20, 90)
            stream.send(*[spoiled_or_not(chance, stream.agent, seq) for seq in range(1, count)])
            sent += count
            stream.send(b"\xff\xff\xff\xff")
            status, words, _ = stream.refusal()
            refusals.append((status, bool(words)))
        if streams == 30:
            before = rss_bytes(collector)
    assert {status for status, _ in refusals} == {grpc.StatusCode.INVALID_ARGUMENT}
    assert all(has_words for _, has_words in refusals)
    assert_serves(channel, 1)
    assert rss_bytes(collector) - before < 200_000_000


def spoiled_or_not(chance: random.Random, agent: int, seq: int) -> bytes:
    data = hostile_agent_message(chance, agent, seq)
    return spoiled(chance, data) if chance.random() < 0.2 else data


def test_the_services_that_answer_questions(collector: Collector, channel: grpc.Channel) -> None:
    chance = random.Random(SEED)
    methods = {
        "/steelyard.v1.Query/Sql": query_pb2.SqlRequest(query="SELECT 1", max_rows=1).SerializeToString(),
        "/steelyard.v1.Control/Profile": control_pb2.ProfileRequest(job="17", ranks=[0]).SerializeToString(),
        "/steelyard.v1.Control/Fetch": control_pb2.FetchRequest(profile=IDS[0]).SerializeToString(),
        "/steelyard.v1.Control/Pause": control_pb2.PauseRequest(reason="x").SerializeToString(),
        "/steelyard.v1.Query/Watch": query_pb2.WatchRequest(view="nodes", columns=["node"]).SerializeToString(),
        "/grpc.health.v1.Health/Check": b"\n\x13steelyard.v1.Ingest",
        "/grpc.health.v1.Health/Watch": b"",
        "/steelyard.v1.Ingest/Nothing": b"",
        REFLECTION: b"\x12\x05Query",
    }
    # A question that is answered costs more than all the others.
    weights = [1, 1, 1, 1, 1, 15, 15, 15, 15]
    before = 0
    pending = []
    for count in range(ASKED):
        method, good = chance.choices(list(methods.items()), weights)[0]
        data = spoiled(chance, good)
        call = channel.stream_stream(method)(iter([data]), timeout=PATIENCE_S)
        pending.append((method, data, call))
        if len(pending) == 50:
            assert [wrong for one in pending if (wrong := _judged(*one))] == []
            pending = []
        if count == 1_000:
            before = rss_bytes(collector)
    assert_serves(channel, 2)
    assert rss_bytes(collector) - before < 200_000_000


def _judged(method: str, data: bytes, call: grpc.Call) -> str:
    """What is wrong with an answer; empty for nothing."""
    try:
        next(iter(call), None)  # type: ignore[call-overload]
    except grpc.RpcError:
        # Health says of a service that it doesn't know nothing but NOT_FOUND, as its protocol has it.
        has_words = call.details() or call.code() is grpc.StatusCode.NOT_FOUND
        if call.code() not in CLEAR or not has_words:
            return f"{method} {data!r}: {call.code()} {call.details()}"
    call.cancel()
    return ""


def test_oversized_messages(collector: Collector, channel: grpc.Channel) -> None:
    before = rss_bytes(collector)
    for _ in range(20):
        with Stream(channel) as stream:
            number = stream.greet(hello("large")).agent
            stream.send(events(number, 1, "x" * (5 << 20)))
            status, words, _ = stream.refusal()
            assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in words
    assert_serves(channel, 3)
    assert rss_bytes(collector) - before < 200_000_000


def test_the_http_door(collector: Collector, channel: grpc.Channel) -> None:
    chance = random.Random(SEED)
    host, _, port = collector.http.rpartition(":")
    good = b"POST /?query=SELECT%201 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    before = rss_bytes(collector)
    for _ in range(HTTP):
        with closing(socket.create_connection((host, int(port)), PATIENCE_S)) as door:
            try:
                door.sendall(spoiled(chance, good))
                door.shutdown(socket.SHUT_WR)
                answer = door.recv(65_536)
            except ConnectionError:
                continue
            assert not answer or answer.startswith((b"HTTP/1.", b"<!DOCTYPE")), answer
    assert_serves(channel, 4)
    assert rss_bytes(collector) - before < 200_000_000


def test_afterwards_it_ends_in_good_order(collector: Collector) -> None:
    started_s = time.monotonic()
    collector.terminate()
    until(lambda: collector.code is not None)
    assert collector.code == 0, collector.said[-3000:]
    assert "Traceback" not in collector.said, collector.said[-3000:]
    assert time.monotonic() - started_s < PATIENCE_S
