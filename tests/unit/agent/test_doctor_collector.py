"""The doctor's check of the collector, against small gRPC servers that answer as collectors and others do."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from steelyard_agent.config import Config, make_config
from steelyard_agent.doctor.collector import check_collector, offset_finding
from steelyard_agent.doctor.finding import exit_code
from steelyard_agent.doctor.node import Node
from steelyard_agent.settings import gather_settings
from steelyard_proto.v1 import query_pb2


class Answers(grpc.GenericRpcHandler):
    """Health and Query.Watch; asks for a token if one is set."""

    def __init__(self, *, ahead_ms: float = 0.0, token: str = "", watch: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        self._ahead_ms = ahead_ms
        self._token = token
        self._watch = watch
        self._metadata: dict[str, str] = {}

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        self._metadata = dict(call.invocation_metadata)
        if call.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"\x08\x01")
        if call.method == "/steelyard.v1.Query/Watch":
            return grpc.unary_stream_rpc_method_handler(
                self.watch, query_pb2.WatchRequest.FromString, query_pb2.WatchReply.SerializeToString
            )
        return None

    def watch(self, request: query_pb2.WatchRequest, context: grpc.ServicerContext) -> Iterator[query_pb2.WatchReply]:
        if self._token and self._metadata.get("authorization") != f"Bearer {self._token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such token")
        if self._watch is not grpc.StatusCode.OK:
            context.abort(self._watch, "an agent writes only")
        # The first page is an old one, of the last tick.
        yield query_pb2.WatchReply(time_ms=int(time.time() * 1e3 + self._ahead_ms) - 900)
        yield query_pb2.WatchReply(time_ms=int(time.time() * 1e3 + self._ahead_ms))


@contextmanager
def serving(*handlers: grpc.GenericRpcHandler) -> Iterator[str]:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers(handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait()


def node(tmp_path: Path, **settings: str) -> Node:
    environ = {"HOME": str(tmp_path)}
    config: Config = make_config(gather_settings(settings, environ, None), environ)
    return Node(config)


@pytest.mark.parametrize(("ahead_ms", "level"), [(0, "ok"), (-3000, "warning"), (60_000, "warning")])
def test_it_answers_and_the_clocks_are_compared(tmp_path: Path, ahead_ms: int, level: str) -> None:
    with serving(Answers(ahead_ms=ahead_ms)) as address:
        answer, clock = check_collector(node(tmp_path, collector=address))
    assert (answer.level, answer.text) == ("ok", "answers")
    assert clock.level == level
    assert clock.details["clock_offset_ms"] == pytest.approx(ahead_ms, abs=300)


def test_a_side_is_named() -> None:
    assert offset_finding(700.0).text == "the collector's clock is 700 ms ahead of ours"
    assert offset_finding(-12.4).text == "the collector's clock is 12 ms behind ours"


def test_an_agents_token_may_not_read_and_that_is_well(tmp_path: Path) -> None:
    with serving(Answers(token="secret", watch=grpc.StatusCode.PERMISSION_DENIED)) as address:
        (tmp_path / "token").write_text("secret\n")
        finding, clock = check_collector(node(tmp_path, collector=address, token_file=str(tmp_path / "token")))
    assert finding.level == "ok"
    assert "takes our token" in finding.text
    assert (clock.level, "clock_offset_ms" in clock.text) == ("note", True)


def test_a_wrong_token_is_a_problem(tmp_path: Path) -> None:
    with serving(Answers(token="secret")) as address:
        [finding] = check_collector(node(tmp_path, collector=address, token="wrong"))
    assert finding.level == "problem"
    assert "--token-file" in finding.remedy


def test_something_else_that_speaks_grpc(tmp_path: Path) -> None:
    with serving() as address:
        [finding] = check_collector(node(tmp_path, collector=address))
    assert finding.level == "problem"
    assert "no Steelyard collector" in finding.remedy


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        findings = check_collector(node(tmp_path, collector=address))
    assert [finding.level for finding in findings] == ["problem"]
    assert (findings[0].subject, findings[0].text) == (address, "no collector answers")
    assert "steelyard-collector daemon" in findings[0].remedy
    assert exit_code(findings) == 3


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    [finding] = check_collector(node(tmp_path, token_file=str(tmp_path / "nowhere")))
    assert finding.level == "problem"
    assert "nowhere" in finding.text
