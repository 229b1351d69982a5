"""The icicle alone, of recordings in files: no collector is asked."""

import os
import sys
from collections.abc import Callable
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType

from steelyard_tui.flame.shown import Shown
from steelyard_tui.present.glyphs import choose_glyphs
from steelyard_tui.screens.flame import FlameScreen
from steelyard_tui.widgets.paint import Painter


class FlameApp(App[None]):
    """One screen.

    Args:
        load: gives what is drawn.
        ascii_only: draw with ASCII alone.
    """

    CSS_PATH = "styles.tcss"
    TITLE = "Steelyard"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, load: Callable[[], Shown], *, ascii_only: bool = False) -> None:
        super().__init__()
        color_system = self.console.color_system
        self._load = load
        self._glyphs = choose_glyphs(ascii_only=ascii_only, color_system=color_system, no_color=self.no_color)
        self._painter = Painter(coarse=color_system == "standard", ellipsis=self._glyphs.ellipsis)

    def on_mount(self) -> None:
        """Opens it."""
        self.push_screen(FlameScreen(lambda: {"": self._load()}, self._painter, self._glyphs, on_leave=self.exit))


def run_flame(load: Callable[[], Shown], *, ascii_only: bool) -> int:
    """Shows the icicle until the user leaves; the exit code."""
    for name in ("LINES", "COLUMNS"):
        os.environ.pop(name, None)
        os.unsetenv(name)
    encoding = (getattr(sys.__stderr__, "encoding", None) or "utf-8").lower().replace("-", "")
    app = FlameApp(load, ascii_only=ascii_only or encoding != "utf8")
    app.run()
    return app.return_code or 0
