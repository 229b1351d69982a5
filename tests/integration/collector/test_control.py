"""Profiles and traces that people ask for, over real streams and a real store; a plain client speaks for the agents."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from steelyard_collector.control.inbox import Inbox
from steelyard_collector.control.traces import MOST_PIECE_BYTES
from steelyard_proto.v1 import batch_pb2, control_pb2, ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.asking import asked_for, refusal, stub, trains
from tests.standins.control_collector import ControlCollector
from tests.standins.ingest_client import PATIENCE_S, Stream, hello, records
from tests.standins.profile_records import profile, profile_id

Progress = control_pb2.ProfileProgress


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlCollector]:
    collector = ControlCollector(tmp_path_factory.mktemp("control") / "store")
    yield collector
    collector.close()


@pytest.fixture
def channel(collector: ControlCollector) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(collector.address) as channel:
        yield channel


def test_a_job_is_profiled_on_the_lowest_rank_of_each_node_and_progress_is_relayed(channel: grpc.Channel) -> None:
    with Stream(channel) as one, Stream(channel) as two:
        trains(one, "a", "job-1", 0, 1)
        trains(two, "b", "job-1", 3, 2)
        progress = asked_for(channel, job="job-1", with_stacks=True)
        assert [(p.node, p.rank, p.state) for p in (next(progress), next(progress))] == [
            ("node-a", 0, "requested"),
            ("node-b", 2, "requested"),
        ]
        asks = one.await_ask(), two.await_ask()
        assert [(a.profile.job, list(a.profile.ranks), a.profile.pid, a.profile.steps) for a in asks] == [
            ("job-1", [0], 100, 3),
            ("job-1", [2], 102, 3),
        ]
        assert asks[0].profile.with_stacks
        one.answer(asks[0], "warming_up", pid=100, rank=0)
        assert (seen := next(progress)).state == "warming_up"
        two.answer(asks[1], "failed", text="not started with KINETO_USE_DAEMON=1", is_last=True)
        assert (seen := next(progress)).text == "not started with KINETO_USE_DAEMON=1"
        one.answer(asks[0], "stored", pid=100, rank=0, profile=profile_id(7), is_last=True)
        assert ((seen := next(progress)).state, seen.profile, seen.pid, seen.node) == (
            "stored", profile_id(7), 100, "node-a",
        )  # fmt: skip
        assert list(progress) == []


def test_ranks_and_one_process_are_chosen_and_what_is_not_there_is_said(channel: grpc.Channel) -> None:
    with Stream(channel) as one:
        trains(one, "c", "job-2", 0, 1, 2)
        progress = asked_for(channel, job="job-2", ranks=[2], duration_ms=500)
        assert next(progress).rank == 2
        ask = one.await_ask()
        assert (ask.profile.duration_ms, ask.profile.steps, list(ask.profile.ranks)) == (500, 0, [2])
        one.answer(ask, "stored", is_last=True)
        list(progress)
        progress = asked_for(channel, node="node-c", pid=101)
        assert next(progress).pid == 101
        ask = one.await_ask()
        # A process that no process row tells of is asked for by its number alone.
        second = asked_for(channel, node="node-c", pid=999)
        assert (next(second).pid, one.await_ask().profile.pid) == (999, 999)
        assert refusal(asked_for(channel, job="job-2", ranks=[9])) == (
            grpc.StatusCode.NOT_FOUND, "no process of rank 9 reports now; there are 0 to 2",
        )  # fmt: skip
    code, words = refusal(asked_for(channel, job="nobody's"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert 'no job "nobody\'s" reports now' in words


@pytest.mark.parametrize(
    ("request_", "word"),
    [({}, "job: "), ({"pid": 3, "job": "x"}, "node: "), ({"job": "x", "steps": 1, "duration_ms": 1}, "steps: "),
     ({"job": "x", "steps": 1000}, "steps: "), ({"job": "x", "duration_ms": 1 << 30}, "duration_ms: "),
     ({"job": "x" * 2000}, "job: ")],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_refused_by_field(
    channel: grpc.Channel, request_: dict[str, Any], word: str
) -> None:
    code, words = refusal(asked_for(channel, **request_))
    assert (code, words[: len(word)]) == (grpc.StatusCode.INVALID_ARGUMENT, word)


def test_an_agent_that_goes_away_and_one_that_is_simulated_fail_with_the_reason(channel: grpc.Channel) -> None:
    with Stream(channel) as one:
        trains(one, "d", "job-3", 0)
        progress = asked_for(channel, job="job-3")
        next(progress)
        one.await_ask()
    last = list(progress)[-1]
    assert (last.state, last.text[:31]) == ("failed", "its agent's stream ended; what ")
    gone = list(asked_for(channel, job="job-3"))
    assert [(p.state, p.text[:33]) for p in gone] == [("failed", "its agent is not connected now; `")]
    with Stream(channel) as two:
        trains(two, "e", "job-4", 0, origin=batch_pb2.ORIGIN_SIMULATED)
        (only,) = asked_for(channel, job="job-4")
        assert (only.state, only.text[:15]) == ("failed", "it is simulated")


def test_answers_of_another_agent_or_to_nobody_are_dropped(collector: ControlCollector, channel: grpc.Channel) -> None:
    with Stream(channel) as one, Stream(channel) as other:
        trains(one, "f", "job-5", 0)
        trains(other, "g", "job-6", 0)
        progress = asked_for(channel, job="job-5")
        next(progress)
        ask = one.await_ask()
        before = collector.desk.unasked
        other.answer(ask, "stored", is_last=True)
        other.answer(ingest_pb2.Ask(id="nobody's"), "stored")
        until(lambda: collector.desk.unasked == before + 2)
        one.answer(ask, "failed", text="the profiler is busy", is_last=True)
        assert [p.text for p in progress] == ["the profiler is busy"]


def keeps_a_trace(stream: Stream, name: str, number: int, **more: Any) -> None:
    stream.greet(hello(name, int(time.time())))
    row = profile(int(time.time() * 1000), number, **more)
    stream.send(records(stream.agent, 1, batch_pb2.KIND_PROFILE, profiles=[row]))
    stream.await_ack(batch_pb2.KIND_PROFILE, 1)


def fetched(channel: grpc.Channel, number: int) -> Any:
    return stub(channel).Fetch(control_pb2.FetchRequest(profile=profile_id(number)), timeout=PATIENCE_S)


def test_a_trace_comes_in_pieces_and_its_name_stays_in_one_folder(channel: grpc.Channel) -> None:
    pieces = [bytes([number]) * MOST_PIECE_BYTES for number in range(20)]
    with Stream(channel) as one:
        keeps_a_trace(one, "h", 21)
        call = fetched(channel, 21)
        ask = one.await_ask()
        assert ask.trace.profile == profile_id(21)
        total = sum(map(len, pieces))
        for number, piece in enumerate(pieces):
            name = "trace.json.gz" if number == 0 else "../../etc/passwd"
            one.answer(ask, "sending", piece=piece, total_bytes=total, file_name=name, is_last=number == 19)
        replies = list(call)
        assert b"".join(reply.piece for reply in replies) == b"".join(pieces)
        assert [reply.file_name for reply in replies] == ["trace.json.gz"] + [""] * 19
        assert {reply.total_bytes for reply in replies} == {total}


def test_a_trace_that_doesnt_come_as_it_should_is_an_error_and_the_agent_is_told(channel: grpc.Channel) -> None:
    with Stream(channel) as one:
        keeps_a_trace(one, "i", 22)
        for pieces, code in (
            ([(b"12", 2, False), (b"3", 2, True)], grpc.StatusCode.DATA_LOSS),
            ([(b"12", 4, True)], grpc.StatusCode.DATA_LOSS),
            ([(b"1" * (MOST_PIECE_BYTES + 1), 1 << 22, False)], grpc.StatusCode.DATA_LOSS),
            ([(b"1", 1 << 40, False)], grpc.StatusCode.DATA_LOSS),
        ):
            call = fetched(channel, 22)
            ask = one.await_ask()
            for piece, total, is_last in pieces:
                one.answer(ask, "sending", piece=piece, total_bytes=total, is_last=is_last)
            assert refusal(call)[0] is code
            cancel = one.await_ask()
            assert (cancel.id, cancel.HasField("cancel")) == (ask.id, True)
        call = fetched(channel, 22)
        one.answer(one.await_ask(), "failed", text="its time was over; it was dropped yesterday", is_last=True)
        assert refusal(call) == (grpc.StatusCode.NOT_FOUND, "its time was over; it was dropped yesterday")
        assert one.await_ask().HasField("cancel")
        # Who no longer reads: the agent needn't send the rest.
        call = fetched(channel, 22)
        ask = one.await_ask()
        one.answer(ask, "sending", piece=b"1", total_bytes=9)
        next(call)
        call.cancel()
        assert one.await_ask().HasField("cancel")
        call = fetched(channel, 22)
        one.await_ask()
    assert refusal(call)[0] is grpc.StatusCode.UNAVAILABLE
    assert refusal(fetched(channel, 22))[0] is grpc.StatusCode.UNAVAILABLE


def test_what_has_no_trace_is_not_found(channel: grpc.Channel) -> None:
    with Stream(channel) as one:
        keeps_a_trace(one, "j", 23, trace_bytes=0)
        assert refusal(fetched(channel, 23)) == (
            grpc.StatusCode.NOT_FOUND, "no raw trace was kept of this profile",
        )  # fmt: skip
    assert refusal(fetched(channel, 24))[0] is grpc.StatusCode.NOT_FOUND
    request = control_pb2.FetchRequest(profile="../../etc/passwd")
    assert refusal(stub(channel).Fetch(request))[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_reader_that_stands_still_is_cut_off_and_holds_a_stream_up_no_longer_than_that() -> None:
    async def fills() -> tuple[bool, int]:
        inbox = Inbox(2, patience_s=0.05)
        for number in range(4):
            await inbox.put(ingest_pb2.Answer(id=str(number)))
        held = 0
        while await inbox.next(0.01) is not None:
            held += 1
        return inbox.is_overrun, held

    assert asyncio.run(fills()) == (True, 2)


def test_so_many_at_once_and_no_more(channel: grpc.Channel) -> None:
    with Stream(channel) as one, ThreadPoolExecutor(5) as threads:
        keeps_a_trace(one, "m", 25)
        calls = [fetched(channel, 25) for _ in range(4)]
        asks = [one.await_ask() for _ in calls]
        assert refusal(fetched(channel, 25))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        for ask in asks:
            one.answer(ask, "sending", piece=b"1", total_bytes=1, is_last=True)
        assert list(threads.map(lambda call: len(list(call)), calls)) == [1] * 4
        last = fetched(channel, 25)
        one.answer(one.await_ask(), "sending", piece=b"1", total_bytes=1, is_last=True)
        assert [reply.piece for reply in last] == [b"1"]
