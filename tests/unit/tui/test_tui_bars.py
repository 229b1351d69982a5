import pytest

from steelyard_tui.present.bars import axis, bar, nice_ceiling
from steelyard_tui.present.glyphs import ASCII, UNICODE
from steelyard_tui.present.line import line_width, plain


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("value", [None, 0.0, 0.01, 0.333, 0.999, 1.0, 7.0, -1.0])
def test_a_bar_is_always_as_wide_as_its_scale(value: float | None, glyphs: object) -> None:
    assert line_width(bar(value, 1.0, 20, "nvidia", glyphs)) == 20


def test_bars_are_true_to_an_eighth_of_a_cell() -> None:
    assert plain(bar(0.5, 1.0, 10, "nvidia", UNICODE)).rstrip() == "█████"
    assert plain(bar(0.5125, 1.0, 10, "nvidia", UNICODE)).rstrip() == "█████▏"


def test_absent_is_no_bar_and_not_an_empty_one() -> None:
    assert plain(bar(None, 1.0, 4, "nvidia", UNICODE)) == "–   "
    assert plain(bar(0.0, 1.0, 4, "nvidia", UNICODE)) == "    "


@pytest.mark.parametrize(("value", "end"), [(0, 1), (0.7, 0.8), (1, 1), (1.1, 2), (617, 800), (800, 800), (801, 1000)])
def test_scales_end_at_round_figures(value: float, end: float) -> None:
    assert nice_ceiling(value) == pytest.approx(end)


def test_the_axis_ends_where_its_bars_end() -> None:
    text = plain(axis(1.0, 40, 100, "%"))
    assert text.split() == ["0", "25", "50", "75", "100%"]
    assert len(text) == 40
