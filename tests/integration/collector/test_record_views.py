"""The views of nodes, hosts and processes, over a few rows of this moment."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_proto.metrics import catalogue
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.job_rows import put_process
from tests.integration.collector.store_kinds import KINDS, empty_store

# Long enough that no device falls silent while these tests run.
WINDOW_MS = 600_000


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with empty_store(request.param, tmp_path_factory.mktemp(request.param)) as dsn:
        store = open_store(dsn)
        store.command(f"INSERT INTO steelyard_store.live_window (id, window_ms, ver) VALUES (1, {WINDOW_MS}, 1)")
        register(
            store, [{"device_id": n, "agent": 1, "numa_node": numa} for n, numa in ((3, 1), (4, -1))], now_ms=now()
        )
        yield store
        store.close()


def now() -> int:
    return int(time.time() * 1000)


def put(store: Store, *rows: dict[str, Any]) -> None:
    store.insert("raw_device", raw_block([{"ts": now(), "seq": 1} | row for row in rows]), token="block")


def test_a_cut_gpu_counts_once_in_its_nodes_figures(store: Store) -> None:
    part = {"agent": 9, "vendor": "amd", "chip": "", "part": "partition", "package_uid": "dev-90"}
    gpus = [{"device_id": n, "agent": 9, "vendor": "amd", "chip": "MI325X"} for n in (90, 93)]
    register(store, [*gpus, {"device_id": 91} | part, {"device_id": 92} | part], now_ms=now())
    busy = {90: 0.25, 91: 0.5, 92: 0.0, 93: 0.75}
    put(
        store,
        *({"device_id": n, "busy": told, "power_w": 500.0 if n in (90, 93) else None} for n, told in busy.items()),
    )
    [row] = store.query("SELECT busy, power_w, devices FROM steelyard.nodes WHERE node = 'n9'").to_pylist()
    assert row == {"busy": 0.5, "power_w": 1000.0, "devices": 4}


def test_a_device_says_where_it_sits(store: Store) -> None:
    told = store.query("SELECT uid, numa_node FROM steelyard.devices WHERE node = 'n1' ORDER BY uid").to_pylist()
    assert told == [{"uid": "dev-3", "numa_node": 1}, {"uid": "dev-4", "numa_node": None}]


def test_processes_stand_with_their_device_and_what_they_waited_for(store: Store) -> None:
    put_process(
        store, "waits", 3, now() // 1000, rank=5, voluntary_switches=70, involuntary_switches=4, read_bytes=1 << 40
    )
    [row] = store.query("SELECT * FROM steelyard.processes WHERE job = 'waits'").to_pylist()
    assert (row["node"], row["uid"], row["pid"], row["rank"]) == ("n1", "dev-3", 3, 5)
    assert (row["voluntary_switches"], row["involuntary_switches"], row["read_bytes"]) == (70, 4, 1 << 40)
    assert (row["user"], row["container"], row["threads"]) == ("ines", None, None)


def test_every_host_metric_stands_by_node_and_time(store: Store) -> None:
    store.command("INSERT INTO steelyard_store.raw_host (agent, ts, epoch, seq, cpu_busy, nic_tx_bytes, nic_up) "
                  f"VALUES (1, fromUnixTimestamp64Milli({now()}), 1, 77, 0.5, 4096, 7)")  # fmt: skip
    [row] = store.query("SELECT * FROM steelyard.host_history WHERE node = 'n1'").to_pylist()
    assert (row["cpu_busy"], row["nic_tx_bytes"], row["nic_up"], row["psi_io_us"]) == (0.5, 4096, 7.0, None)
    assert {metric.name for metric in catalogue().of("host")} < row.keys()
