"""Databases that Ascend's tools write, opened to be read and in no other way."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from steelyard_proto.errors import TraceError

MAGIC: Final = b"SQLite format 3\x00"


def is_database(path: Path) -> bool:
    """Whether a file is a database of SQLite."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise TraceError(f"{error.strerror}; name a file that you may read", path=str(path)) from error


@contextmanager
def opened(path: Path) -> Iterator[tuple[sqlite3.Connection, set[str]]]:
    """A database, which stays as it is, and the names of its tables.

    Raises:
        TraceError: what is done with it fails: it is damaged, or has a view in a table's place.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{_mode(path)}", uri=True)) as database:
            rows = database.execute("SELECT name, type = 'table' AND rootpage > 0 FROM sqlite_master")
            told = {str(name): bool(is_table) for name, is_table in rows}
            database.set_authorizer(_only({name.lower() for name, is_table in told.items() if is_table}))
            yield database, {name for name, is_table in told.items() if is_table}
    except sqlite3.Error as error:
        raise TraceError(
            f"not read by SQLite ({error}); export it again, or copy it again once the profiler has ended",
            path=str(path),
        ) from error


def _only(tables: set[str]) -> Callable[..., int]:
    """Reads tables alone: no profiler writes views or virtual tables, and those compute, maybe without end."""
    tables |= {"sqlite_master"}

    def judge(action: int, name: str | None, column: str | None, schema: str | None, inside: str | None) -> int:
        if action == sqlite3.SQLITE_RECURSIVE:
            return sqlite3.SQLITE_DENY
        is_stored = not name or schema != "main" or name.lower() in tables
        return sqlite3.SQLITE_OK if action != sqlite3.SQLITE_READ or is_stored else sqlite3.SQLITE_DENY

    return judge


def _mode(path: Path) -> str:
    """Read as it lies, whoever locks it; where a tool has changes in a log beside it, with them."""
    log = path.with_name(f"{path.name}-wal")
    try:
        has_log = log.stat().st_size > 0
    except OSError:
        has_log = False
    return "mode=ro" if has_log else "mode=ro&immutable=1"
