"""The comparison over a Query service in another process, driven by keys and mouse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.query_process import query_process
from tests.standins.screens import running_app, screen_lines, until, until_text


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with query_process("--devices", "400") as address:
        yield address


async def test_the_first_screen_weighs_the_chips(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        text = await until(pilot, lambda text: "2.4 dev = 1 H100" in text and "958 ms" in text, "shares and figures")
        assert "How much of 1 H100 is each?  tokens/s per device, last 1 h" in text
        order = [line[5:].split()[0] for line in text.splitlines() if line[3:4] in "▲◆●■" and " ~" in line]
        assert order[:5] == ["H100", "MI300X", "910B", "910C", "H20"]
        assert "0.41 [0.40, 0.42]" in text
        assert "0.16 [0.14, 0.18]*" in text
        assert "95 %: jobs like these, * these jobs" in text
        assert "~ simulated" in text
        assert "not weighed" in text
        assert "no job on A100-80G counts it in this window" in text
        assert "910C package = 1.00 of H100, 2025" in text
        bars = [line.count("█") for line in screen_lines(pilot.app) if "█" in line]
        assert bars == sorted(bars, reverse=True)
        # The cursor stands on the first chip that something is said of; another one's words come by a key.
        assert "MI300X ~: 0.85 [0.80, 0.90] over jobs like these; 1.2 devices = 1 H100" in text
        await pilot.press("down")
        await until_text(pilot, "910B ~: 0.41 [0.40, 0.42] over jobs like these; 2.4 devices = 1 H100")
        await until_text(pilot, "4 against 3 jobs of 1 workload")


async def test_reference_window_and_metric_can_be_chosen(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await until_text(pilot, "= 1 H100")
        await pilot.press("r", *"910b", "enter")
        await until_text(pilot, "2.44 [")
        text = await until_text(pilot, "0.4 dev = 1 910B")
        assert "How much of 1 910B is each?" in text
        await pilot.press("w")
        await until_text(pilot, "last 24 h")
        await until_text(pilot, "= 1 910B")
        await pilot.press("m", *"joule", "enter")
        text = await until_text(pilot, "tokens per joule, last 24 h")
        assert "1.26 [" in text
        await pilot.press("m", *"cost", "enter")
        await until_text(pilot, "cost per million tokens")
        text = await until_text(pilot, "No share yet")
        assert "1.26 [" not in text


async def test_wide_has_lanes_spread_energy_and_claims(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (160, 48)) as pilot:
        text = await until_text(pilot, "every lane ±10% of its own median")
        assert any("\u2801" <= sign <= "\u28ff" for sign in text)
        assert "least -9%" in text
        assert "step times, own median = 1" in text
        assert "×1.40" in text
        assert "tokens per joule, share of H100" in text
        assert "!not consistent ~0.80 [0.77, 0.83] over jobs like these, 2 against 3 jobs" in text
        assert "4 against 3 jobs; 95 % over jobs like these" in text


async def test_a_chip_opens_its_jobs_and_the_mouse_selects(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await until_text(pilot, "= 1 H100")
        lines = screen_lines(pilot.app)
        y = next(at for at, line in enumerate(lines) if "910B ~" in line)
        await pilot.click(offset=(20, y + 1))
        await until_text(pilot, "910B ~: 0.41")
        await pilot.press("y")
        await until_text(pilot, "copied to the clipboard and to")
        [copied] = (tmp_path / "state" / "copies").iterdir()
        assert "share_ratio\t0.41" in copied.read_text()
        await pilot.press("enter")
        await until_text(pilot, "filter chips=910B origin=simulated")
        await pilot.press("escape", "escape")
        await until_text(pilot, "910B ~: 0.41")
        await pilot.press("p")
        await until_text(pilot, "PAUSED")


async def test_every_size_and_ascii_draw(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (40, 10), ascii_only=True) as pilot:
        text = await until_text(pilot, "0.85 [0.80, 0.90]")
        assert text.isascii()
        for size in ((60, 16), (80, 24), (120, 30), (160, 48)):
            await pilot.resize_terminal(*size)
            text = await until_text(pilot, "claims" if size[0] >= 80 else "0.85 [0.80, 0.90]")
            assert text.isascii()
            assert all(len(line) == size[0] for line in screen_lines(pilot.app))
