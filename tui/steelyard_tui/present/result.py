"""The answer to a query as a table's model and columns: rows are read from Arrow only where they are drawn."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from steelyard_tui.present.columns import Column, Drawing, Row
from steelyard_tui.present.figures import text_of
from steelyard_tui.present.line import Line, clean, width_of

_SAMPLE: Final = 200  # rows that decide how wide a column is
_WIDEST: Final = 48


class ResultRows:
    """Rows of an Arrow table in some order."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        self._order: Any = None

    @property
    def count(self) -> int:
        """All rows."""
        return int(self.table.num_rows)

    def row(self, index: int) -> Row | None:
        """One row, by the numbers of its columns, since names may stand twice."""
        if not 0 <= index < self.count:
            return None
        at = index if self._order is None else self._order[index].as_py()
        return {str(i): column[at].as_py() for i, column in enumerate(self.table.columns)}

    def sorted_by(self, column: int, *, descending: bool) -> "ResultRows":
        """The same rows in another order; takes a while for many rows.

        Raises:
            pyarrow.ArrowException: the column has no order, for example a map.
        """
        rows = ResultRows(self.table)
        order: Literal["ascending", "descending"] = "descending" if descending else "ascending"
        values = pa.table({"v": self.table.column(column)})
        rows._order = pc.sort_indices(values, sort_keys=[("v", order)])
        return rows


def result_columns(table: pa.Table) -> list[Column]:
    """Columns as wide as their first rows need."""
    head = table.slice(0, _SAMPLE)
    return [_column(index, str(field.name), field.type, head.column(index)) for index, field in enumerate(table.schema)]


def _column(index: int, name: str, kind: pa.DataType, head: Any) -> Column:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    widest = max((width_of(value_text(value)) for value in head.to_pylist()), default=0)
    width = max(3, min(_WIDEST, max(widest, width_of(clean(name)) + 1)))
    return Column(clean(name), (str(index),), width, _cell(str(index)), 0, "right" if is_number else "left")


def _cell(key: str) -> Callable[[Row, Drawing], Line]:
    def cell(row: Row, drawing: Drawing) -> Line:
        value = row.get(key)
        return (("null", "faint"),) if value is None else ((value_text(value), "ink"),)

    return cell


def value_text(value: object) -> str:
    """A value as a cell shows it; numbers keep their digits, since this is what was asked for."""
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return text.removesuffix(".000")
    if value is None:
        return "null"
    return text_of(value) if not isinstance(value, dict) else clean(str(value))
