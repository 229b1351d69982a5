"""The fleet as text, compared with files that a person has looked at.

UPDATE_GOLDEN=1 writes them anew; look at the difference before it is committed.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from steelyard_tui.history import FLEET_WINDOWS, History, Series
from steelyard_tui.present import fleet, trends
from steelyard_tui.present.columns import Row
from steelyard_tui.present.glyphs import ASCII, UNICODE, Glyphs
from steelyard_tui.present.line import Painted, plain

FOLDER = Path(__file__).parent / "golden"
NOW_MS = 1_800_000_000_000


def _row(vendor: str, chip: str, origin: str, devices: int, reporting: int, **figures: object) -> Row:
    known = {"part": "package", "nodes": devices // 8, "jobs": 2, "stale": devices - reporting}
    return (
        {"vendor": vendor, "chip": chip, "origin": origin, "devices": devices, "reporting": reporting} | known | figures
    )


ROWS = [
    _row("amd", "MI300X", "simulated", 8, 8, busy=0.741, core_active=0.655, power_w=617.5, chip_temp_c=58.1),
    _row("cpu", "", "measured", 1, 1, busy=0.311, core_active=0.311, nodes=1, jobs=0, power_w=None),
    _row(
        "huawei", "910C", "replayed", 16, 15, part="die", busy=0.86, core_active=0.78, tensor_active=0.49,
        hbm_bw_active=0.43, power_w=289.2, hbm_used_ratio=0.8, bf16_tflops=376.0, peak_basis="per die",
    ),
    _row("nvidia", "", "measured", 8, 8, busy=1.0, core_active=1.0, power_w=700.0),
]  # fmt: skip


def _past() -> trends.Past:
    window = FLEET_WINDOWS[1]
    at_ms = NOW_MS - window.seconds * 1000 + np.arange(90) * 10_000.0
    mean = 0.7 + 0.2 * np.sin(np.arange(90) / 9)
    series = {"core_active": Series(mean, mean, mean)}
    history = History(at_ms, 10_000, NOW_MS - window.seconds * 1000, NOW_MS, "10s", series)
    return trends.Past(window, {fleet.key_of(ROWS[0]): history})


def _drawn(width: int, height: int, glyphs: Glyphs) -> str:
    look = fleet.Look(width, height, fleet.METRICS[0], 2, glyphs)
    lines: list[Painted] = [Painted(fleet.scope_line(ROWS, look.metric, width, glyphs)), *fleet.draw(ROWS, look).lines]
    lower = trends.lower_lines(ROWS, _past(), look, height - len(lines) + 1, NOW_MS)
    return "\n".join(plain(line).rstrip() for line in [*(painted.line for painted in lines), *lower]) + "\n"


@pytest.mark.parametrize(
    ("name", "width", "height", "glyphs"),
    [
        ("fleet_80x24", 80, 21, UNICODE),
        ("fleet_80x24_ascii", 80, 21, ASCII),
        ("fleet_160x48", 160, 45, UNICODE),
        ("fleet_50x14", 50, 11, UNICODE),
    ],
)
def test_the_fleet_reads_as_agreed(name: str, width: int, height: int, glyphs: Glyphs) -> None:
    drawn = _drawn(width, height, glyphs)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")
    assert len(drawn.splitlines()) <= height + 1
