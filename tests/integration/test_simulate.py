import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from steelyard_agent.simulate.truth import batch_content
from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import IngestServer
from tests.standins.truth import SAMPLES, Truth

BUSY, CPU_BUSY = 1, 100
FLEET = """
[[nodes]]
prefix = "h"
count = 2
chip = "H100"
devices = 2

[[nodes]]
prefix = "c"
count = 1
chip = "910C"
devices = 2

[[job]]
name = "train"
id = "7"
user = "ines"
nodes = ["h-1", "h-2"]
step_s = 0.5
tokens_per_step = 4096
parameters = 1000

[[fault]]
node = "h-2"
device = 1
kind = "lost"
from_s = 1
to_s = 2.5
"""


@pytest.fixture
def collector() -> Iterator[IngestServer]:
    with IngestServer() as server:
        yield server


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    return path


def simulate(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "steelyard_agent.cli", "simulate", *map(str, arguments)]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def finish(process: subprocess.Popen[str], timeout_s: float = 30.0) -> tuple[int, str]:
    out, err = process.communicate(timeout=timeout_s)
    assert out == ""
    return process.returncode, err


def received(collector: IngestServer) -> dict[tuple[str, int, int], dict[str, Any]]:
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for (agent, _epoch, kind), messages in collector.seen.messages.items():
        for seq, message in messages:
            if kind in SAMPLES:
                found[agent, kind, seq] = {"stamps": array("q", message.batch.ts_ms).tolist()}
            else:
                records = message.records
                rows = [*records.processes, *records.events, *records.job_intervals]
                rows += [*records.steps, *records.trainings]
                rows += [*records.profiles, *records.profile_rows, *records.stacks]
                found[agent, kind, seq] = {"rows": len(rows)}
    return found


def assert_truth(collector: IngestServer, path: Path) -> Truth:
    truth = Truth(path)
    lines = {(told.agent_id, told.kind, told.seq): told for told in truth.messages.values()}
    messages = received(collector)
    assert collector.seen.faults == []
    assert messages.keys() == lines.keys()
    for key, message in messages.items():
        if "stamps" in message:
            assert (message["stamps"][0], message["stamps"][-1]) == (lines[key].from_ms, lines[key].to_ms)
            assert len(message["stamps"]) == lines[key].ticks
        else:
            assert message["rows"] == lines[key].rows
    return truth


