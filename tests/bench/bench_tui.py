"""The terminal program's CPU a tick and the time from key to paint, in a real terminal at 5,000 and 100,000 devices."""

import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.machine import cost_of
from tests.bench.processes import program, start_module
from tests.bench.terminal import Terminal, terminal
from tests.standins.query_process import query_process

_SIZES = (5_000, 100_000)
_COLUMNS, _LINES = 160, 48
_WARM_UP_S, _SECONDS = 8, 40
# Whole rounds of what it asks for now and then.
_COMPARE_S = 40
_KEYS_PER_S = 4
# Down, up, and now and then a page: what somebody does who looks through the fleet.
_KEYS = (b"j", b"j", b"j", b"k", b"j", b"\x1b[6~", b"j", b"k", b"\x1b[5~", b"\x1b[6~")


@dataclass(frozen=True, slots=True)
class _Seen:
    """One size's run."""

    devices: int
    tick_ms: float
    tick_max_ms: float
    key_p50_ms: float
    key_p95_ms: float
    rss_mb: float
    kb_a_tick: float
    idle_tick_ms: float


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Both sizes, one after the other; the headline is the worse of the two."""
    seen: list[_Seen] = []
    for devices in _SIZES:
        progress(f"{devices:,} devices: {_SECONDS} s with {_KEYS_PER_S} keys a second, then {_SECONDS // 2} s without")
        seen.append(_at(devices))
    how = f"{_COLUMNS}x{_LINES}, the screen of devices, {_KEYS_PER_S} keys/s, {_SECONDS} s"
    figures = [
        Figure("tick_ms", max(one.tick_ms for one in seen), "ms", "<= 40", f"CPU of all threads; {how}"),
        Figure("key_p95_ms", max(one.key_p95_ms for one in seen), "ms", "<= 20", "key written to first byte read"),
    ]
    for one in seen:
        reference = (
            f"worst second {one.tick_max_ms:.0f}; without keys {one.idle_tick_ms:.1f}; {one.kb_a_tick:.0f} KB/s out; "
            f"{one.rss_mb:.0f} MB"
        )
        figures.append(Figure(f"tick_{one.devices}_ms", one.tick_ms, "ms", "", reference))
        figures.append(Figure(f"key_{one.devices}_p95_ms", one.key_p95_ms, "ms", "", f"p50 {one.key_p50_ms:.1f}"))
    progress(f"the comparison of {_SIZES[0]:,} devices: {_COMPARE_S} s")
    return [*figures, _comparison()]


def _comparison() -> Figure:
    """The first screen with figures, shares, rates of the last hour and claims, and nobody at the keys."""
    with (
        tempfile.TemporaryDirectory(prefix="steelyard-bench-") as home,
        query_process("--devices", str(_SIZES[0])) as address,
        terminal([program("steelyard"), "--collector", address], Path(home), _COLUMNS, _LINES) as app,
    ):
        app.wait_for_text("claims")
        keys = _Keys(app)
        keys.rest_for(_WARM_UP_S)
        ticks_ms = keys.rest_for(_COMPARE_S)
    reference = f"the first screen, without keys, its reads of every 4 and 20 s among them; worst {max(ticks_ms):.0f}"
    return Figure("compare_tick_ms", statistics.fmean(ticks_ms), "ms", "", reference)


def _at(devices: int) -> _Seen:
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as home, _served(devices) as (address, answers):
        command = [program("steelyard"), "--collector", address]
        with terminal(command, Path(home), _COLUMNS, _LINES) as app:
            app.wait_for_text("devices")
            app.press(b"5")
            app.wait_for_text("core%")
            keys = _Keys(app)
            keys.press_for(_WARM_UP_S)
            keys.waits_s.clear()
            written, count = app.written, len(answers)
            ticks_ms = keys.press_for(_SECONDS)
            answered = len(answers) - count
            kb_a_tick = (app.written - written) / 1e3 / _SECONDS
            idle_ms = keys.rest_for(_SECONDS // 2)
            rss_mb = cost_of(app.pid).rss_mb
    assert answered >= _SECONDS - 2, f"{answered} ticks in {_SECONDS} s: the rows didn't come at 1 Hz"
    waits_ms = sorted(1e3 * wait_s for wait_s in keys.waits_s)
    return _Seen(
        devices,
        statistics.fmean(ticks_ms),
        max(ticks_ms),
        statistics.median(waits_ms),
        waits_ms[int(0.95 * (len(waits_ms) - 1) + 0.5)],
        rss_mb,
        kb_a_tick,
        statistics.fmean(idle_ms),
    )


class _Keys:
    """A hand on the keyboard, with how long each key waited for paint."""

    def __init__(self, app: Terminal) -> None:
        self._app = app
        self._pressed = 0
        # Keys fall anywhere between two ticks, not always at the same place.
        self._random = random.Random(7)
        self.waits_s: list[float] = []

    def press_for(self, seconds: int) -> list[float]:
        """Types for so long; the app's CPU in ms in each second."""
        return self._seconds(seconds, _KEYS_PER_S)

    def rest_for(self, seconds: int) -> list[float]:
        """Types nothing for so long; the app's CPU in ms in each second."""
        return self._seconds(seconds, 0)

    def _seconds(self, seconds: int, keys_per_s: int) -> list[float]:
        start_s, spent = time.monotonic(), [self._app.cpu_s()]
        for second in range(seconds):
            for slot in range(keys_per_s):
                due_s = start_s + second + (slot + self._random.random() * 0.8) / keys_per_s
                time.sleep(max(0.0, due_s - time.monotonic()))
                self.waits_s.append(self._app.press(_KEYS[self._pressed % len(_KEYS)]))
                self._pressed += 1
            time.sleep(max(0.0, start_s + second + 1 - time.monotonic()))
            spent.append(self._app.cpu_s())
        return [1e3 * (after - before) for before, after in pairwise(spent)]


@contextmanager
def _served(devices: int) -> Iterator[tuple[str, list[str]]]:
    """A process that serves so many devices; its address, and a list that grows with each answer."""
    process: subprocess.Popen[str] = start_module("tests.bench.load.steady_query", str(devices))
    assert process.stdout is not None
    answers: list[str] = []
    try:
        address = process.stdout.readline().strip()
        threading.Thread(target=_collect, args=(process.stdout, answers), daemon=True).start()
        yield address, answers
    finally:
        process.terminate()
        process.wait()


def _collect(lines: Iterable[str], into: list[str]) -> None:
    for line in lines:
        into.append(line)
