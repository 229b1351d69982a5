"""A job's profiles on its page and in the live screens: bars, flame graphs, a difference, and a profile asked for."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steelyard_collector.ingest.accepted import TABLES, Origin, Rows
from steelyard_collector.ingest.record_blocks import record_block
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_proto.v1 import batch_pb2
from steelyard_tui.cli import main
from steelyard_tui.messages import Goto
from tests.integration.collector.fleet_rows import register
from tests.integration.collector.job_rows import Rollers, put_held
from tests.integration.collector.small_store import PATIENT, doors
from tests.standins.profile_records import PARTS, profile, profile_id, rows, stacks
from tests.standins.screens import running_app, until, until_text

NOW_MS = int(time.time() * 1000)


def _window(store: Store, number: int, rank: int, **more: Any) -> None:
    ts_ms = NOW_MS - number * 60_000
    key: dict[str, Any] = {"job": "17", "rank": rank}
    told: dict[int, dict[str, Any]] = {
        batch_pb2.KIND_PROFILE: {"profiles": [profile(ts_ms, number, PARTS, **key, **more)]}
    }
    if not more:
        told[batch_pb2.KIND_PROFILE_ROW] = {"profile_rows": rows(ts_ms, number, PARTS, **key)}
        told[batch_pb2.KIND_STACK] = {"stacks": stacks(ts_ms, number, **key)}
    for kind, lists in told.items():
        message = batch_pb2.Records(kind=kind, **lists)  # type: ignore[arg-type]
        block = record_block([Rows(Origin(7, 9, kind, number), ts_ms // 86_400_000, message, {1: 41})])  # type: ignore[arg-type]
        store.insert(TABLES[kind], block, token=f"{kind}-{number}")  # type: ignore[index]


def _sampled(store: Store, number: int, agent: int, bytes_per_s: float) -> None:
    rates = [batch_pb2.Rate(index=0, link="hccs", direction="sent", mean_bytes_per_s=bytes_per_s)]
    told: dict[str, Any] = {"ts_ms": NOW_MS, "job": "18", "profiler": "msprof", "state": "stored"}
    sampled = batch_pb2.Profile(id=profile_id(number), rates=rates, **told)
    message = batch_pb2.Records(kind=batch_pb2.KIND_PROFILE, profiles=[sampled])
    accepted = Rows(Origin(agent, 9, batch_pb2.KIND_PROFILE, number), NOW_MS // 86_400_000, message, {})
    store.insert(TABLES[batch_pb2.KIND_PROFILE], record_block([accepted]), token=f"rates-{number}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('profiled')}/store")
    devices = [{"device_id": 41, "agent": 7, "origin": "simulated"}, {"device_id": 42, "agent": 8}]
    register(store, devices, now_ms=NOW_MS)
    put_held(
        store, [{"job": "17", "device_id": 41, "agent": 7, "from_ts": NOW_MS - 3_600_000, "to_ts": NOW_MS + 900_000}]
    )
    Rollers(store).run(NOW_MS)
    for number in (1, 2):
        _window(store, number, number)
    _window(store, 3, 1, state="failed", reason="its profiler was busy")
    for number, (agent, bytes_per_s) in enumerate([(7, 1e9), (7, 3e9), (8, 8e9)], 4):
        _sampled(store, number, agent, bytes_per_s)
    yield store
    store.close()


@pytest.fixture(scope="module")
def address(store: Store) -> Iterator[str]:
    with doors(store, limits=PATIENT) as opened:  # type: ignore[arg-type]
        yield opened.address


def test_the_page_has_them(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["job", "17", "--collector", address])
    said = capsys.readouterr().out
    assert "where its steps go" in said
    assert "80% compute, 1 x" in said
    assert "failed: its profiler was busy" in said
    assert "exposed all-reduc" in said
    assert "aten::mm" in said
    main(["job", "17", "--json", "--collector", address])
    told = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in told["profiles"]] == ["stored", "stored", "failed"]
    assert sum(row["ns"] for row in told["profile_parts"]) == 2 * 90_000_000
    assert {row["by"] for row in told["profile_operators"]} == {"operator", "call"}


def test_rates_are_of_one_node_and_device(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each node counts its devices from 0."""
    assert main(["ops", "18", "--collector", address]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:5] for line in said[-3:]] == [
        ["node", "device", "moved", "GB/s", "least"],
        ["n7", "0", "hccs", "sent", "2.000"],
        ["n8", "0", "hccs", "sent", "8.000"],
    ]


def test_a_collector_of_before_there_were_rates_is_no_hindrance(
    store: Store, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store.command("RENAME TABLE steelyard.rates TO steelyard.put_away")
    try:
        assert main(["ops", "17", "--collector", address]) == 0
    finally:
        store.command("RENAME TABLE steelyard.put_away TO steelyard.rates")
    out, err = capsys.readouterr()
    assert "aten::mm" in out
    assert "older and has no view `rates`" in err


async def test_the_screen_leads_to_flame_graphs(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (160, 48)) as pilot:
        await until_text(pilot, "1 compare")
        pilot.app.post_message(Goto("job", job="17"))
        text = await until_text(pilot, "where its steps go")
        # Beside the page, whose first line names the job; the bar above it doesn't do so again.
        assert "where its steps go" in next(line for line in text.splitlines() if line.startswith(" job 17"))
        assert sum("job 17" in line for line in text.splitlines()) == 1
        await pilot.press("f")
        text = await until_text(pilot, "device stacks")
        assert "nvjet" in text
        await pilot.press("t")
        await until_text(pilot, "host stacks")
        await pilot.press("t")
        assert "12 samples in 1 stacks" in await until_text(pilot, "sampled stacks")
        await pilot.press("escape", "d")
        await until_text(pilot, "Newest window against")
        await pilot.press("enter")
        assert "against" in await until_text(pilot, "larger share")
        await pilot.press("q", "F")
        await until_text(pilot, "Flame graph of")
        await pilot.press("down", "enter")
        await until(pilot, lambda text: "rank 2" in text.splitlines()[0], "the older window")


async def test_a_page_says_that_it_is_simulated_however_far_down(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (80, 12)) as pilot:
        await until_text(pilot, "1 compare")
        pilot.app.post_message(Goto("job", job="17"))
        text = await until_text(pilot, "lines below")
        assert "SIMULATED" in text.splitlines()[3]
        await pilot.press("pagedown")
        await until(pilot, lambda text: text.splitlines()[1].startswith(" job 17  SIMULATED: no such job"), "the mark")


async def test_a_profile_that_nobody_can_take_says_why(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (100, 30)) as pilot:
        await until_text(pilot, "1 compare")
        pilot.app.post_message(Goto("job", job="17"))
        await until_text(pilot, "began")
        await pilot.press("P")
        await until_text(pilot, "Profile now")
        await pilot.press("enter")
        # These doors have no service Control: what an older collector says is told, and the page stays.
        await until(pilot, lambda text: " profile the collector at" in text.splitlines()[1], "why not")
        await until_text(pilot, "began")
