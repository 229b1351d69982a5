"""Reads the public views for those who watch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from steelyard_collector.live.filter import BadRequest
from steelyard_collector.store.base import PUBLIC_DATABASE, Reader, ReadLimits

# The order that a view has by itself, and how much of it a watcher can see. A log is watched at its newest end.
_STATES: Final = {
    "devices": ("node", "device_index", "device_id"),
    "nodes": ("node",),
    "jobs": ("since", "job"),
    "fleet_live": ("vendor", "chip", "part", "origin"),
    "agents": ("node", "agent"),
}
_LOGS: Final = {"events": "ts", "gaps": "recorded"}
LOG_ROWS: Final = 10_000

LIVE_LIMITS: Final = ReadLimits(seconds=10.0, memory_bytes=2_000_000_000, result_rows=1_000_000, threads=1)

WATCHED: Final = (*_STATES, *_LOGS)


@dataclass(frozen=True, slots=True)
class ViewTable:
    """A view as it was at one moment of the collector's clock."""

    time_ms: int
    table: pa.Table


class ViewSource:
    """Reads views with one read-only client; used by one thread."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
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
            # LIMIT 0 gives no bytes at all; a condition that never holds gives the header.
            empty = self._reader.query_arrow(f"SELECT * FROM {PUBLIC_DATABASE}.{view} LIMIT 0")  # noqa: S608
            self._schemas[view] = empty.schema
        return self._schemas[view]

    def read(self, view: str, columns: Iterable[str]) -> pa.Table:
        """These columns of the whole view, in its own order; raises as `schema`."""
        known = self.schema(view)
        names = [name for name in known.names if name in set(columns)] or [known.names[0]]
        listed = ", ".join(f"`{name}`" for name in names)
        sql = f"SELECT {listed} FROM {PUBLIC_DATABASE}.{view}{_tail(view)}"  # noqa: S608
        return self._reader.query_arrow(sql)

    def close(self) -> None:
        """Gives the client back."""
        self._reader.close()


def _tail(view: str) -> str:
    if view in _LOGS:
        return f" ORDER BY {_LOGS[view]} DESC LIMIT {LOG_ROWS}"
    return f" ORDER BY {', '.join(_STATES[view])}"
