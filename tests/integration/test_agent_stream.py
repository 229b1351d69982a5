"""The sender over a real ring, a real channel and a real Ingest server."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.sending.channel import Target
from steelyard_agent.sending.sender import Sender
from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import START_MS, Parts, until
from tests.standins.ingest_server import Behaviour, IngestServer

DEVICES = batch_pb2.KIND_DEVICE_SAMPLES


@pytest.fixture
def server() -> Iterator[IngestServer]:
    with IngestServer() as running:
        yield running


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.ring.close()


def start(parts: Parts, server: IngestServer, **facts: object) -> Sender:
    sender = Sender(parts.ring, parts.directory, Target(server.address, **facts), time.time, draw=lambda: 0.0)  # type: ignore[arg-type]
    sender.start()
    return sender


def acked(sender: Sender, count: int) -> None:
    until(lambda: sender.state.acked >= count)


def test_sends_what_was_spooled_before_and_after_the_start(parts: Parts, server: IngestServer) -> None:
    parts.spool(3)
    sender = start(parts, server)
    acked(sender, 3)
    parts.spool(2, devices=3)
    sender.wake()
    acked(sender, 5)
    sender.stop(2)
    assert server.seen.numbers(DEVICES) == [1, 2, 3, 4, 5]
    assert server.seen.faults == []
    assert [d.uid for d in server.seen.hellos[0].devices] == ["GPU-0", "GPU-1"]
    assert [d.uid for news in server.seen.describes for d in news.devices] == ["GPU-2"]


def test_clock_offset_and_flush_interval_are_taken_over(parts: Parts, server: IngestServer) -> None:
    server.behaviour.flush_ms = 2500
    sender = start(parts, server)
    until(lambda: sender.state.is_connected)
    assert sender.state.flush_ms == 2500
    assert sender.state.offset_ms is not None
    assert abs(sender.state.offset_ms) < 1000
    sender.stop(2)


def test_resumes_behind_what_is_committed(parts: Parts, server: IngestServer) -> None:
    server.behaviour.welcome_at = {DEVICES: 3}
    parts.spool(5)
    sender = start(parts, server)
    acked(sender, 2)
    sender.stop(2)
    assert server.seen.numbers(DEVICES) == [4, 5]
    assert server.seen.repeats == 0


def test_a_cut_stream_goes_on_without_gap_or_repeat(parts: Parts, server: IngestServer) -> None:
    server.behaviour.cut_after = 2
    parts.spool(6)
    sender = start(parts, server)
    until(lambda: server.seen.numbers(DEVICES) == [1, 2, 3, 4, 5, 6])
    sender.stop(2)
    assert len(server.seen.hellos) == 2
    assert sender.state.reconnects == 1
    assert server.seen.faults == []


def test_a_refused_message_is_declared_lost_and_the_next_goes_on(parts: Parts, server: IngestServer) -> None:
    server.behaviour.refuse.add((DEVICES, 3))
    parts.spool(5)
    sender = start(parts, server)
    until(lambda: server.seen.numbers(DEVICES) == [1, 2, 4, 5])
    sender.stop(2)
    kind, lost = server.seen.lost[0]
    assert (kind, lost.seq_from, lost.seq_to, lost.reason) == (DEVICES, 3, 3, "refused")
    assert lost.from_ms == lost.to_ms == START_MS + 3000
    assert sender.state.refused == 1
    assert parts.ring.counts.lost == 1
    assert server.seen.faults == []


def test_a_message_over_the_limit_is_declared_lost(parts: Parts, server: IngestServer) -> None:
    server.behaviour.max_message_bytes = 100
    parts.spool(1, devices=40)
    parts.spool(1, devices=1)
    sender = start(parts, server)
    until(lambda: server.seen.numbers(DEVICES) == [2])
    sender.stop(2)
    assert [(lost.seq_from, lost.reason) for _, lost in server.seen.lost] == [(1, "refused")]


def test_an_overflowing_ring_declares_the_oldest_lost(tmp_path: Path, server: IngestServer) -> None:
    parts = Parts(tmp_path, max_bytes=256 * 1024)
    parts.spool(400, devices=100)
    dropped = parts.ring.counts.lost
    assert 0 < dropped < 400
    assert parts.ring.bytes_on_disk() <= 256 * 1024
    sender = start(parts, server)
    acked(sender, 400 - dropped)
    sender.stop(2)
    assert server.seen.numbers(DEVICES) == list(range(dropped + 1, 401))
    declared = [(lost.seq_from, lost.seq_to, lost.reason) for _, lost in server.seen.lost]
    assert declared == [(1, dropped, "ring_full")]
    assert server.seen.lost[0][1].from_ms == START_MS + 1000
    assert server.seen.faults == []
    parts.ring.close()


def test_a_damaged_frame_is_declared_lost(tmp_path: Path, server: IngestServer) -> None:
    parts = Parts(tmp_path)
    parts.spool(1)
    segment = next((tmp_path / "spool").glob("segment-*"))
    middle = segment.stat().st_size + 20
    parts.spool(2)
    parts.ring.sync()
    with segment.open("r+b") as file:
        file.seek(middle)
        byte = file.read(1)
        file.seek(middle)
        file.write(bytes([byte[0] ^ 0xFF]))
    sender = start(parts, server)
    until(lambda: server.seen.numbers(DEVICES) == [1, 3])
    sender.stop(2)
    assert [(lost.seq_from, lost.seq_to, lost.reason) for _, lost in server.seen.lost] == [(2, 2, "damaged")]
    parts.ring.close()


def test_an_old_spool_begins_a_new_epoch(parts: Parts, server: IngestServer) -> None:
    server.behaviour.welcome_at = {DEVICES: 100}
    parts.spool(2)
    first_epoch = parts.ring.epoch
    sender = start(parts, server)
    until(lambda: len(server.seen.hellos) >= 1 and parts.ring.epoch > first_epoch)
    server.behaviour.welcome_at = None
    parts.spool(1)
    sender.wake()
    acked(sender, 1)
    sender.stop(2)
    assert server.seen.numbers(DEVICES) == [1]
    assert [hello.epoch for hello in server.seen.hellos[:2]] == [first_epoch, parts.ring.epoch]


def test_recovers_when_the_collector_comes_back(
    parts: Parts, server: IngestServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="steelyard_agent")
    server.stop()
    parts.spool(2)
    sender = start(parts, server)
    until(lambda: sum("gRPC says" in record.message for record in caplog.records) >= 2)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, "the same trouble is told once"
    assert server.address in warnings[0]
    assert "steelyard-collector daemon" in warnings[0]
    server.start()
    acked(sender, 2)
    server.stop()
    parts.spool(1)
    sender.wake()
    server.start()
    acked(sender, 3)
    sender.stop(2)
    assert server.seen.numbers(DEVICES) == [1, 2, 3]
    assert server.seen.faults == []


def test_unacknowledged_messages_are_sent_again(parts: Parts, server: IngestServer) -> None:
    server.behaviour.acks = False
    parts.spool(3)
    sender = start(parts, server)
    until(lambda: server.seen.numbers(DEVICES) == [1, 2, 3])
    assert parts.ring.bytes_on_disk() > 0
    sender.stop(2)
    server.behaviour.acks = True
    server._service.last.clear()
    server.seen.messages.clear()
    again = start(parts, server)
    acked(again, 3)
    again.stop(2)
    assert server.seen.numbers(DEVICES) == [1, 2, 3]


def test_a_wrong_token_is_told_with_its_remedy(
    parts: Parts, server: IngestServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    server.behaviour.token = "right"
    token = tmp_path / "token"
    token.write_text("wrong\n")
    parts.spool(1)
    sender = start(parts, server, token_file=token)
    until(lambda: any("--token-file" in record.getMessage() for record in caplog.records))
    token.write_text("right\n")
    acked(sender, 1)
    sender.stop(2)


def test_stop_sends_what_is_left(parts: Parts, server: IngestServer) -> None:
    sender = start(parts, server)
    until(lambda: sender.state.is_connected)
    parts.spool(50)
    sender.stop(20)
    until(lambda: server.seen.numbers(DEVICES) == list(range(1, 51)))


def test_stop_without_a_collector_is_quick(parts: Parts) -> None:
    sender = Sender(parts.ring, parts.directory, Target("127.0.0.1:1"), time.time)
    sender.start()
    until(lambda: bool(sender.state.last_error))
    started_s = time.monotonic()
    sender.stop(60)
    assert time.monotonic() - started_s < 30, "nothing was waited for"


def test_limits_of_behaviour_are_seen_by_the_stand_in_itself() -> None:
    """A stand-in that takes anything would prove nothing: a skipped number is refused."""
    with IngestServer(Behaviour()) as server:
        import grpc

        from steelyard_proto.v1 import ingest_pb2, ingest_pb2_grpc

        records = batch_pb2.Records(kind=batch_pb2.KIND_EVENT, seq=2, agent=7)
        messages = [
            ingest_pb2.AgentMessage(hello=ingest_pb2.Hello(agent_id="a", epoch=1)),
            ingest_pb2.AgentMessage(records=records),
        ]
        with grpc.insecure_channel(server.address) as channel:
            stub = ingest_pb2_grpc.IngestStub(channel)
            with pytest.raises(grpc.RpcError) as error:
                list(stub.Stream(iter(messages)))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
