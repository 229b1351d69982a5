"""The live screens under test: what stands on them as text, and waiting for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from steelyard_tui.app import SteelyardApp
from steelyard_tui.client import connect
from steelyard_tui.locations import Locations

DEADLINE_S = 60.0


def screen_lines(app: SteelyardApp) -> list[str]:
    """The text of the screen; the one place that reads Textual's compositor."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    return ["".join(segment.text for segment in strip).ljust(width)[:width] for strip in strips][:height]


def screen_text(app: SteelyardApp) -> str:
    """The text of the screen as one string."""
    return "\n".join(line.rstrip() for line in screen_lines(app))


async def until(pilot: Pilot[int], condition: Callable[[str], bool], what: str) -> str:
    """Waits until the screen's text meets a condition; gives the text."""
    end = time.monotonic() + DEADLINE_S
    while True:
        await pilot.pause()
        assert isinstance(pilot.app, SteelyardApp)
        text = screen_text(pilot.app)
        if condition(text):
            return text
        assert time.monotonic() < end, f"waited for {what}; the screen says:\n{text}"
        await asyncio.sleep(0.05)


async def until_text(pilot: Pilot[int], wanted: str) -> str:
    """Waits until a text stands on the screen."""
    return await until(pilot, lambda text: wanted in text, repr(wanted))


@asynccontextmanager
async def running_app(
    address: str, folder: Path, size: tuple[int, int] = (80, 24), *, ascii_only: bool = False
) -> AsyncIterator[Pilot[int]]:
    """The app over a collector, with its files under `folder`."""
    with connect(address) as client:
        app = SteelyardApp(client, Locations(folder / "config", folder / "state"), ascii_only=ascii_only)
        async with app.run_test(size=size, notifications=True) as pilot:
            yield pilot
