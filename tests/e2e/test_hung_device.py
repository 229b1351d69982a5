"""A device that hangs, from the vendor's library to SQL: the others go on, its own absence and an event are there."""

from pathlib import Path

import pytest

from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.programs import Agent, Collector, end
from tests.standins.scenario import VARIABLE, Scenario

_DEVICES = 4
_HUNG = 2


@pytest.mark.timeout(240)
def test_a_hung_device_is_absent_in_sql_and_an_event_says_so(tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    build("nvml", libraries)
    scenario = Scenario(tmp_path / "scenario", devices=_DEVICES)
    environ = {"LD_LIBRARY_PATH": str(libraries), VARIABLE: str(scenario.path)}
    collector = Collector(tmp_path)
    agent = Agent(tmp_path, collector.address, "sources.host=false", "sources.cpu=false", environ=environ)
    try:
        collector.serve()
        agent.start()
        until(lambda: len(present(collector)) == _DEVICES, 60)
        scenario.set({f"hang.nvmlDeviceGetPowerUsage.{_HUNG}": 600, f"hang.nvmlDeviceGetFieldValues.{_HUNG}": 600})
        until(lambda: events(collector) == [("device_quarantined", _HUNG)], 60)
        at = collector.ask("SELECT max(ts) AS ts FROM steelyard.events")[0]["ts"]
        well = {index for index in range(_DEVICES) if index != _HUNG}
        until(lambda: set(present(collector, at)) == well, 60)
        others = present(collector, at)
        until(lambda: all(count >= others[index] + 10 for index, count in present(collector, at).items()), 60)
        assert _HUNG not in present(collector, at), "no figure is made up for it"
        # It doesn't hold up the end either, whose samples arrive.
        assert agent.terminate() < 2
        assert agent.code == 0, agent.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((agent, collector))


def present(collector: Collector, since: str = "2000-01-01 00:00:00") -> dict[int, int]:
    """Power readings of each device since then; a device without any is left out."""
    sql = f"""SELECT d.device_index AS place, count(h.power_w) AS n
        FROM steelyard.device_history AS h JOIN steelyard.devices AS d ON d.device_id = h.device_id
        WHERE h.level = 'raw' AND h.ts > toDateTime64('{since}', 3, 'UTC') + INTERVAL 1 SECOND
        GROUP BY place HAVING n > 0"""
    return {row["place"]: row["n"] for row in collector.ask(sql)}


def events(collector: Collector) -> list[tuple[str, int]]:
    """What the agent says of its devices, and of which."""
    sql = """SELECT e.code AS code, d.device_index AS place FROM steelyard.events AS e
        JOIN steelyard.devices AS d ON d.device_id = e.device_id ORDER BY e.ts"""
    return [(row["code"], row["place"]) for row in collector.ask(sql)]
