"""A table of rows as text or bytes, for people and for programs."""

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from steelyard_proto.units import ABSENT

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS: Final = ("table", "csv", "json", "parquet", "arrow")


def write_table(table: "pa.Table", format_name: str, out: BinaryIO) -> None:
    """Writes all rows in one of `FORMATS`. Absent is `–` in a table, empty in CSV, null in JSON."""
    writers = {"table": _write_text, "csv": _write_csv, "json": _write_json}
    if format_name == "parquet":
        import pyarrow.parquet as parquet

        buffer = io.BytesIO()  # parquet seeks, a pipe can't
        parquet.write_table(table, buffer)
        out.write(buffer.getvalue())
    elif format_name == "arrow":
        import pyarrow as pa

        with pa.ipc.new_stream(pa.PythonFile(cast("io.IOBase", out), mode="w"), table.schema) as stream:
            stream.write_table(table)
    else:
        writers[format_name](table, out)
    out.flush()


def _write_text(table: "pa.Table", out: BinaryIO) -> None:
    from pyarrow import types

    rows = [[_cell(value) for value in row.values()] for row in _rows(table)]
    names = table.column_names
    widths = [max([len(name), *(len(row[i]) for row in rows)]) for i, name in enumerate(names)]
    right = [types.is_integer(f.type) or types.is_floating(f.type) for f in table.schema]
    for row in [names, ["─" * width for width in widths], *rows]:
        cells = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
        out.write("  ".join(cells).rstrip().encode() + b"\n")


def _rows(table: "pa.Table") -> list[dict[str, Any]]:
    """Maps as objects."""
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return str(value).replace("\n", " ")


def _write_csv(table: "pa.Table", out: BinaryIO) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow(["" if value is None else plain_value(value) for value in row.values()])
    out.write(text.getvalue().encode())


def _write_json(table: "pa.Table", out: BinaryIO) -> None:
    """One array of objects; times as ISO 8601."""
    out.write(json.dumps(_rows(table), default=plain_value, ensure_ascii=False, indent=1).encode() + b"\n")


def plain_value(value: Any) -> Any:
    """What CSV and JSON have of a value that they don't know: times as ISO 8601, decimals and bytes as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return json.dumps(value, default=plain_value, ensure_ascii=False) if isinstance(value, dict) else value
