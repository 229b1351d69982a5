"""The real collector on a ClickHouse server (a stand-in), with a real simulated fleet, up to rows in a view."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_collector.store.open import open_store
from tests.standins.agent_parts import until
from tests.standins.clickhouse_process import ServerProcess, clickhouse_process
from tests.standins.programs import Collector, Simulator, end
from tests.standins.stored import assert_raw_is
from tests.standins.truth import Truth

_FULL = "Code: 243. DB::Exception: Cannot reserve 6.06 MiB, not enough space (NOT_ENOUGH_SPACE)"
# What the collector writes of itself goes on, so that only agents' rows are concerned.
_SPARE = "collector_lock collector_state"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with clickhouse_process(tmp_path / "server") as running:
        yield running


def test_a_refusing_server_gets_everything_once(tmp_path: Path, server: ServerProcess) -> None:
    collector = Collector(tmp_path, dsn=server.dsn)
    second = Collector(tmp_path, dsn=server.dsn, name="second")
    fleet = Simulator(tmp_path, collector.address, nodes=2)
    (server.folder / "spare").write_text(_SPARE)
    try:
        collector.serve()
        fleet.start()
        until(lambda: fleet.said.count("welcomed by collector") == 2, 60)
        until(lambda: server.inserts("raw_device") > 2, 60)
        second.start()
        until(lambda: not second.is_running, 60)
        assert second.code == 1
        assert "is in use by another collector (process" in second.said
        # Committed, and the collector is not told: it must not commit them twice.
        server.tell("cut", "raw_device")
        cut_at = server.inserts("raw_device")
        until(lambda: server.inserts("raw_device") > cut_at + 1, 60)
        server.untell("cut")
        # Refused: nothing is committed, and nothing acknowledged.
        server.tell("refuse", _FULL)
        until(lambda: "(kept and tried again)" in collector.said and "NOT_ENOUGH_SPACE" in collector.said, 60)
        held, told = server.inserts("raw_device"), fleet.told
        until(lambda: fleet.told > told + 10, 60)
        assert server.inserts("raw_device") == held
        assert collector.is_running
        assert fleet.is_running
        server.untell("refuse")
        until(lambda: server.inserts("raw_device") > held + 1, 60)
        fleet.terminate(60)
        assert fleet.code == 0, fleet.said
        assert "wait in its spool" not in fleet.said
        collector.terminate()
        assert collector.code == 0, collector.said
    finally:
        end((fleet, second, collector))
    store = open_store(server.dsn)
    try:
        assert_raw_is(store, Truth(fleet.truth))
        devices = store.query("SELECT count() AS n, countIf(last_seen IS NOT NULL) AS seen FROM steelyard.devices")
        assert devices.to_pylist() == [{"n": 16, "seen": 16}]
        assert store.query("SELECT count() AS n FROM steelyard.gaps")["n"][0].as_py() == 0
    finally:
        store.close()
