import pytest

from steelyard_tui.present.columns import Drawing, head_line, place_columns, row_line
from steelyard_tui.present.fleet import COLUMNS as FLEET
from steelyard_tui.present.glyphs import UNICODE
from steelyard_tui.present.line import line_width, plain
from steelyard_tui.present.tables import TABLES

EMPTY = Drawing(UNICODE)
STRANGE = {
    "vendor": "huawei",
    "chip": "[red]910B\x1b[2J",
    "node": "机架-一号-节点-很长的名字-还要更长",
    "device_index": 3,
    "job": "llama " * 20,
    "busy": float("nan"),
    "power_w": 123456.7,
    "state": "silent",
    "age_s": 1e7,
    "origin": "simulated",
    "vendors": ["huawei", "nvidia"],
    "chips": None,
}


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize(
    "columns", [FLEET, *(table.columns for table in TABLES)], ids=["fleet", "jobs", "nodes", "devices"]
)
@pytest.mark.parametrize("row", [STRANGE, {}], ids=["strange", "empty"])
def test_rows_and_heads_stand_under_one_another(columns: object, width: int, row: dict[str, object]) -> None:
    placed = place_columns(columns, width)  # type: ignore[arg-type]
    head = head_line(placed, "", False, UNICODE)
    line = row_line(placed, row, EMPTY, selected=True)
    assert line_width(head) == line_width(line) <= width
    assert "\x1b" not in plain(line)


def test_columns_go_by_priority_and_keep_their_order() -> None:
    devices = next(table for table in TABLES if table.name == "devices").columns
    narrow = [place.column.title for place in place_columns(devices, 78)]
    wide = [place.column.title for place in place_columns(devices, 200)]
    assert narrow[0] == "chip"
    assert narrow[-1] == "state"
    assert set(narrow) < set(wide)
    assert [title for title in wide if title in narrow] == narrow


def test_the_sorting_column_has_the_arrow() -> None:
    devices = next(table for table in TABLES if table.name == "devices").columns
    head = plain(head_line(place_columns(devices, 78), "power_w", True, UNICODE))
    assert "power W↓" in head
    assert head.count("↓") == 1


def test_absent_is_a_dash_and_never_zero() -> None:
    for table in TABLES:
        placed = place_columns([c for c in table.columns if c.align == "right"], 300)
        assert "0" not in plain(row_line(placed, {}, EMPTY, selected=False))


def test_origins_are_told_in_signs() -> None:
    devices = next(table for table in TABLES if table.name == "devices").columns
    placed = place_columns(devices, 78)
    texts = {
        origin: plain(row_line(placed, {"chip": "H20", "vendor": "nvidia", "origin": origin}, EMPTY, selected=False))
        for origin in ("measured", "replayed", "simulated")
    }
    assert len(set(texts.values())) == 3
