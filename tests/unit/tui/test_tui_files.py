from pathlib import Path

import pyarrow as pa
import pytest

from steelyard_tui.copies import row_text, short_path, write_copy, write_csv
from steelyard_tui.history import FLEET_WINDOWS, WINDOWS, step_ms
from steelyard_tui.present.result import ResultRows, result_columns, value_text
from steelyard_tui.queries import read_examples, read_query
from steelyard_tui.sql_history import add_query, read_history


def test_history_keeps_the_newest_once_and_survives_damage(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.jsonl"
    assert read_history(path) == []
    for number in range(250):
        add_query(path, f"SELECT {number}\n-- line")
    add_query(path, "SELECT 100\n-- line")
    with path.open("a", encoding="utf-8") as file:
        file.write("not json\n")
    queries = read_history(path)
    assert len(queries) == 200
    assert queries[0] == "SELECT 100\n-- line"
    assert queries.count("SELECT 100\n-- line") == 1


def test_copies_are_named_by_their_time(tmp_path: Path) -> None:
    text = row_text({"node": "n1", "busy": None})
    path = write_copy(tmp_path / "copies", "device", text, 0.0)
    assert path.read_text() == "node\tn1\nbusy\t\n"
    table = write_csv(tmp_path / "copies", "devices", pa.table({"a": [1, None], "b": ["x,y", "z"]}), 0.0)
    assert table.read_text() == 'a,b\n1,"x,y"\n,z\n'
    assert short_path(Path.home() / "x" / "y") == "~/x/y"


def test_examples_have_titles_and_are_selects() -> None:
    examples = read_examples()
    assert len(examples) >= 5
    assert len({example.title for example in examples}) == len(examples)
    assert all("SELECT" in example.sql and example.title for example in examples)
    assert "{device:UInt32}" in read_query("device_history")


def test_buckets_are_never_shorter_than_their_level() -> None:
    for window in (*WINDOWS, *FLEET_WINDOWS):
        for dots in (1, 80, 1000, 100_000):
            step = step_ms(window, dots)
            assert step >= window.level_s * 1000
            assert window.seconds * 1000 / step <= dots + 1


def test_results_are_read_by_row_and_sorted_apart() -> None:
    table = pa.table({"n": [3, None, 1], "name": ["c", "b", "a\x1b"]})
    rows = ResultRows(table)
    assert rows.row(0) == {"0": 3, "1": "c"}
    assert rows.row(3) is None
    ordered = rows.sorted_by(0, descending=False)
    assert [ordered.row(at)["0"] for at in range(3)] == [1, 3, None]  # type: ignore[index]
    columns = result_columns(table)
    assert [column.title for column in columns] == ["n", "name"]
    assert [column.align for column in columns] == ["right", "left"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (float("nan"), "nan"),
        (0.1, "0.1"),
        (123456789.5, "123456790"),
        ([1, 2], "1, 2"),
        ("a\x1b", "a?"),
    ],
)
def test_values_are_shown_as_they_are(value: object, text: str) -> None:
    assert value_text(value) == text
