"""A silent agent, a pause over a restart, and who may ask: collectors of their own, one store after the other."""

from pathlib import Path
from typing import Any

import grpc

from steelyard_collector.access.tokens import ROLES, Tokens, digest_of
from steelyard_collector.control.patience import Patience
from steelyard_proto.v1 import control_pb2
from tests.standins.asking import asked_for, refusal, stub, trains
from tests.standins.control_collector import ControlCollector
from tests.standins.ingest_client import PATIENCE_S, Stream, hello
from tests.standins.profile_records import profile_id

SHORT = Patience(first_s=0.3, more_s=30.0, piece_s=30.0)


def test_a_silent_agent_is_given_up_and_a_pause_outlives_a_restart(tmp_path: Path) -> None:
    collector = ControlCollector(tmp_path / "store", SHORT)
    try:
        with grpc.insecure_channel(collector.address) as channel, Stream(channel) as one:
            trains(one, "k", "job-k", 0)
            last = list(asked_for(channel, job="job-k"))[-1]
            assert (last.state, last.text[:38]) == ("failed", "its agent said nothing for 0.3 s or mo")
            assert not stub(channel).Pause(control_pb2.PauseRequest()).is_paused
            reply = stub(channel).Pause(control_pb2.PauseRequest(pause=True, reason="a benchmark runs"))
            assert (reply.is_paused, reply.reason) == (True, "a benchmark runs")
            while not (message := next(one.call)).HasField("ack") or not message.ack.wants.pause_profiles:
                pass
    finally:
        collector.close()
    collector = ControlCollector(tmp_path / "store", SHORT)
    try:
        with grpc.insecure_channel(collector.address) as channel:
            again = stub(channel).Pause(control_pb2.PauseRequest())
            assert (again.is_paused, again.since_ms, again.reason) == (True, reply.since_ms, "a benchmark runs")
            with Stream(channel) as one:
                assert one.greet(hello("k", 99)).wants.pause_profiles
                assert not stub(channel).Pause(control_pb2.PauseRequest(pause=False)).is_paused
                while (message := next(one.call)).ack.wants.pause_profiles:
                    pass
    finally:
        collector.close()


def test_only_an_operator_has_something_done(tmp_path: Path) -> None:
    collector = ControlCollector(tmp_path / "store", tokens=Tokens({digest_of(role): role for role in ROLES}))
    try:
        with grpc.insecure_channel(collector.address) as channel:

            def code(method: str, request: Any, role: str) -> grpc.StatusCode | None:
                metadata = (("authorization", f"Bearer {role}"),)
                call = channel.unary_stream(f"/steelyard.v1.Control/{method}")(
                    request.SerializeToString(), metadata=metadata, timeout=PATIENCE_S
                )
                return refusal(call)[0]

            for method, request in (
                ("Profile", control_pb2.ProfileRequest(job="x")),
                ("Fetch", control_pb2.FetchRequest(profile=profile_id(1))),
            ):
                assert code(method, request, "viewer") is grpc.StatusCode.PERMISSION_DENIED
                assert code(method, request, "agent") is grpc.StatusCode.PERMISSION_DENIED
                assert code(method, request, "stranger") is grpc.StatusCode.UNAUTHENTICATED
                assert code(method, request, "operator") is grpc.StatusCode.NOT_FOUND
            assert code("Pause", control_pb2.PauseRequest(pause=True), "viewer") is grpc.StatusCode.PERMISSION_DENIED
            looks = stub(channel).Pause(control_pb2.PauseRequest(), metadata=(("authorization", "Bearer viewer"),))
            assert not looks.is_paused
    finally:
        collector.close()
