"""The daemon and the doctor as processes over a stand-in of libdcmi, found by the loader as on a real node."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.ingest_server import Behaviour, IngestServer
from tests.standins.scenario import VARIABLE, Scenario

CLI = [sys.executable, "-m", "steelyard_agent.cli"]
DEVICES = batch_pb2.KIND_DEVICE_SAMPLES
ABSENT = -(2**63)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("libraries")
    build("dcmi", directory)
    return directory


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path / "scenario", chip="910C", devices=4, power_w=500)


@pytest.fixture
def environ(libraries: Path, scenario: Scenario, tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    return {**kept, "LD_LIBRARY_PATH": str(libraries), VARIABLE: str(scenario.path), "XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def server() -> Iterator[IngestServer]:
    with IngestServer(Behaviour(flush_ms=300)) as running:
        yield running


@pytest.fixture
def daemon(server: IngestServer, environ: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = ["--collector", server.address, "--state-dir", str(tmp_path / "state"), "--node", "n1"]
    for setting in ("sampling.fast_period_ms=200", "sources.cpu=false", "sources.host=false", "sources.nvml=false"):
        arguments += ["--set", setting]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*CLI, "daemon", *arguments], env=environ, stderr=log)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait(60)


def energies_mj(server: IngestServer) -> dict[int, list[int]]:
    """The energy of each device at each fast tick, by its index on the node."""
    return {index: [value for _, value in ticks] for index, ticks in stamped_energies_mj(server).items()}


def stamped_energies_mj(server: IngestServer) -> dict[int, list[tuple[int, int]]]:
    """The same, each with its time in ms."""
    told = (*server.seen.hellos, *server.seen.describes)
    indexes = {device.key: device.index for message in told for device in message.devices}
    layouts = {layout.id: layout for message in told for layout in message.layouts}
    number = catalogue().by_name["energy_mj"].id
    found: dict[int, list[tuple[int, int]]] = {}
    for batch in server.seen.batches(DEVICES):
        layout = layouts[batch.layout]
        if number not in layout.counters:
            continue
        stamps = memoryview(batch.ts_ms).cast("q").tolist()
        ticks = len(stamps)
        values = memoryview(batch.counters).cast("q")
        for row, key in enumerate(layout.devices):
            start = (list(layout.counters).index(number) * len(layout.devices) + row) * ticks
            found.setdefault(indexes[key], []).extend(zip(stamps, values[start : start + ticks], strict=True))
    return found


def test_a_910c_streams_its_packages_energy_once(server: IngestServer, daemon: "subprocess.Popen[bytes]") -> None:
    until(lambda: len(energies_mj(server).get(0, [])) >= 15)
    told = (*server.seen.hellos, *server.seen.describes)
    devices = {device.index: device for message in told for device in message.devices}
    assert {device.chip for device in devices.values()} == {"910C"}
    assert [devices[index].power_scope for index in range(4)] == ["package", "", "package", ""]
    assert devices[0].package_uid == devices[1].package_uid != devices[2].package_uid == devices[3].package_uid
    energies = energies_mj(server)
    first = [(stamp, value) for stamp, value in stamped_energies_mj(server)[0] if value != ABSENT]
    assert first == sorted(first)
    elapsed_ms, energy_mj = (last - begin for begin, last in zip(first[0], first[-1], strict=True))
    # 500 W; that of both dies would be twice as much. Polls are as late as the machine is busy.
    assert energy_mj == pytest.approx(500 * elapsed_ms, rel=0.4)
    assert set(energies.get(1, [ABSENT])) == {ABSENT}
    assert server.seen.faults == []
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0


def test_a_lost_die_costs_its_own_figures_and_is_an_event(
    server: IngestServer, scenario: Scenario, daemon: "subprocess.Popen[bytes]"
) -> None:
    until(lambda: len(energies_mj(server).get(2, [])) >= 3)
    scenario.set({"lost.3": 1})

    def events() -> list[str]:
        return [row.code for records in server.seen.records(batch_pb2.KIND_EVENT) for row in records.events]

    until(lambda: "device_lost" in events())
    before = len(energies_mj(server)[2])
    scenario.drop("lost.3")
    until(lambda: "device_back" in events(), 20)
    energies = [value for value in energies_mj(server)[2] if value != ABSENT]
    assert len(energies) > before
    assert energies == sorted(energies), "the other die's energy goes on through the loss and the return"
    assert server.seen.faults == []


def test_the_doctor_prints_one_object_and_tells_by_its_exit_code(
    environ: dict[str, str], scenario: Scenario, libraries: Path, tmp_path: Path
) -> None:
    def doctor(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*CLI, "doctor", "--state-dir", str(tmp_path / "state"), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

    done = doctor("--json", "--check", "sources", "--check", "metrics", "--check", "spool")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    found = {f"{finding['part']} {finding['subject']}".strip(): finding for finding in document["findings"]}
    assert found["dcmi"]["details"]["devices"] == 4
    assert found["dcmi"]["details"]["library"] == str(libraries / "libdcmi.so")
    assert found["dcmi 910C, 4 devices power_w"]["details"]["highest"] == 500.0
    assert "counted once, at the package's other die" in found["dcmi 910C, 4 devices power_w"]["text"]
    assert not (tmp_path / "state").exists()

    scenario.set({"held.2": -8020})
    done = doctor("--check", "sources")
    assert done.returncode == 1
    assert "another container uses the device alone" in done.stdout
    assert done.stdout.endswith("1 problem, no warnings\n")

    assert doctor("--check", "collector", "--collector", "127.0.0.1:1").returncode == 3
    assert doctor("--check", "nonsense").returncode == 2
