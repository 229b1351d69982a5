"""Without a collector, and with one that goes and comes back."""

import socket
from pathlib import Path

from steelyard_tui.state import Link
from tests.standins.query_process import query_process
from tests.standins.screens import running_app, until, until_text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_no_collector_says_which_address_and_how_to_start_one(tmp_path: Path) -> None:
    address = f"127.0.0.1:{_free_port()}"
    async with running_app(address, tmp_path) as pilot:
        text = await until_text(pilot, f"No collector answers at {address}")
        assert "steelyard-collector daemon" in text
        await pilot.press("5")
        await until_text(pilot, f"No collector answers at {address}")


async def test_it_finds_the_collector_by_itself_and_keeps_old_figures(tmp_path: Path) -> None:
    port = _free_port()
    arguments = ("--devices", "200", "--port", str(port))
    async with running_app(f"127.0.0.1:{port}", tmp_path) as pilot:
        await until_text(pilot, "No collector answers")
        with query_process(*arguments):
            await until_text(pilot, "910B")
        text = await until_text(pilot, "RECONNECTING")
        assert "910B" in text
        with query_process(*arguments):
            await until(pilot, lambda text: "RECONNECTING" not in text and "910B" in text, "the collector again")
            assert pilot.app.session.link.link is Link.LIVE
