"""The flame graph of 100,000 distinct stacks: what building, drawing, zooming and searching cost, in a terminal."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from steelyard_tui.flame.names import folded
from steelyard_tui.flame.tree import build_tree
from tests.bench.figure import Figure
from tests.bench.load.stacks import distinct_stacks
from tests.bench.machine import cost_of
from tests.bench.terminal import Terminal, terminal

_STACKS = 100_000
_COLUMNS, _LINES = 160, 48
_ROUNDS = 15
# Between two looks an idle program takes less CPU.
_QUIET_S, _QUIET_CPU_S = 0.15, 0.002
_LIMIT_S = 20.0


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Builds the tree here, then presses keys of the screen over the same stacks."""
    progress(f"{_STACKS:,} stacks are made and built into a tree")
    stacks = distinct_stacks(_STACKS).stacks
    build_s, nodes = [], 0
    for _ in range(3):
        begin_s = time.thread_time()
        nodes = build_tree(stacks, renamed=folded).nodes
        build_s.append(time.thread_time() - begin_s)
    del stacks
    command = [sys.executable, "-m", "tests.bench.load.stacks", str(_STACKS)]
    with (
        tempfile.TemporaryDirectory(prefix="steelyard-bench-") as home,
        terminal(command, Path(home), _COLUMNS, _LINES) as app,
    ):
        app.wait_for_text("self time", 60.0)
        _rest(app)
        progress(f"{_ROUNDS} times zoomed in and out to the whole, then a search")
        zooms, waits, draws = [], [], []
        for number in range(_ROUNDS):
            for _ in range(4 + number % 5):
                app.press(b"j", _LIMIT_S)
            _rest(app)
            zooms.append(_cost(app, b"\r", waits))
            draws.append(_cost(app, b"g", waits))
        _cost(app, b"/")
        search_ms = statistics.fmean(_cost(app, letter) for letter in (b"f", b"u", b"n", b"c"))
        rss_mb = cost_of(app.pid).rss_mb
    how = f"CPU of all threads, {_COLUMNS}x{_LINES}, {nodes:,} frames"
    worst = f"worst {max(waits):.0f} ms from key to first byte"
    return [
        Figure("draw_ms", statistics.fmean(draws), "ms", "", f"the whole and its tables anew; {how}; {worst}"),
        Figure(
            "zoom_ms",
            statistics.fmean(zooms),
            "ms",
            "",
            f"into a frame of the 5th to 9th level; worst {max(zooms):.0f}",
        ),
        Figure("search_letter_ms", search_ms, "ms", "", "each letter looks through all frames"),
        Figure("build_ms", 1e3 * min(build_s), "ms", "", "once a profile, in a thread; layers folded"),
        Figure("rss_mb", rss_mb, "MB", "", "the program with the stacks themselves"),
    ]


def _cost(app: Terminal, key: bytes, waits_ms: list[float] | None = None) -> float:
    """Presses a key; the program's CPU in ms until it is quiet again."""
    before_s = app.cpu_s()
    wait_s = app.press(key, _LIMIT_S)
    if waits_ms is not None:
        waits_ms.append(1e3 * wait_s)
    return 1e3 * (_rest(app) - before_s)


def _rest(app: Terminal) -> float:
    """Waits until the program does nothing more; its CPU time then."""
    seen_s, end_s = app.cpu_s(), time.monotonic() + _LIMIT_S
    while True:
        time.sleep(_QUIET_S)
        before_s, seen_s = seen_s, app.cpu_s()
        if seen_s - before_s < _QUIET_CPU_S:
            return seen_s
        assert time.monotonic() < end_s, "the screen never came to rest"
