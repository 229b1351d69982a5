"""How soon what a GPU tells by itself is in the store: from the driver to SQL, by a real agent and collector."""

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from steelyard_proto.errors import SteelyardError
from steelyard_tui.client import Client, connect
from tests.bench.agents import DEVICES, agent, compile_packages
from tests.bench.figure import Figure
from tests.bench.machine import wait_for
from tests.bench.processes import collector
from tests.standins.build import build
from tests.standins.scenario import Scenario

_EVENTS = 60
_FLUSH_S = 5.0
_FIRST_XID = 1000
_LIMIT_S = 60.0


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Raises XIDs one after another, each on another GPU and at another time of the tick."""
    compile_packages()
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as name:
        folder = Path(name)
        library = build("nvml", folder / "nvml")
        scenario = Scenario(folder / "scenario", devices=DEVICES)
        with (
            collector(folder) as target,
            agent(folder, "node", library, [], "--collector", target.address, scenario=scenario.path),
            connect(target.address) as client,
        ):
            wait_for(
                lambda: _count(client, "SELECT count() AS n FROM steelyard.devices") > DEVICES, "devices", _LIMIT_S
            )
            progress(f"{_EVENTS} XIDs, one after another")
            delays_s = sorted(_delay_s(client, scenario, place) for place in range(_EVENTS))
    p99_s = delays_s[min(_EVENTS - 1, int(0.99 * _EVENTS))]
    how = f"the worst of {_EVENTS} XIDs: driver, agent, collector, SQL; samples are flushed each {_FLUSH_S:g} s"
    return [
        Figure("event_p99_s", p99_s, "s", f"<= {_FLUSH_S + 2:g}", how),
        Figure("event_p50_s", delays_s[_EVENTS // 2], "s"),
    ]


def _delay_s(client: Client, scenario: Scenario, place: int) -> float:
    code = _FIRST_XID + place
    time.sleep(random.Random(place).random())
    started_s = time.monotonic()
    scenario.set({f"xid.{place % DEVICES}": code})
    query = f"SELECT count() AS n FROM steelyard.events WHERE code = 'xid_{code}'"
    wait_for(lambda: _count(client, query) > 0, f"XID {code} in the store", _LIMIT_S)
    return time.monotonic() - started_s


def _count(client: Client, query: str) -> int:
    with suppress(SteelyardError):
        return int(client.sql(query).table.column("n")[0].as_py())
    return 0
