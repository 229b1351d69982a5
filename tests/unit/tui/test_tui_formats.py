"""Answers in SQL as text, CSV and JSON: a map is an object, not a list of pairs."""

import csv
import io
import json

import pyarrow as pa

from steelyard_tui.commands.formats import write_table
from steelyard_tui.present.result import value_text

ENTRIES = [("layers", "inferred"), ("model", "declared")]
TABLE = pa.table({"origins": pa.array([ENTRIES, [], None], pa.map_(pa.string(), pa.string()))})


def written(format_name: str) -> str:
    out = io.BytesIO()
    write_table(TABLE, format_name, out)
    return out.getvalue().decode()


def test_a_map_is_an_object() -> None:
    assert json.loads(written("json")) == [{"origins": dict(ENTRIES)}, {"origins": {}}, {"origins": None}]
    assert written("table").splitlines()[2:] == ["layers: inferred, model: declared", "", "–"]
    rows = list(csv.reader(io.StringIO(written("csv"))))
    assert [json.loads(cell) for (cell,) in rows[1:3]] == [dict(ENTRIES), {}]


def test_the_console_shows_its_entries() -> None:
    assert value_text(TABLE["origins"][0].as_py()) == "layers: inferred, model: declared"
