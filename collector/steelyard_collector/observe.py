"""What the collector says of itself and of its streams: rows of `agent_state` and `collector_state`."""

import os
import time
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.ingest.service import IngestService
from steelyard_collector.ingest.writer import Writer
from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement
from steelyard_collector.upkeep import Upkeep

TIME: Final[Any] = pa.timestamp("ms", tz="UTC")
AGENT_STATE: Final = pa.schema(
    [("agent", pa.uint32()), ("connected", pa.uint8()), ("clock_offset_ms", pa.float64()), ("flush_ms", pa.uint32()),
     ("last_ts", TIME), ("recorded", TIME)]
)  # fmt: skip
COLLECTOR_STATE: Final = pa.schema(
    [("id", pa.uint8()), ("pid", pa.uint32()), ("streams", pa.uint32()), ("rows", pa.uint64()),
     ("samples", pa.uint64()), ("blocks", pa.uint64()), ("block_rows", pa.uint64()), ("insert_s", pa.float64()),
     ("failures", pa.uint64()), ("last_error", pa.string()), ("queued_bytes", pa.uint64()),
     ("queue_age_s", pa.float64()), ("refused", pa.uint64()), ("rollup_s", pa.float64()),
     ("rolled_to", TIME), ("store_bytes", pa.uint64()), ("max_store_bytes", pa.uint64()), ("oldest_day", pa.date32()),
     ("cpu_s", pa.float64()), ("recorded", TIME)]
)  # fmt: skip


class Observer:
    """Writes the state through the writer's own queue of registry rows."""

    def __init__(self, ingest: IngestService, writer: Writer, upkeep: Upkeep, recorded_ms: int = 0) -> None:
        """Args: whose state it is, and the time of the newest row that is stored."""
        self._ingest = ingest
        self._writer = writer
        self._upkeep = upkeep
        self._was_connected: set[int] = set()
        self._recorded_ms = recorded_ms

    def record(self, now_ms: int) -> None:
        """Queues the rows; a collector whose store refuses says so in its log instead."""
        if self._writer.state.last_error:
            return
        # The newest row counts: where the clock has gone back, its time has to go on from the last one's.
        now_ms = self._recorded_ms = max(now_ms, self._recorded_ms + 1)
        rows = [
            {
                "agent": number,
                "connected": 1,
                "clock_offset_ms": agent.offset_ms,
                "flush_ms": agent.flush_ms,
                "last_ts": agent.last_ms or None,
                "recorded": now_ms,
            }
            for number, agent in self._ingest.agents.items()
        ]
        connected = {row["agent"] for row in rows}
        gone = self._was_connected - connected
        rows += [{"agent": number, "connected": 0, "flush_ms": 0, "recorded": now_ms} for number in gone]
        self._was_connected = connected  # type: ignore[assignment]
        if rows:
            self._writer.put_rows("agent_state", rows, AGENT_STATE, _nothing)
        self._writer.put_rows("collector_state", [self._state(now_ms)], COLLECTOR_STATE, _nothing)

    def _state(self, now_ms: int) -> dict[str, object]:
        state, kept = self._writer.state, self._upkeep.state
        return {
            "id": 1,
            "pid": os.getpid(),
            "streams": self._ingest.streams,
            "rows": state.rows,
            "samples": state.samples,
            "blocks": state.blocks,
            "block_rows": state.block_rows,
            "insert_s": state.insert_s,
            "failures": state.failures,
            "last_error": state.last_error or kept.last_error,
            "queued_bytes": max(0, state.queued_bytes),
            "queue_age_s": time.monotonic() - state.oldest_s if state.oldest_s else 0.0,
            "refused": self._ingest.refused,
            "rollup_s": kept.rollup_s,
            "rolled_to": kept.rolled_to_ms,
            "store_bytes": kept.store_bytes,
            "max_store_bytes": self._upkeep.bounds.max_bytes,
            "oldest_day": kept.oldest_day,
            "cpu_s": time.process_time(),
            "recorded": now_ms,
        }


def last_recorded_ms(store: Store) -> int:
    """The time of the newest row of both tables, of whatever clock; 0 where there is none.

    Raises:
        StoreError: the store can't be read.
    """
    return int(store.query(statement("queries", "observed"))["recorded_ms"][0].as_py() or 0)


def _nothing() -> None:
    """A registry row that nobody waits for."""
