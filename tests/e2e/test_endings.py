"""SIGTERM, whatever hangs; and a second program on a directory that is in use."""

from pathlib import Path

import pytest

from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.programs import Agent, Collector, Simulator, end
from tests.standins.scenario import VARIABLE, Scenario
from tests.standins.stored import assert_raw_is, lost_messages, opened
from tests.standins.truth import Truth
from tests.standins.wire_proxy import WireProxy


@pytest.mark.timeout(120)
def test_the_agent_ends_in_time_while_its_collector_is_swallowed_and_a_device_hangs(tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    build("nvml", libraries)
    scenario = Scenario(tmp_path / "scenario", devices=2)
    environ = {"LD_LIBRARY_PATH": str(libraries), VARIABLE: str(scenario.path)}
    collector = Collector(tmp_path)
    collector.serve()
    proxy = WireProxy(collector.address)
    # What is gathered for a minute is what the end has to bring to the spool.
    agent = Agent(tmp_path, proxy.address, "sampling.flush_ms=60000", environ=environ)
    again = Agent(tmp_path, collector.address, environ=environ)
    try:
        agent.start()
        until(lambda: "welcomed by collector" in agent.said, 60)
        proxy.swallow()
        scenario.set({"hang.nvmlDeviceGetPowerUsage": 600, "hang.nvmlDeviceGetFieldValues": 600})
        until(lambda: "device_quarantined" in agent.said, 60)
        spooled = agent.spool_bytes
        assert agent.terminate() < 2
        assert agent.code == 0, agent.said
        assert agent.spool_bytes > spooled
        assert samples(collector) == 0, "nothing has passed the network"
        scenario.drop("hang.nvmlDeviceGetPowerUsage", "hang.nvmlDeviceGetFieldValues")
        again.start()
        until(lambda: samples(collector) > 10, 60)
        assert again.terminate() < 2
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((agent, again, collector))
        proxy.close()


def samples(collector: Collector) -> int:
    [row] = collector.ask("SELECT count() AS n FROM steelyard.device_history WHERE level = 'raw' AND power_w > 0")
    return int(row["n"])


@pytest.mark.timeout(120)
def test_a_collector_that_ends_has_stored_and_acknowledged_what_it_took(tmp_path: Path) -> None:
    # So long a wait for a block that its end alone commits.
    collector = Collector(tmp_path, "--commit-ms", "600000")
    fleet = Simulator(tmp_path, collector.address, nodes=2)
    try:
        collector.serve()
        fleet.start()
        until(lambda: fleet.told > 20, 60)
        collector.terminate()
        assert collector.code == 0, collector.said
        fleet.kill()
    finally:
        end((fleet, collector))
    truth = Truth(fleet.truth)
    with opened(collector.store) as store:
        assert lost_messages(store) == {}
        stored = store.query("SELECT count() AS n FROM steelyard_store.raw_device")["n"][0].as_py()
    assert 0 < stored <= sum(told.rows for told in truth.of(batch_pb2.KIND_DEVICE_SAMPLES))
    # What it took is not sent again: the spool begins behind it.
    again = Simulator(tmp_path, collector.address, nodes=2)
    try:
        collector.serve()
        again.start()
        until(lambda: len(again.welcomed()) == 2, 60)
        again.terminate()
        assert again.code == 0, again.said
        collector.terminate()
    finally:
        end((again, collector))
    with opened(collector.store) as store:
        assert_raw_is(store, Truth(fleet.truth))


@pytest.mark.timeout(120)
def test_a_second_collector_on_a_store_is_refused(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    second = Collector(tmp_path, store=collector.store)
    second.name = "second"
    try:
        collector.serve()
        second.start()
        assert second.process is not None
        assert second.process.wait(60) == 1
        assert second.said == (
            f"steelyard-collector: {collector.store} is in use by process "
            f"{collector.process.pid if collector.process else 0}; stop it, or choose another directory with "
            "--store chdb:///DIR\n"
        )
        assert collector.ask("SELECT 1 AS one") == [{"one": 1}], "the first doesn't mind"
        # An address that is taken is another matter, with another exit code.
        third = Collector(tmp_path, "--listen", collector.address, store=tmp_path / "other")
        third.name = "third"
        third.start()
        assert third.process is not None
        assert third.process.wait(60) == 3
        assert f"{collector.address} can't be listened on" in third.said
    finally:
        end((second, collector))
