"""Asks and answers on a real stream: of an agent that profiles nothing, the pieces of a trace, and the pause."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from steelyard_agent.jobs.watch import open_reader
from steelyard_agent.profiling.opening import open_profiling
from steelyard_agent.profiling.service import ProfilingService
from steelyard_agent.sending.channel import Target
from steelyard_agent.sending.sender import Sender
from steelyard_proto.v1 import ingest_pb2
from tests.standins.agent_parts import Parts, until
from tests.standins.ingest_server import IngestServer
from tests.standins.profiling import profiling_settings


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.ring.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ProfilingService]:
    """Without its sockets: the temporary folder's name is too long for one, which it says and goes on."""
    opened = open_profiling(profiling_settings(tmp_path / ("x" * 80)), tmp_path / "state", open_reader("n"))
    yield opened
    opened.close()


def started(parts: Parts, server: IngestServer, asked: ProfilingService | None) -> Sender:
    sender = Sender(parts.ring, parts.directory, Target(server.address), time.time, draw=lambda: 0.0, asked=asked)
    sender.start()
    if asked is not None:
        asked.start(sender.wake)
    return sender


def ask(parts: Parts, sender: Sender, server: IngestServer, wanted: ingest_pb2.Ask) -> None:
    server.behaviour.asks.append(wanted)
    # The stand-in asks with its next acknowledgement.
    parts.spool()
    sender.wake()


def test_an_agent_that_profiles_nothing_says_what_to_set(parts: Parts) -> None:
    with IngestServer() as server:
        sender = started(parts, server, None)
        ask(parts, sender, server, ingest_pb2.Ask(id="a", profile=ingest_pb2.ProfileAsk(job="x")))
        until(lambda: server.seen.answers)
        sender.stop(2)
    (answer,) = server.seen.answers
    assert (answer.id, answer.state, answer.is_last) == ("a", "failed", True)
    assert "profiling.enabled = true" in answer.text


def test_a_large_trace_comes_whole_and_in_order_among_samples(
    parts: Parts, service: ProfilingService, tmp_path: Path
) -> None:
    profile, content = str(uuid4()), bytes(range(256)) * 12_000
    (tmp_path / "state/traces" / f"{profile}.json").write_bytes(content)
    with IngestServer() as server:
        sender = started(parts, server, service)
        ask(parts, sender, server, ingest_pb2.Ask(id="a", trace=ingest_pb2.TraceAsk(profile=profile)))
        parts.spool(20)
        sender.wake()
        until(lambda: any(answer.is_last for answer in server.seen.answers))
        until(lambda: sender.state.acked >= 21)
        sender.stop(2)
        assert b"".join(answer.piece for answer in server.seen.answers) == content
        assert server.seen.answers[-1].state == "stored"
        assert {answer.total_bytes for answer in server.seen.answers} == {len(content)}
        assert not server.seen.faults


def test_a_pause_is_taken_over(parts: Parts, service: ProfilingService) -> None:
    with IngestServer() as server:
        server.behaviour.pause_profiles = True
        sender = started(parts, server, service)
        until(lambda: sender.state.is_connected)
        until(lambda: all(one.is_paused for one in service._parts.continuous))
        server.behaviour.pause_profiles = False
        parts.spool()
        sender.wake()
        until(lambda: not any(one.is_paused for one in service._parts.continuous))
        sender.stop(2)
