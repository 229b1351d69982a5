"""Recordings made by the program, read back by the reader that replay uses."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from steelyard_agent.recording.scrub import RULES, Scrubber
from steelyard_agent.recording.writer import RecordingWriter
from steelyard_agent.spool.record import read_recording
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import IngestServer

RECORD = [sys.executable, "-m", "steelyard_agent.cli", "record"]
FAST = ["--set", "sampling.host_period_ms=100", "--set", "sampling.fast_period_ms=100", "--node", "secret-host"]


def read(path: Path) -> list[ingest_pb2.AgentMessage]:
    return [ingest_pb2.AgentMessage.FromString(payload) for payload in read_recording(path)]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*RECORD, *FAST, *arguments], capture_output=True, text=True, timeout=30, check=False)


def replay(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "steelyard_agent.cli", "replay", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_recording_holds_what_a_daemon_would_send(tmp_path: Path) -> None:
    path = tmp_path / "r.steelyard"
    done = run("--seconds", "1", "--with-names", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    hello, *messages = read(path)
    assert hello.hello.node.name == "secret-host"
    assert [device.uid for device in hello.hello.devices] == ["cpu:secret-host"]
    layouts = {layout.id: layout for layout in hello.hello.layouts}
    for kind in (batch_pb2.KIND_HOST_SAMPLES, batch_pb2.KIND_DEVICE_SAMPLES):
        batches = [m.batch for m in messages if m.HasField("batch") and layouts[m.batch.layout].kind == kind]
        assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))
        assert sum(len(batch.ts_ms) // 8 for batch in batches) >= 8
    assert not any(layout.kind == batch_pb2.KIND_AGENT_SAMPLES for layout in layouts.values())


def test_a_recording_names_nobody_unless_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "r.steelyard"
    assert run("--seconds", "0.5", "--set", "labels.rack=secret-rack", str(path)).returncode == 0
    whole = b"".join(read_recording(path))
    assert b"secret" not in whole
    assert read(path)[0].hello.devices[0].uid.startswith("device-")


def test_a_recording_is_played_once_as_a_node_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "r.steelyard"
    assert run("--seconds", "1", str(path)).returncode == 0
    recorded = read(path)[0].hello
    with IngestServer() as server:
        done = replay("--collector", server.address, "--speed", "4", str(path))
    assert done.returncode == 0, done.stderr
    [hello] = server.seen.hellos
    assert hello.node.origin == batch_pb2.ORIGIN_REPLAYED
    assert (hello.node.name, hello.node.kernel) == (recorded.node.name, recorded.node.kernel)
    devices = [*hello.devices, *(device for news in server.seen.describes for device in news.devices)]
    assert [device.uid for device in devices] == [device.uid for device in recorded.devices]
    assert {device.origin for device in devices} == {batch_pb2.ORIGIN_REPLAYED}
    assert server.seen.batches(batch_pb2.KIND_DEVICE_SAMPLES)
    assert server.seen.faults == []
    assert not server.seen.records(batch_pb2.KIND_EVENT), "the end of a recording is no loss of devices"


def test_what_cannot_be_played_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.steelyard"
    assert run("--seconds", "0.3", str(path)).returncode == 0
    other = tmp_path / "other"
    other.write_text("no recording")
    for arguments, code, word in (
        (["--collector", "127.0.0.1:1", str(path)], 3, "127.0.0.1:1"),
        (["--speed", "0", str(path)], 2, "up to 1000"),
        ([str(tmp_path / "nowhere")], 2, "steelyard-agent record"),
        ([str(other)], 1, "isn't a recording"),
    ):
        done = replay(*arguments)
        assert done.returncode == code, done.stderr
        assert word in done.stderr
        assert "Traceback" not in done.stderr


def test_sigterm_ends_it_early_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.steelyard"
    process = subprocess.Popen([*RECORD, *FAST, "--seconds", "600", str(path)], stderr=subprocess.DEVNULL)
    until(lambda: path.with_name("r.steelyard.part").exists())
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert len(read(path)) >= 2
    assert not path.with_name("r.steelyard.part").exists()


def test_refusals_name_the_remedy(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("dear")
    for arguments, code, word in (
        ([str(there)], 2, "--force"),
        (["--seconds", "0", str(tmp_path / "x")], 2, "--seconds"),
        ([str(tmp_path / "no/where")], 1, "can't be written"),
    ):
        done = run(*arguments)
        assert done.returncode == code
        assert word in done.stderr
        assert "Traceback" not in done.stderr
    assert there.read_text() == "dear"
    assert os.listdir(tmp_path) == ["there"]


def test_later_devices_are_described_where_they_come(tmp_path: Path) -> None:
    hellos = iter([ingest_pb2.Hello(agent_id="a")])
    writer = RecordingWriter(tmp_path / "r", lambda: next(hellos))
    writer.describe(ingest_pb2.Describe())
    writer.put(1, ingest_pb2.AgentMessage(batch=batch_pb2.Batch(layout=1)), 0, 0)
    writer.describe(ingest_pb2.Describe(devices=[batch_pb2.Device(key=2)]))
    writer.put(1, ingest_pb2.AgentMessage(batch=batch_pb2.Batch(layout=1)), 0, 0)
    writer.finish()
    assert [m.WhichOneof("message") for m in read(tmp_path / "r")] == ["hello", "batch", "describe", "batch"]


def test_scrubbing_keeps_what_belongs_together() -> None:
    scrub = Scrubber(b"salt")
    process = batch_pb2.Process(device=3, pid=4711, job="train", user="eve", command="python", rank=1)
    interval = batch_pb2.JobInterval(device=3, job="train", user="eve", name="llama")
    event = batch_pb2.Event(code="xid_79", text="GPU-1 of eve fell off the bus", severity="error")
    step = batch_pb2.Step(job="train", run="train", pid=4711, tokens=7, tokens_absent="no batch in /home/eve")
    records = batch_pb2.Records(processes=[process], job_intervals=[interval], events=[event], steps=[step])
    out = scrub(ingest_pb2.AgentMessage(records=records)).records
    assert out.processes[0].job == out.job_intervals[0].job == out.steps[0].run != "train"
    assert out.processes[0].user == out.job_intervals[0].user != "eve"
    assert (out.processes[0].pid, out.steps[0].pid) == (1, 1)
    assert (out.processes[0].rank, out.processes[0].device, out.events[0].code) == (1, 3, "xid_79")
    assert out.steps[0].tokens == 7
    assert b"eve" not in out.SerializeToString()
    assert b"llama" not in out.SerializeToString()
    other = Scrubber(b"other")(ingest_pb2.AgentMessage(records=records)).records
    assert other.processes[0].job != out.processes[0].job


def test_notes_lose_names_and_keep_their_sense() -> None:
    device = batch_pb2.Device(uid="GPU-12-ab", pci_address="0000:17:00.0", part="die")
    device.notes["core_active"] = "absent: nvidia GPU-12-ab nvmlGpmSampleGet: refused at 0000:17:00.0 (code 999)"
    hello = ingest_pb2.Hello(node=ingest_pb2.Node(name="a"), devices=[device])
    [out] = Scrubber(b"salt")(ingest_pb2.AgentMessage(hello=hello)).hello.devices
    assert (
        out.notes["core_active"]
        == f"absent: nvidia {out.uid} nvmlGpmSampleGet: refused at {out.pci_address} (code 999)"
    )
    assert out.uid != "GPU-12-ab"
    assert out.part == "die"


def test_every_text_of_the_contract_has_its_rule() -> None:
    """A field that is new in the contract is taken out until somebody decides; this says that it waits."""
    undecided: set[str] = set()
    seen: set[str] = set()
    waiting = [ingest_pb2.AgentMessage.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.name in seen or message.name == "Answer":
            continue
        seen.add(message.name)
        for field in message.fields:
            inner = field.message_type
            if inner is not None and not inner.GetOptions().map_entry:
                waiting.append(inner)
            elif inner is not None or field.type == field.TYPE_STRING:
                undecided |= {f"{message.name}.{field.name}"} - {f"{message.name}.{key}" for key in RULES[message.name]}
    assert not undecided
    assert seen >= RULES.keys() - {"Answer"}
