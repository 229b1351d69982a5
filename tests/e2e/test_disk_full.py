"""A disk without room, on the agents' side and on the collector's."""

from pathlib import Path

import pytest

from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.programs import Collector, Simulator, end
from tests.standins.stored import assert_raw_is, lost_messages, opened
from tests.standins.trouble import Trouble
from tests.standins.truth import Truth

_NODES = 2
_FULL = "No space left on device"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("trouble", tmp_path_factory.mktemp("trouble"))


def rows(collector: Collector) -> int:
    [row] = collector.ask("SELECT sum(samples) AS n FROM steelyard.device_history WHERE level = 'raw'")
    return int(row["n"] or 0)


@pytest.mark.timeout(240)
def test_agents_on_a_full_disk_send_what_they_can_and_tell_what_they_lost(tmp_path: Path, library: Path) -> None:
    trouble = Trouble(library, tmp_path / "trouble", tmp_path / "fleet")
    collector = Collector(tmp_path)
    fleet = Simulator(tmp_path, collector.address, nodes=_NODES, environ=trouble.environ)
    try:
        collector.serve()
        fleet.start()
        until(lambda: rows(collector) > 0, 60)
        trouble.fill_disk()
        until(lambda: fleet.said.count(_FULL) == _NODES, 60)
        # What is acknowledged leaves the disk, so the fleet stays visible.
        before = rows(collector)
        until(lambda: rows(collector) > before, 60)
        collector.kill()
        told = fleet.told
        until(lambda: trouble.room_bytes == 0, 60)
        until(lambda: fleet.told > told + 8, 60)
        assert fleet.is_running
        assert fleet.said.count(_FULL) == _NODES, "said once, not at each message"
        trouble.free_disk()
        until(lambda: fleet.said.count("can be written again") >= _NODES, 60)
        since = len(fleet.said)
        collector.serve()
        until(lambda: len(fleet.welcomed(since)) == _NODES, 60)
        fleet.terminate()
        assert fleet.code == 0, fleet.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((fleet, collector))
    with opened(collector.store) as store:
        lost = lost_messages(store)
        assert set(lost.values()) == {"disk_full"}
        assert_raw_is(store, Truth(fleet.truth), lost)


@pytest.mark.timeout(240)
def test_a_collector_on_a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room(
    tmp_path: Path, library: Path
) -> None:
    trouble = Trouble(library, tmp_path / "trouble", tmp_path / "store")
    collector = Collector(tmp_path, "--rollup-period", "1", environ=trouble.environ)
    fleet = Simulator(tmp_path, collector.address, nodes=_NODES)
    try:
        collector.serve()
        fleet.start()
        until(lambda: rows(collector) > 0, 60)
        trouble.fill_disk()
        # Not a merge or a rollup, which may be refused while a block before is still being committed.
        until(lambda: "(kept and tried again)" in collector.said and _FULL in collector.said, 60)
        before = rows(collector)
        told = fleet.told
        until(lambda: fleet.told > told + 8, 60)
        assert rows(collector) == before, "nothing can be stored, and all that is stored can be read"
        assert "make room there" in collector.said
        trouble.free_disk()
        until(lambda: rows(collector) > before, 60)
        fleet.terminate()
        assert fleet.code == 0, fleet.said
        assert "wait in its spool" not in fleet.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((fleet, collector))
    with opened(collector.store) as store:
        assert lost_messages(store) == {}
        assert_raw_is(store, Truth(fleet.truth))