def test_a_fleet_sends_what_it_says(collector: IngestServer, fleet: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    process = simulate(
        "--fleet", fleet, "--collector", collector.address, "--seconds", 4, "--flush", 1, "--truth", truth,
        "--fault", "xid,node=h-1,device=1,code=48", "--fault", "ecc,node=c-1,device=0,from_s=0.5",
    )  # fmt: skip
    code, err = finish(process)
    assert (code, err) == (0, "")
    told = assert_truth(collector, truth)
    sums, sums_of_hosts = told.sums(batch_pb2.KIND_DEVICE_SAMPLES), told.sums(batch_pb2.KIND_HOST_SAMPLES)
    ticks = sums_of_hosts["h-1", CPU_BUSY].count
    assert 2 <= ticks <= 4
    assert sums["h-1", BUSY].count == 2 * ticks
    assert sums["h-2", BUSY].count < 2 * ticks
    assert told.rows(batch_pb2.KIND_HOST_SAMPLES)["h-1"] == ticks + 1
    hellos = collector.seen.hellos
    assert sorted(hello.node.name for hello in hellos) == ["c-1", "h-1", "h-2"]
    assert {hello.node.origin for hello in hellos} == {batch_pb2.ORIGIN_SIMULATED}
    devices = [device for known in (*hellos, *collector.seen.describes) for device in known.devices]
    assert {device.origin for device in devices} == {batch_pb2.ORIGIN_SIMULATED}
    assert len({device.uid for device in devices}) == 6
    events = [event for records in collector.seen.records(batch_pb2.KIND_EVENT) for event in records.events]
    codes = {event.code: event.ts_ms for event in events}
    assert all(event.HasField("device") for event in events)
    assert codes.keys() == {"device_lost", "device_back", "xid_48", "npu_fault_80E01801"}
    faults = {line["fault"]: line for line in told.faults}
    assert codes["xid_48"] == faults["xid"]["from_ms"]
    assert codes["npu_fault_80E01801"] == faults["ecc"]["from_ms"]
    assert faults["lost"]["from_ms"] <= codes["device_lost"] < faults["lost"]["to_ms"] <= codes["device_back"]
    assert (faults["xid"]["node"], faults["xid"]["devices"]) == ("h-1", ["sim:h-1:1"])
    rows = [row for records in collector.seen.records(batch_pb2.KIND_JOB_INTERVAL) for row in records.job_intervals]
    assert {(row.job, row.name, row.user, row.world_size) for row in rows} == {("7", "train", "ines", 4)}
    assert {rank for row in rows for rank in row.ranks} == {0, 1, 2, 3}
    steps = [step for records in collector.seen.records(batch_pb2.KIND_STEP) for step in records.steps]
    assert {(step.job, step.tokens, step.token_copies, step.steps) for step in steps} == {("7", 4096, 4, 1)}
    of_rank_0 = [step.step for step in steps if step.rank == 0]
    assert of_rank_0 == list(range(of_rank_0[0], of_rank_0[0] + len(of_rank_0)))
    assert len(of_rank_0) >= 2
    job = told.jobs["7"]
    assert (job["steps"], job["tokens"]) == (len(of_rank_0), 4096 * len(of_rank_0))
    assert job["productive_s"] == pytest.approx(sum(step.step_time_s for step in steps if step.rank == 0))
    assert job["devices"] == ["sim:h-1:0", "sim:h-1:1", "sim:h-2:0", "sim:h-2:1"]
    facts = [row for records in collector.seen.records(batch_pb2.KIND_TRAINING) for row in records.trainings]
    assert {(row.rank, row.model, row.parameters) for row in facts} >= {(rank, "train", 1000) for rank in (0, 1, 2)}


def test_a_killed_fleet_goes_on_where_it_was(collector: IngestServer, fleet: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    arguments = ("--fleet", fleet, "--collector", collector.address, "--flush", 1, "--truth", truth)
    arguments += ("--state-dir", tmp_path / "state")
    first = simulate(*arguments)
    until(lambda: len(collector.seen.numbers(batch_pb2.KIND_DEVICE_SAMPLES)) > 6, 20)
    first.kill()
    first.communicate()
    code, err = finish(simulate(*arguments, "--seconds", 3))
    assert code == 0, err
    assert len(collector.seen.hellos) == 6
    assert len({hello.agent_id for hello in collector.seen.hellos}) == 3
    assert_truth(collector, truth)
    for key, numbers in collector.seen.messages.items():
        assert [seq for seq, _ in numbers] == list(range(1, len(numbers) + 1)), key


def test_a_signal_ends_it_with_everything_sent(collector: IngestServer, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    process = simulate(
        "--nodes", 3, "--devices", 4, "--chip", "H20", "--collector", collector.address, "--truth", truth
    )
    # A node that has said hello may not have been welcomed yet; one that sends has.
    until(lambda: len({agent_id for agent_id, _, _ in collector.seen.messages}) == 3, 20)
    process.send_signal(signal.SIGTERM)
    assert finish(process) == (0, "")
    assert_truth(collector, truth)


def test_nobody_there(fleet: Path) -> None:
    code, err = finish(simulate("--fleet", fleet, "--collector", "127.0.0.1:1", "--seconds", 1.5, "--drain", 0.5))
    assert code == 3
    assert "127.0.0.1:1" in err
    assert "steelyard-collector daemon" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fleet", "/nowhere.toml"), "/nowhere.toml"),
        (("--nodes", "0"), "at least 1 node"),
        (("--nodes", "100000"), "too many for one process"),
        (("--nodes", "2", "--chip", "H1000"), "H1000"),
        (("--nodes", "2", "--fleet", "demo"), "either"),
        (("--collector", "nonsense"), "host:port"),
        (("--truth", "/nowhere/truth", "--seconds", "1"), "/nowhere/truth"),
        (("--nodes", "2", "--fault", "lost,node=h100-00003"), "there are h100-00001, h100-00002"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], message: str) -> None:
    code, err = finish(simulate(*arguments))
    assert code in (1, 2)
    assert message in err
    assert "Traceback" not in err


def test_the_demos_file_is_a_file_to_begin_with(tmp_path: Path, collector: IngestServer) -> None:
    process = simulate("--print-fleet")
    out, _ = process.communicate(timeout=20)
    path = tmp_path / "mine.toml"
    path.write_text(out)
    flags = ("--seconds", 1.2, "--prefix", "x-", "--history", 150)
    code, err = finish(simulate("--fleet", path, "--collector", collector.address, *flags), 60)
    assert (code, err) == (0, "")
    names = {hello.node.name for hello in collector.seen.hellos}
    assert len(names) == 17
    assert all(name.startswith("x-") for name in names)
    assert collector.seen.faults == []
    for node in ("x-h100-4", "x-ascend-c-1"):
        [agent] = {hello.agent_id for hello in collector.seen.hellos if hello.node.name == node}
        batches = [
            message.batch
            for (of, _, kind), messages in collector.seen.messages.items()
            if (of, kind) == (agent, batch_pb2.KIND_HOST_SAMPLES)
            for _, message in messages
        ]
        stamps = sorted({stamp for batch in batches for stamp in array("q", batch.ts_ms)})
        # A past of two minutes and a half in half minutes, and then the present.
        assert [b - a for a, b in pairwise(stamps[:5])] == [30_000] * 4
        assert stamps[-1] - stamps[0] > 150_000
    steps = [step for records in collector.seen.records(batch_pb2.KIND_STEP) for step in records.steps]
    told = sum(step.steps for step in steps if step.job == "48301" and step.rank == 0)
    # Steps of 2.2 s; making the past takes some time, too, which is lived through as well.
    assert told >= 50
    assert max(step.steps for step in steps) > 20


def test_sums_by_metric() -> None:
    layout = batch_pb2.Layout(id=1, kind=batch_pb2.KIND_DEVICE_SAMPLES, gauges=[1, 23], counters=[25], devices=[1, 2])
    nan, none = float("nan"), -(1 << 63)
    batch = batch_pb2.Batch(
        ts_ms=array("q", [1000, 2000]).tobytes(),
        gauges=array("f", [0.5, 0.25, nan, 1.0, 100.0, 200.0, 300.0, nan]).tobytes(),
        counters=array("q", [7, 8, none, 1 << 62]).tobytes(),
    )
    assert batch_content(layout, batch) == {
        "rows": 4,
        "ticks": 2,
        "values": {"1": [3, 1.75], "23": [3, 600.0], "25": [3, 15 + (1 << 62)]},
    }
