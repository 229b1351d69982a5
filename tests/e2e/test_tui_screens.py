"""The screens over a Query service in another process, driven by keys and mouse."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.standins.query_process import query_process
from tests.standins.screens import running_app, screen_lines, until, until_text

SIZES = ((80, 24), (160, 48))
_KEYS = (("1", "H100"), ("2", "core active"), ("3", "llama"), ("4", "250 nodes"), ("5", "2 000"), ("6", "read-only"))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with query_process("--devices", "2000") as address:
        yield address


@pytest.mark.parametrize("size", SIZES)
async def test_fleet_shows_every_chip_and_its_bar(address: str, tmp_path: Path, size: tuple[int, int]) -> None:
    async with running_app(address, tmp_path, size) as pilot:
        await pilot.press("2")
        text = await until_text(pilot, "per die")
        for expected in ("H100", "H20", "910B", "910C", "A100-80G", "simulated", "not live", "per die"):
            assert expected in text
        bars = [line.count("█") for line in screen_lines(pilot.app) if "█" in line]
        assert len(set(bars)) > 2
        # No figure of the A100 but busy: a dash, and never a 0.
        line = next(line for line in text.splitlines() if "A100-80G" in line)
        assert "–" in line
        assert " 0 " not in line


async def test_wide_fleet_shows_the_past(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (160, 48)) as pilot:
        await pilot.press("2")
        text = await until_text(pilot, "last 5 min")
        assert any("\u2800" <= sign <= "\u28ff" for sign in text)
        assert "latest events" in text
        await pilot.press("w")
        await until_text(pilot, "last 15 min")


async def test_metric_can_be_chosen_by_typing(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("2")
        await until_text(pilot, "per die")
        await pilot.press("m", *"power", "enter")
        text = await until_text(pilot, "compare power per device")
        assert "800 W" in text


async def test_opening_a_chip_filters_devices_and_escape_comes_back(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("2")
        await until_text(pilot, "per die")
        await pilot.press("down", "enter")
        text = await until_text(pilot, "200 of 2 000 devices")
        assert "chip=H20 origin=simulated" in text
        await pilot.press("enter")
        await until_text(pilot, "last 5 min")
        await pilot.press("escape")
        await until_text(pilot, "200 of 2 000")
        await pilot.press("escape", "escape")
        await until_text(pilot, "compare")


async def test_the_fleet_by_mouse(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("2")
        text = await until_text(pilot, "per die")
        head = text.splitlines()[2]
        await pilot.click(offset=(head.index("W/dev") + 1, 2))
        await until(pilot, lambda text: _watts(text) == sorted(_watts(text), reverse=True), "the largest first")
        await pilot.click(offset=(head.index("W/dev") + 1, 2))
        text = await until(pilot, lambda text: _watts(text) == sorted(_watts(text)), "the smallest first")
        line = next(y for y, line in enumerate(text.splitlines()) if " H20 " in line)
        await pilot.click(offset=(5, line))
        await until(pilot, lambda text: text.splitlines()[line].startswith("▌"), "the cursor where the mouse was")
        await pilot.click(offset=(5, line), times=2)
        await until_text(pilot, "chip=H20 origin=simulated")


def _watts(text: str) -> list[int]:
    """The column of watts per device, of the chips that give it."""
    lines = text.splitlines()
    end = lines[2].index("W/dev") + len("W/dev")
    cells = [line[end - 5 : end].strip() for line in lines[3:] if re.match(r".\s[▲●◆■] ", line)]
    return [int(cell) for cell in cells if cell.isdigit()]


async def test_a_table_asks_once_for_all_that_it_shows(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (160, 48)) as pilot:
        await until_text(pilot, "H100")
        session = pilot.app.session
        before = session.generation
        await pilot.press("5")
        await until_text(pilot, "2 000 devices")
        assert session.generation == before + 1
        assert "  …" not in "\n".join(screen_lines(pilot.app))


@pytest.mark.parametrize("size", SIZES)
async def test_devices_reads_only_what_is_near(address: str, tmp_path: Path, size: tuple[int, int]) -> None:
    async with running_app(address, tmp_path, size) as pilot:
        await pilot.press("5")
        await until_text(pilot, "2 000 devices")
        await pilot.press("end")
        await until(pilot, lambda text: "n00249/7" in text and "…" not in text.replace("H20", ""), "the last row")
        page = pilot.app.screen.page
        assert page.total == 2000
        assert len(page.order) <= 3 * size[1]


async def test_columns_out_of_sight_are_told_and_reached(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("5")
        text = await until_text(pilot, "more columns with ←→")
        assert "memory B" not in text
        await pilot.press(*["right"] * 9)
        await until(pilot, lambda text: "memory B" in text and "more columns" not in text, "the last columns")


async def test_filter_sort_and_invert(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("5")
        await until_text(pilot, "2 000 devices")
        await pilot.press("slash", *"chip:910c", "enter")
        await until_text(pilot, "400 of 2 000")
        await pilot.press("s", *"power", "enter")
        await until_text(pilot, "by power_w falling")
        await until(pilot, lambda text: _is_sorted(text, falling=True), "falling power")
        await pilot.press("I")
        await until(pilot, lambda text: _is_sorted(text, falling=False), "rising power")
        await pilot.press("escape")
        await until_text(pilot, " 2 000 devices")


def _is_sorted(text: str, *, falling: bool) -> bool:
    power = [float(found) for found in re.findall(r" (\d+) live", text)]
    return len(power) > 5 and power == sorted(power, reverse=falling)


async def test_a_bad_filter_says_why(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("4")
        await until_text(pilot, "250 nodes")
        await pilot.press("slash", *"nosuch<3", "enter")
        await until_text(pilot, "no column 'nosuch'")
        await pilot.press("escape")
        await until_text(pilot, "250 nodes")


async def test_no_match_says_how_to_go_on(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("3")
        await until_text(pilot, "6 jobs")
        await pilot.press("slash", *"nothinglikethis", "enter")
        await until_text(pilot, "None of 6 jobs passes")
        await pilot.press("escape")
        await until_text(pilot, "llama-0")


async def test_heads_sort_by_mouse_and_rows_open_by_a_second_click(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.click(offset=(52, 0))
        text = await until_text(pilot, "2 000 devices")
        head = text.splitlines()[2]
        await pilot.click(offset=(head.index("core%") + 1, 2))
        await until_text(pilot, "by core_active falling")
        await pilot.click(offset=(20, 6), times=2)
        await until_text(pilot, "samples as they came")


async def test_pause_holds_the_display(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("5")
        await until_text(pilot, "2 000 devices")
        await pilot.press("p")
        await until_text(pilot, "PAUSED")
        before = screen_lines(pilot.app)[3:-1]
        await until_text(pilot, "PAUSED 2 s")
        assert screen_lines(pilot.app)[3:-1] == before
        await pilot.press("p")
        await until(pilot, lambda text: "PAUSED" not in text, "going on")


async def test_copies_go_to_files(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("4")
        await until_text(pilot, "250 nodes")
        await pilot.press("y")
        await pilot.press("Y")
        await until_text(pilot, "250 rows in")
        copies = {path.suffix: path for path in (tmp_path / "state" / "copies").iterdir()}
        assert "node\tn0" in copies[".txt"].read_text()
        assert len(copies[".csv"].read_text().splitlines()) == 251


async def test_device_shows_history_and_what_is_absent(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("5")
        await until_text(pilot, "n00000/0")
        await pilot.press("enter")
        text = await until_text(pilot, "not given: vector active")
        assert "~simulated" in text
        assert any("\u2801" <= sign <= "\u28ff" for sign in text)
        await pilot.press("w", "w", "w")
        await until_text(pilot, "last 6 h")


async def test_sql_runs_sorts_and_exports(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (100, 30)) as pilot:
        await pilot.press("6")
        await until_text(pilot, "ClickHouse, read-only")
        pilot.app.screen._editor.text = "SELECT number AS n, NULL AS nothing FROM numbers(3)"
        await pilot.press("ctrl+j")
        text = await until_text(pilot, "3 rows")
        assert "null" in text
        # The rows don't say it of themselves.
        await until_text(pilot, "the store holds ~ simulated data: see the column origin")
        await pilot.press("ctrl+e")
        await until_text(pilot, "Export to")
        await pilot.press(*["backspace"] * 200, *str(tmp_path / "out.parquet"), "enter")
        await until_text(pilot, "3 rows in")
        assert pq.read_table(tmp_path / "out.parquet").column("n").to_pylist() == [0, 1, 2]
        await pilot.press("f8")
        await until_text(pilot, "SELECT number AS n")


async def test_sql_says_why_a_query_fails(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("6")
        await until_text(pilot, "no answer yet")
        pilot.app.screen._editor.text = "SELECT nosuchcolumn FROM devices"
        await pilot.press("ctrl+j")
        text = await until_text(pilot, "failed after")
        assert "nosuchcolumn" in text


async def test_esc_stops_a_query(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path) as pilot:
        await pilot.press("6")
        await until_text(pilot, "no answer yet")
        pilot.app.screen._editor.text = "SELECT sleepEachRow(1) FROM numbers(3)"
        await pilot.press("ctrl+j")
        await until_text(pilot, "running")
        await pilot.press("escape")
        await until_text(pilot, "stopped")


async def test_help_and_palette_name_every_key(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (160, 48)) as pilot:
        await until_text(pilot, "H100")
        await pilot.press("question_mark")
        text = await until_text(pilot, "keys and signs")
        assert "simulated: no such device exists" in text
        assert "Hold the display still" in text
        await pilot.press("escape", "ctrl+p", *"training jobs", "enter")
        await until_text(pilot, "6 jobs")


async def test_ascii_draws_nothing_else(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, ascii_only=True) as pilot:
        for key, wanted in _KEYS:
            await pilot.press(key)
            text = await until_text(pilot, wanted)
            assert text.isascii(), [sign for sign in text if not sign.isascii()]


async def test_a_small_terminal_says_so(address: str, tmp_path: Path) -> None:
    async with running_app(address, tmp_path, (38, 8)) as pilot:
        await until_text(pilot, "too small")
