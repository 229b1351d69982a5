"""`steelyard profile` and `steelyard trace` against a real collector; a plain client speaks for the agent."""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from steelyard_proto.errors import ConfigError, TransportError
from steelyard_proto.v1 import batch_pb2, control_pb2, ingest_pb2
from steelyard_tui.cli import main
from steelyard_tui.commands.trace import fetch
from tests.standins.asking import trains
from tests.standins.ingest_client import Stream, records
from tests.standins.profile_records import profile, profile_id, rows
from tests.standins.programs import Collector, end

TRACE = b"a trace " * 100_000
PIECE = 1 << 18


class Answering:
    """An agent of two ranks: rank 0 is profiled well, rank 1 has a busy profiler; its one trace can be fetched."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.asked: list[ingest_pb2.ProfileAsk] = []
        self.stored = 0
        self.stream = Stream(channel)
        trains(self.stream, "answering", "48213", 0, 1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while True:
                ask = self.stream.await_ask()
                if ask.HasField("profile"):
                    self._profile(ask)
                elif ask.HasField("trace"):
                    self._send(ask)
        except (grpc.RpcError, StopIteration):
            return

    def _profile(self, ask: ingest_pb2.Ask) -> None:
        self.asked.append(ask.profile)
        if ask.profile.ranks == [1]:
            self.stream.answer(ask, "failed", rank=1, pid=101, text="its profiler is busy; try later", is_last=True)
            return
        number = self.stored = self.stored + 1
        ts_ms, key = int(time.time() * 1000), {"job": "48213"}
        for state in ("warming_up", "recording", "parsing"):
            self.stream.answer(ask, state, rank=0, pid=100)
        self.stream.answer(ask, "stored", rank=0, pid=100, profile=profile_id(number), is_last=True)
        sent = {"profiles": [profile(ts_ms, number, **key)]}  # type: ignore[arg-type]
        self.stream.send(records(self.stream.agent, number, batch_pb2.KIND_PROFILE, **sent))
        sent = {"profile_rows": rows(ts_ms, number, **key)}  # type: ignore[arg-type]
        self.stream.send(records(self.stream.agent, number, batch_pb2.KIND_PROFILE_ROW, **sent))

    def _send(self, ask: ingest_pb2.Ask) -> None:
        for start in range(0, len(TRACE), PIECE):
            piece = TRACE[start : start + PIECE]
            self.stream.answer(ask, "sending", piece=piece, total_bytes=len(TRACE), file_name="rank0.json.gz")
        self.stream.answer(ask, "stored", total_bytes=len(TRACE), is_last=True)

    def close(self) -> None:
        self.stream.close()
        self._thread.join(20)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    collector = Collector(tmp_path_factory.mktemp("asked"))
    try:
        collector.serve()
        yield collector
    finally:
        end([collector])


@pytest.fixture(scope="module")
def agent(collector: Collector) -> Iterator[Answering]:
    with grpc.insecure_channel(collector.address) as channel:
        agent = Answering(channel)
        yield agent
        agent.close()


def ran(collector: Collector, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([*words, "--collector", collector.address])
    return (code, *capsys.readouterr())


def test_a_job_is_profiled_and_its_result_printed(
    collector: Collector, agent: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(collector, capsys, "profile", "48213", "--with-stack", "--duration", "0.5s")
    assert code == 0, err
    lines = [line.split(": ") for line in err.splitlines()]
    assert [line[1].split()[0] for line in lines[:5]] == ["requested", "warming", "recording", "parsing", "stored"]
    assert {line[0] for line in lines[:5]} == {"node-answering rank 0 (pid 100)"}
    assert "exposed all-reduce" in out
    assert (agent.asked[-1].duration_ms, agent.asked[-1].with_stacks, agent.asked[-1].steps) == (500, True, 0)


def test_what_fails_is_said_and_what_was_stored_is_printed_all_the_same(
    collector: Collector, agent: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(collector, capsys, "profile", "48213", "--ranks", "0,1", "--json")
    assert code == 1
    assert "node-answering rank 1 (pid 101): failed: its profiler is busy; try later" in err
    assert json.loads(out)["totals"]["window_ns"] == 90_000_000


def test_a_node_and_a_pid_are_found_too_and_nothing_by_a_wrong_name(
    collector: Collector, agent: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(collector, capsys, "profile", "node-answering")[0] == 0
    assert agent.asked[-1].job == "48213"
    assert ran(collector, capsys, "profile", "100", "--node", "node-answering")[0] == 0
    assert agent.asked[-1].pid == 100
    code, _, err = ran(collector, capsys, "profile", "nobody's")
    assert (code, 'no job "nobody\'s" reports now' in err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [("profile",), ("profile", "1", "--pause"), ("profile", "x", "--steps", "3", "--duration", "1s"),
     ("profile", "x", "--steps", "-1")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    collector: Collector, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert ran(collector, capsys, *words)[0] == 2


def test_the_pause(collector: Collector, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(collector, capsys, "profile", "--status")[1] == "continuous profiles are not paused\n"
    out = ran(collector, capsys, "profile", "--pause", "--reason", "a benchmark")[1]
    assert out.startswith("continuous profiles are paused since ")
    assert out.endswith("UTC: a benchmark\n")
    assert ran(collector, capsys, "profile", "--status")[1] == out
    assert "not paused since" in ran(collector, capsys, "profile", "--resume")[1]


def test_a_trace_is_fetched_under_its_own_name_or_another(
    collector: Collector,
    agent: Answering,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ran(collector, capsys, "profile", "48213", "--json")[0] == 0
    which = profile_id(agent.stored)
    code, out, err = ran(collector, capsys, "trace", "fetch", which)
    assert (code, out) == (0, "rank0.json.gz\n"), err
    assert (tmp_path / "rank0.json.gz").read_bytes() == TRACE
    assert ran(collector, capsys, "trace", "fetch", which, "-o", "rank0.json.gz")[0] == 2
    assert ran(collector, capsys, "trace", "fetch", which, "-o", str(tmp_path / "mine"), "--force")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "rank0.json.gz"]
    code, _, err = ran(collector, capsys, "trace", "fetch", profile_id(99))
    assert (code, "there is no profile" in err) == (1, True)


def fetched(folder: Path, *replies: control_pb2.FetchReply, **more: Any) -> None:
    told = {"output": None, "force": False, "profile": profile_id(1), **more}
    fetch(replies, argparse.Namespace(**told))


def test_a_name_that_leads_elsewhere_is_not_taken_and_nothing_half_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("../evil", ".bashrc", "/etc/passwd", "a/b", "x" * 300):
        fetched(tmp_path, control_pb2.FetchReply(piece=b"12", total_bytes=2, file_name=name), force=True)
    assert [path.name for path in tmp_path.iterdir()] == [f"{profile_id(1)}.trace"]
    with pytest.raises(TransportError, match="1 of 2 bytes"):
        fetched(tmp_path, control_pb2.FetchReply(piece=b"1", total_bytes=2), output=str(tmp_path / "half"))
    with pytest.raises(ConfigError, match="nowhere"):
        fetched(tmp_path, output=str(tmp_path / "nowhere" / "file"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{profile_id(1)}.trace"]
