"""The icicle on a terminal: keys, mouse and search."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from steelyard_proto.errors import TraceError
from steelyard_tui.cli import build_parser
from steelyard_tui.flame.shown import Shown, compared
from steelyard_tui.flame.tree import Weighted
from steelyard_tui.flame_app import FlameApp
from steelyard_tui.widgets.flame import FlameView
from tests.standins.screens import DEADLINE_S

BEFORE = Shown("a.json", (Weighted(("main", "forward", "aten::mm"), 50), Weighted(("main", "old"), 50)))
ONE = Shown(
    "b.json",
    (
        Weighted(("main", "forward", "layer[0]", "aten::mm"), 40_000_000),
        Weighted(("main", "forward", "layer[1]", "aten::mm"), 20_000_000),
        Weighted(("main", "backward", "aten::addmm"), 30_000_000),
        Weighted(("main", "wait"), 10_000_000),
        *(Weighted(("main", f"op{chr(97 + n)}"), 10_000) for n in range(20)),
    ),
)


def _text(app: FlameApp) -> str:
    strips = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def _until(pilot: Pilot[None], wanted: str | Callable[[str], bool]) -> str:
    end = time.monotonic() + DEADLINE_S
    while True:
        await pilot.pause()
        assert isinstance(pilot.app, FlameApp)
        text = _text(pilot.app)
        if wanted in text if isinstance(wanted, str) else wanted(text):
            return text
        assert time.monotonic() < end, f"waited for {wanted!r}; the screen says:\n{text}"
        await asyncio.sleep(0.02)


def _told(text: str) -> str:
    """The line that names what is selected: the one above its figures."""
    lines = text.splitlines()
    return lines[next(at for at, line in enumerate(lines) if "itself" in line or "too narrow" in line) - 1].strip()


async def test_frames_are_walked_and_zoomed() -> None:
    app = FlameApp(lambda: ONE)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await _until(pilot, "self time by frame")
        assert "b.json" in text
        assert "layer[*]" in text
        assert "100 ms in 24 stacks" in text
        assert "+20 small" not in text.splitlines()[2]
        await pilot.press("down", "down")
        assert _told(await _until(pilot, "59.9%")) == "forward"
        await pilot.press("right")
        assert _told(await _until(pilot, "29.9% 30 ms")) == "backward"
        await pilot.press("enter")
        text = await _until(pilot, "main > backward")
        assert "layer[*]" not in text
        assert text.splitlines()[2][1:].startswith("backward")
        await pilot.press("escape")
        await _until(pilot, "layer[*]")
        await pilot.press("u")
        await _until(pilot, "layer[1]")


async def test_kernels_show_who_calls_them() -> None:
    app = FlameApp(lambda: ONE)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, "self time by frame")
        await pilot.press("i")
        text = await _until(pilot, "callers below")
        assert text.splitlines()[3][1:].startswith("aten::mm")
        await pilot.press("down", "enter")
        await _until(pilot, "time by outermost caller")


async def test_a_word_is_found_and_dropped() -> None:
    app = FlameApp(lambda: ONE)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, "self time by frame")
        await pilot.press("slash", *"addmm", "enter")
        assert _told(await _until(pilot, "1 places, 29.9%")) == "aten::addmm"
        await pilot.press("slash", *"zz")
        await _until(pilot, "nothing in this view")
        await pilot.press("escape")
        await pilot.press("slash", *"backward", "enter", "enter")
        await _until(pilot, "main > backward")
        # From the kernels the same frame is elsewhere.
        await pilot.press("i")
        await _until(pilot, lambda text: "callers below" in text and "1 places, 29.9%" in text)
        await pilot.press("escape")
        await _until(pilot, lambda text: "/" not in text.splitlines()[1])
        await pilot.press("q")
    assert app.return_code == 0


async def test_small_frames_that_a_search_finds_are_brought_into_sight() -> None:
    app = FlameApp(lambda: ONE)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, "self time by frame")
        await pilot.press("slash", *"opc", "enter")
        assert _told(await _until(pilot, lambda text: "1 places" in text and _told(text) == "opc")) == "opc"


async def test_the_mouse_tells_and_zooms() -> None:
    app = FlameApp(lambda: ONE)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, "self time by frame")
        view = app.screen.query_one(FlameView)
        assert view.selected is not None
        await pilot.hover(FlameView, offset=(60, 2))
        assert _told(await _until(pilot, "29.9% 30 ms")) == "backward"
        await pilot.click(FlameView, offset=(60, 2))
        await _until(pilot, "main > backward")
        await pilot.click(FlameView, offset=(5, 0))
        await _until(pilot, lambda text: "main > backward" not in text)


async def test_two_profiles_show_the_change_of_share() -> None:
    app = FlameApp(lambda: compared(BEFORE, ONE))
    async with app.run_test(size=(120, 30)) as pilot:
        text = await _until(pilot, "self time by frame")
        assert "b.json  against a.json" in text
        assert "backward +29.9" in text
        assert "all +0.0" in text
        assert "-0.0" not in text
        assert "gone" in next(line for line in text.splitlines() if line.startswith(" old"))
        await pilot.press("x")
        text = await _until(pilot, "a.json  against b.json")
        assert "old +50.0" in text


async def test_ascii_draws_nothing_else() -> None:
    app = FlameApp(lambda: compared(BEFORE, ONE), ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await _until(pilot, "self time by frame")
        assert text.isascii(), text
        await pilot.press("question_mark")
        text = await _until(pilot, "keys and signs")
        assert text.isascii(), text


async def test_what_cannot_be_read_is_said() -> None:
    def fails() -> Shown:
        raise TraceError("is gone", path="x.json")

    app = FlameApp(fails)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, "x.json")
        await pilot.press("down", "enter", "n", "i", "x", "escape")
    assert app.return_code == 0


@pytest.mark.parametrize("command", [["ops", "--file", "a"], ["diff", "--file", "a", "--file", "b"]])
def test_the_commands_have_it(command: list[str]) -> None:
    assert build_parser().parse_args([*command, "--flame", "--ascii"]).flame


async def test_a_recording_is_drawn_from_its_file(tmp_path: Path) -> None:
    pytest.importorskip("msgspec", reason="the extra `traces` is not installed")
    from steelyard_tui.flame.shown import shown
    from steelyard_tui.traces.load import load_recording
    from tests.standins.kineto_trace import call, trace_text

    path = tmp_path / "cpu.json"
    path.write_text(trace_text([call("aten::mm", 0, 5_000), call("aten::add", 1_000, 1_000)]), encoding="utf-8")
    app = FlameApp(lambda: shown("cpu.json", load_recording(str(path)).stacks()))
    async with app.run_test(size=(80, 24)) as pilot:
        text = await _until(pilot, "self time by frame")
        assert "aten::mm" in text
        assert "20.0%" in text
