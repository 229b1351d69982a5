"""Reads the public views for those who watch."""

from collections.abc import Callable, Iterable
from typing import Final

import pyarrow as pa

from steelyard_collector.live.filter import BadRequest
from steelyard_collector.store.base import PUBLIC_DATABASE, Reader, ReadLimits
from steelyard_proto.errors import StoreError

# The order that a view has by itself. A log is watched at its newest end.
_STATES: Final = {
    "devices": ("node", "device_index", "device_id"),
    "nodes": ("node",),
    "jobs": ("since", "job"),
    "fleet_live": ("vendor", "chip", "part", "origin"),
    "agents": ("node", "agent"),
    "efficiency_live": ("scope", "name", "chip", "origin"),
}
_LOGS: Final = {"events": "ts", "gaps": "recorded"}
LOG_ROWS: Final = 10_000

# Before people's queries and the rollups: what is on a screen ages meanwhile.
LIVE_LIMITS: Final = ReadLimits(seconds=10.0, memory_bytes=2_000_000_000, result_rows=1_000_000, threads=1, nice=2)

WATCHED: Final = (*_STATES, *_LOGS)


class ViewSource:
    """Reads views with one read-only client; used by one thread.

    Args:
        open_reader: gives a new client; asked again after an error, since a client of the embedded engine may give
            the rest of a failed result to the next query.
    """

    def __init__(self, open_reader: Callable[[], Reader]) -> None:
        self._open = open_reader
        self._reader: Reader | None = None
        self._schemas: dict[str, pa.Schema] = {}

    def schema(self, view: str) -> pa.Schema:
        """The columns of a view, as they come in Arrow.

        Raises:
            BadRequest: there is no such view, or it can't be watched.
            StoreError: it can't be read.
        """
        if view not in WATCHED:
            listed = ", ".join(WATCHED)
            raise BadRequest("view", f"no live view {view!r}; watch one of {listed}, or ask for others by SQL")
        if view not in self._schemas:
            self._schemas[view] = self._query(f"SELECT * FROM {PUBLIC_DATABASE}.{view} LIMIT 0").schema  # noqa: S608
        return self._schemas[view]

    def read(self, view: str, columns: Iterable[str]) -> pa.Table:
        """These columns of the whole view, in its own order; raises as `schema`."""
        known, wanted = self.schema(view), frozenset(columns)
        names = [name for name in known.names if name in wanted] or known.names[:1]
        listed = ", ".join(f"`{name}`" for name in names)
        return self._query(f"SELECT {listed} FROM {PUBLIC_DATABASE}.{view}{_tail(view)}")  # noqa: S608

    def close(self) -> None:
        """Gives the client back."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _query(self, sql: str) -> pa.Table:
        if self._reader is None:
            self._reader = self._open()
        try:
            return self._reader.query_arrow(sql)
        except StoreError:
            self.close()
            raise


def _tail(view: str) -> str:
    if view in _LOGS:
        return f" ORDER BY {_LOGS[view]} DESC LIMIT {LOG_ROWS}"
    return f" ORDER BY {', '.join(_STATES[view])}"
