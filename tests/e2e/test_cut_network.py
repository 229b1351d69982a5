"""A network that is cut, swallows what is sent, or lets only one direction pass."""

from pathlib import Path

import pytest

from tests.standins.agent_parts import until
from tests.standins.programs import Collector, Simulator, end
from tests.standins.stored import assert_raw_is, lost_messages, opened
from tests.standins.truth import Truth
from tests.standins.wire_proxy import WireProxy

_NODES = 3


def states(collector: Collector) -> list[str]:
    """Of all devices, as screens show them."""
    return [row["state"] for row in collector.ask("SELECT DISTINCT state FROM steelyard.devices")]


def _tell_more(fleet: Simulator) -> None:
    told = fleet.told
    until(lambda: fleet.told > told + 3 * _NODES, 60)


@pytest.mark.timeout(240)
def test_a_cut_network_loses_nothing_and_shows_as_stale(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    collector.serve()
    proxy = WireProxy(collector.address)
    fleet = Simulator(tmp_path, proxy.address, nodes=_NODES)
    try:
        fleet.start()
        until(lambda: states(collector) == ["live"], 60)
        # Both ends believe that the other is there, and what was held up comes after all.
        proxy.swallow()
        _tell_more(fleet)
        proxy.restore()
        # Acknowledgements are held up, then all is cut: what was committed is sent again, and dropped at the door.
        proxy.swallow_answers()
        _tell_more(fleet)
        proxy.swallow()
        proxy.cut()
        before, since = proxy.accepted, len(fleet.said)
        until(lambda: states(collector) == ["stale"], 60)
        assert proxy.accepted - before <= 5 * _NODES, "they come back now and then, not all the time"
        proxy.restore()
        until(lambda: len(fleet.welcomed(since)) == _NODES, 60)
        until(lambda: states(collector) == ["live"], 60)
        fleet.terminate()
        assert fleet.code == 0, fleet.said
        assert "wait in its spool" not in fleet.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((fleet, collector))
        proxy.close()
    with opened(collector.store) as store:
        assert lost_messages(store) == {}
        assert_raw_is(store, Truth(fleet.truth))
