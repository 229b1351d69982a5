"""Copied rows and tables as files, since not every terminal takes what is copied to its clipboard."""

import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from steelyard_tui.commands.formats import write_table


def row_text(row: Mapping[str, object]) -> str:
    """A row as lines of `name<tab>value`."""
    return "".join(f"{name}\t{'' if value is None else value}\n" for name, value in row.items())


def write_copy(directory: Path, name: str, text: str, wall_s: float) -> Path:
    """Writes a copied text under a name with the time; raises OSError."""
    path = _path(directory, name, "txt", wall_s)
    path.write_text(text, encoding="utf-8")
    return path


def write_csv(directory: Path, name: str, table: pa.Table, wall_s: float) -> Path:
    """Writes a table as CSV under a name with the time; raises OSError."""
    path = _path(directory, name, "csv", wall_s)
    with path.open("wb") as file:
        write_table(table, "csv", file)
    return path


def _path(directory: Path, name: str, ending: str, wall_s: float) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory / f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(wall_s))}.{ending}"


def short_path(path: Path) -> str:
    """A path as people write it, with ~ for the user's home."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
