"""The daemon over vendors' stand-in libraries: a sick device costs its own samples, and no more."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.ingest_server import Behaviour, IngestServer
from tests.standins.scenario import VARIABLE, Scenario

DEVICES = batch_pb2.KIND_DEVICE_SAMPLES


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("libraries")
    build("nvml", directory)
    return directory


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path / "scenario", devices=4)


@pytest.fixture
def server() -> Iterator[IngestServer]:
    with IngestServer(Behaviour(flush_ms=300)) as running:
        yield running


@pytest.fixture
def daemon(
    server: IngestServer, libraries: Path, scenario: Scenario, tmp_path: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    environ = {**os.environ, "LD_LIBRARY_PATH": str(libraries), VARIABLE: str(scenario.path)}
    arguments = ["--collector", server.address, "--state-dir", str(tmp_path / "state")]
    settings = [
        "sampling.fast_period_ms=200",
        "sampling.call_deadline_ms=500",
        "sampling.agent_period_ms=1000",
        "sources.cpu=false",
        "sources.host=false",
    ]
    arguments += [part for setting in settings for part in ("--set", setting)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "steelyard_agent.cli", "daemon", *arguments], env=environ, stderr=log
        )
    yield process
    if process.poll() is None:
        process.kill()
        process.wait(60)


def uids(server: IngestServer) -> dict[int, str]:
    messages = (*server.seen.hellos, *server.seen.describes)
    return {device.key: device.uid for message in messages for device in message.devices}


def rows(server: IngestServer, since_ms: int = 0) -> dict[str, int]:
    """How many fast ticks each device has, by uid."""
    names = uids(server)
    layouts = {layout.id: layout for m in (*server.seen.hellos, *server.seen.describes) for layout in m.layouts}
    count = dict.fromkeys(names.values(), 0)
    for batch in server.seen.batches(DEVICES):
        layout = layouts[batch.layout]
        ticks = [stamp for stamp in memoryview(batch.ts_ms).cast("q") if stamp >= since_ms]
        if layout.period_ms == 200:
            for key in layout.devices:
                count[names[key]] += len(ticks)
    return count


def codes(server: IngestServer) -> list[str]:
    return [event.code for records in server.seen.records(batch_pb2.KIND_EVENT) for event in records.events]


def end(daemon: "subprocess.Popen[bytes]") -> None:
    started_s = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0
    assert time.monotonic() - started_s < 2


def test_all_devices_are_sampled(server: IngestServer, daemon: "subprocess.Popen[bytes]") -> None:
    until(lambda: len(rows(server)) == 4 and min(rows(server).values()) >= 5)
    end(daemon)
    assert server.seen.faults == []


def test_a_hung_device_costs_only_itself_and_comes_back(
    server: IngestServer, daemon: "subprocess.Popen[bytes]", scenario: Scenario
) -> None:
    until(lambda: len(rows(server)) == 4 and min(rows(server).values()) >= 3)
    sick = sorted(uids(server).items())[3][1]
    scenario.set({"hang.nvmlDeviceGetPowerUsage.3": 2, "hang.nvmlDeviceGetFieldValues.3": 2})
    until(lambda: "device_quarantined" in codes(server))
    hung_ms = time.time_ns() // 1_000_000
    until(lambda: max(rows(server, hung_ms).values()) >= 5)
    during = rows(server, hung_ms)
    scenario.drop("hang.nvmlDeviceGetPowerUsage.3", "hang.nvmlDeviceGetFieldValues.3")
    well = [count for uid, count in during.items() if uid != sick]
    assert max(well) - min(well) <= 1, during
    assert during[sick] <= 1, during
    until(lambda: "device_back" in codes(server))
    back_ms = time.time_ns() // 1_000_000
    until(lambda: rows(server, back_ms)[sick] >= 2)
    end(daemon)
    assert server.seen.faults == []


def test_a_device_that_hangs_for_ever_does_not_hold_up_the_end(
    server: IngestServer, daemon: "subprocess.Popen[bytes]", scenario: Scenario
) -> None:
    until(lambda: len(rows(server)) == 4 and min(rows(server).values()) >= 2)
    scenario.set({"hang.nvmlDeviceGetPowerUsage.1": 60, "hang.nvmlDeviceGetFieldValues.1": 60})
    until(lambda: "device_quarantined" in codes(server))
    end(daemon)


def test_a_lost_device_is_told_and_the_others_go_on(
    server: IngestServer, daemon: "subprocess.Popen[bytes]", scenario: Scenario
) -> None:
    until(lambda: len(rows(server)) == 4 and min(rows(server).values()) >= 2)
    gone = sorted(uids(server).items())[0][1]
    scenario.set({"lost.0": 1})
    until(lambda: "device_lost" in codes(server))
    lost_ms = time.time_ns() // 1_000_000
    until(lambda: max(rows(server, lost_ms).values()) >= 5)
    assert rows(server, lost_ms)[gone] == 0
    [event] = [
        event
        for records in server.seen.records(batch_pb2.KIND_EVENT)
        for event in records.events
        if event.code == "device_lost"
    ]
    assert uids(server)[event.device] == gone
    end(daemon)
    assert server.seen.faults == []
