"""Each trouble costs its own devices' figures, is told, and passes; twice alike. See source_troubles.py for which."""

from collections.abc import Iterator

import pytest

from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.model import Absent, DeviceInfo
from tests.integration.agent.source_cases import Rig
from tests.integration.agent.source_troubles import TROUBLES, Trouble
from tests.integration.agent.test_source_contract import check_figure, metrics_of
from tests.standins.agent_parts import until
from tests.unit.agent.test_guard import Clock

# What a jump of the guard's clock makes of a call that is under way just then.
_BY_JUMPS = {"device_quarantined", "source_hangs"}
_FLAKY_TICKS = 60
# Rates need two readings, and AMD's energy is believed once it has gone with the power for a while.
_FIRST_TICKS = 15
PAIRS = [(case, name) for case, troubles in TROUBLES.items() for name in troubles]


class Node:
    """A guarded source whose figures are checked at each tick."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.clock = Clock()
        self.guard = GuardedSource(rig.source, deadline_s=0.4, monotonic=self.clock, wall_ms=lambda: 1_000)
        self.guard.discover(30.0)
        self.infos: dict[str, DeviceInfo] = {}

    def tick(self) -> dict[str, frozenset[str]]:
        """One tick, a second later: by uid, the names of the figures that are there."""
        self.rig.advance(1)
        self.guard.start_tick(("fast",))
        there: dict[str, frozenset[str]] = {}
        for info, metric_class, values in self.guard.collect(30.0):
            self.infos[info.uid] = info
            pairs = list(zip(metrics_of(info, metric_class), values, strict=True))
            for metric, value in pairs:
                check_figure(metric, value, info)
            names = {metric.name for metric, value in pairs if not isinstance(value, Absent)}
            # What is measured aside comes and goes at its own pace, see test_dcmi_aside.py.
            there[info.uid] = frozenset(name for name in names if "window of" not in info.notes.get(name, ""))
        return there

    def later(self) -> dict[str, frozenset[str]]:
        """A tick after looks for devices have become due."""
        self.clock.ahead_s += 400
        self.rig.advance(400)
        self.tick()
        return self.tick()

    def codes(self) -> set[str]:
        # A slow call that is under way when the clock jumps looks hung too.
        return {event.code for event in self.guard.events() if not event.code.startswith("slow_call")}


@pytest.fixture
def node(rig: Rig) -> Iterator[Node]:
    node = Node(rig)
    yield node
    node.guard.close()


@pytest.mark.parametrize(("rig", "name"), PAIRS, indirect=["rig"], ids=["-".join(pair) for pair in PAIRS])
def test_trouble_costs_its_own_devices_and_passes(node: Node, name: str, request: pytest.FixtureRequest) -> None:
    trouble = TROUBLES[request.node.callspec.params["rig"]][name]
    for _ in range(_FIRST_TICKS):
        node.tick()
    well = node.tick()
    assert all(well.values())
    first = pass_through(node, trouble, well)
    if trouble.victims != "none":
        assert pass_through(node, trouble, well) == first, "the same twice"


def pass_through(node: Node, trouble: Trouble, well: dict[str, frozenset[str]]) -> set[str]:
    """One time; returns the codes of the events."""
    victims = {
        uid for uid in well if trouble.victims == "all" or (trouble.victims == "one" and node.infos[uid].index == 1)
    }
    assert bool(victims) == (trouble.victims != "none")
    trouble.begin(node.rig)
    hurt = False
    for _ in range(3 if trouble.is_total else _FLAKY_TICKS):
        there = node.tick()
        assert {uid: there[uid] for uid in well.keys() - victims} == {
            uid: figures for uid, figures in well.items() if uid not in victims
        }, "the others give what they gave"
        hurt = hurt or any(there[uid] != well[uid] for uid in victims)
        if trouble.is_total:
            assert not any(there[uid] for uid in victims)
    assert hurt == bool(victims)
    codes = node.codes()
    trouble.end(node.rig)
    until(lambda: node.later().items() >= well.items(), 60)
    if not victims:
        assert len(node.tick()) > len(well), "what is new is read too"
    # A slow call that was under way when the clock jumped is counted until it returns.
    until(lambda: node.guard.stats().abandoned == 0)
    return codes | (node.codes() - _BY_JUMPS)
