"""Every action of the table is one that its screens can do."""

import re

import pytest

from steelyard_tui.actions import actions_of
from steelyard_tui.app import SteelyardApp
from steelyard_tui.screens.compare import CompareScreen
from steelyard_tui.screens.device import DeviceScreen
from steelyard_tui.screens.fleet import FleetScreen
from steelyard_tui.screens.job import JobScreen
from steelyard_tui.screens.live import LiveScreen
from steelyard_tui.screens.sql import SqlScreen
from steelyard_tui.screens.table import TableScreen

SCREENS = {"compare": CompareScreen, "fleet": FleetScreen, "device": DeviceScreen, "sql": SqlScreen, "job": JobScreen}
SCREENS |= dict.fromkeys(("jobs", "nodes", "devices"), TableScreen)


@pytest.mark.parametrize("scope", SCREENS)
def test_every_action_exists(scope: str) -> None:
    screen: type[LiveScreen] = SCREENS[scope]
    for action in actions_of(scope):
        match = re.fullmatch(r"(app\.)?(\w+)(\(.*\))?", action.name)
        assert match is not None
        owner = SteelyardApp if match[1] else screen
        assert hasattr(owner, f"action_{match[2]}"), (scope, action.name)
