import pytest

from steelyard_tui.present.line import clean, fit, fit_line, line_width, plain, side_by_side, spread, width_of


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abc", 3, "abc"),
        ("abcdef", 4, "abc…"),
        ("节点一号", 5, "节点…"),
        ("节点", 6, "节点  "),
        ("x", 0, ""),
    ],
)
def test_fit_gives_exactly_the_cells(text: str, width: int, expected: str) -> None:
    assert fit(text, width) == expected
    assert width_of(fit(text, width)) == width


def test_names_can_not_move_the_cursor() -> None:
    assert clean("node\x1b[2J\n1") == "node?[2J?1"


@pytest.mark.parametrize("width", range(1, 20))
@pytest.mark.parametrize(
    "line", [(), (("abc", "ink"),), (("节点", "ink"), ("abcdef", "quiet"), ("", "ink"), ("●", "good"))]
)
def test_a_line_fits_any_width(line: tuple[tuple[str, str], ...], width: int) -> None:
    assert line_width(fit_line(line, width)) == width or not line
    assert line_width(fit_line(line, width, "right")) == width or not line


def test_the_left_gives_way() -> None:
    line = spread((("a long text", "ink"),), (("right", "ink"),), 10)
    assert plain(line) == "a lo…right"


def test_blocks_of_unlike_height_stand_side_by_side() -> None:
    lines = side_by_side([(("a", "ink"),)], [(("b", "ink"),), (("c", "ink"),)], 3, 1)
    assert [plain(line) for line in lines] == ["a   b", "    c"]
