import numpy as np

from steelyard_tui.history import WINDOWS, History, Series
from steelyard_tui.present.glyphs import ASCII, UNICODE
from steelyard_tui.present.line import plain
from steelyard_tui.present.plot import Box, lane_rows, time_axis

BOX = Box(30, 4, 0.0, 1.0)


def _history(values: list[float], step_s: int = 1) -> tuple[History, Series]:
    mean = np.array(values, dtype=np.float64)
    series = Series(mean, mean, mean)
    span = len(values) * step_s * 1000
    at = np.arange(len(values)) * step_s * 1000.0
    return History(at, step_s * 1000, 0, span, "raw", {"busy": series}), series


def _dots(rows: list[str]) -> np.ndarray:
    """The raster of the lane, rows from the top."""
    grid = np.zeros((len(rows) * 4, len(rows[0]) * 2), dtype=bool)
    places = ((0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 0, 8), (1, 1, 16), (1, 2, 32), (0, 3, 64), (1, 3, 128))
    for y, row in enumerate(rows):
        for x, sign in enumerate(row):
            code = ord(sign) - 0x2800 if sign != " " else 0
            for dx, dy, bit in places:
                grid[y * 4 + dy, x * 2 + dx] = bool(code & bit)
    return grid


def test_a_lane_has_its_size_and_its_level() -> None:
    rows = lane_rows(*_history([0.5] * 60), BOX, UNICODE)
    assert [len(row) for row in rows] == [30] * 4
    grid = _dots(rows)
    assert grid.sum(axis=0).tolist() == [1] * 60
    assert set(np.nonzero(grid)[0]) == {7}


def test_one_spike_among_thousands_is_kept() -> None:
    values = [0.1] * 3000
    values[1717] = 1.0
    grid = _dots(lane_rows(*_history(values), BOX, UNICODE))
    assert grid[0].sum() == 1
    assert grid[0, 1717 * 60 // 3000]


def test_a_gap_stays_open() -> None:
    values = [0.5] * 20 + [float("nan")] * 20 + [0.5] * 20
    grid = _dots(lane_rows(*_history(values), BOX, UNICODE))
    assert grid[:, 24:39].sum() == 0
    assert grid[:, :19].any(axis=0).all()
    assert grid[:, 41:].any(axis=0).all()


def test_sparse_buckets_are_held_until_the_next() -> None:
    grid = _dots(lane_rows(*_history([0.2, 0.8, 0.2], step_s=60), BOX, UNICODE))
    assert grid[:, :40].any(axis=0).all()


def test_least_and_largest_are_drawn_as_a_span() -> None:
    mean = np.full(60, 0.5)
    series = Series(mean, mean - 0.5, mean + 0.5)
    history = History(np.arange(60) * 1000.0, 1000, 0, 60_000, "1m", {"busy": series})
    assert _dots(lane_rows(history, series, BOX, UNICODE)).all()
    assert _dots(lane_rows(history, series.only_mean(), BOX, UNICODE)).sum() == 60


def test_nothing_is_drawn_of_what_is_absent() -> None:
    rows = lane_rows(*_history([float("nan")] * 60), BOX, UNICODE)
    assert "".join(rows).strip() == ""


def test_ascii_lanes_are_ascii() -> None:
    rows = lane_rows(*_history([0.0, 0.5, 1.0] * 20), BOX, ASCII)
    assert all(row.isascii() and len(row) == 30 for row in rows)
    assert "".join(rows).strip()


def test_axes_end_now_and_name_whole_units() -> None:
    for window in WINDOWS:
        for width in (50, 58, 138):
            text = plain(time_axis(width, window))
            assert text.endswith("now")
            assert len(text) == width
            assert len(text.split("-")) == window.marks + 1
