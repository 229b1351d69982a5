"""A fleet that has just come is waited for calmly, and the newest minutes of a small one are read."""

from typing import Any

import numpy as np
import pyarrow as pa

from steelyard_tui.history import FLEET_WINDOWS, read_fleet
from steelyard_tui.present import fleet
from steelyard_tui.present.glyphs import UNICODE
from steelyard_tui.present.line import plain

TO_MS = 1_800_000_000_000
SILENT: dict[str, object] = {
    "vendor": "amd", "chip": "MI300X", "part": "package", "origin": "simulated", "devices": 24, "reporting": 0,
}  # fmt: skip


class _Answers:
    """A collector whose buckets end two minutes ago, and that has raw rows since."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def sql(self, query: str, parameters: dict[str, str]) -> Any:
        self.asked.append(parameters)
        is_raw = parameters["level"] == "raw"
        ends_ms = TO_MS if is_raw else TO_MS - 120_000
        # The rows of raw reach further back than was asked, as one that overlaps would.
        at_ms = [ends_ms - n * 10_000 for n in range(20, -1, -1)]
        figures = {name: [float(is_raw)] * len(at_ms) for name in ("m0", "l0", "h0")}
        names = {name: [str(SILENT[name])] * len(at_ms) for name in ("vendor", "chip", "part", "origin")}
        return type("Result", (), {"table": pa.table({**names, "at_ms": at_ms, **figures})})()


def test_the_newest_minutes_of_a_small_fleet_are_raw() -> None:
    answers = _Answers()
    histories = read_fleet(answers, "busy", FLEET_WINDOWS[0], TO_MS, 300, 24)  # type: ignore[arg-type]
    (history,) = histories.values()
    assert history.at_ms[-1] == TO_MS
    assert (np.diff(history.at_ms) == 10_000).all()
    mean = history.series["busy"].mean
    assert (mean[history.at_ms > TO_MS - 120_000] == 1.0).all()
    assert (mean[history.at_ms <= TO_MS - 120_000] == 0.0).all()
    assert int(answers.asked[1]["from_ms"]) == TO_MS - 110_000


def test_of_a_large_one_they_are_left_out() -> None:
    for devices, window in ((5000, FLEET_WINDOWS[0]), (24, FLEET_WINDOWS[4]), (None, FLEET_WINDOWS[0])):
        answers = _Answers()
        (history,) = read_fleet(answers, "busy", window, TO_MS, 300, devices).values()  # type: ignore[arg-type]
        assert history.at_ms[-1] == TO_MS - 120_000
        assert len(answers.asked) == 1


def test_what_may_be_on_its_way_is_no_alarm() -> None:
    for is_young, said in ((True, "no live samples yet"), (False, "!24 not live")):
        look = fleet.Look(80, 20, fleet.METRICS[0], 0, UNICODE, is_young=is_young)
        text = "\n".join(plain(painted.line) for painted in fleet.draw([SILENT], look).lines)
        assert said in text
        tones = {tone for _, tone in fleet.scope_line([SILENT], fleet.METRICS[0], 80, UNICODE, is_young=is_young)}
        assert ("warn" in tones) is not is_young
