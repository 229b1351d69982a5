"""Whether continuous profiles of the whole fleet are stopped: in the store, so that it outlives a restart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.ingest.registering import put_registered
from steelyard_collector.ingest.writer import Writer
from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement

_TIME: Final[Any] = pa.timestamp("ms", tz="UTC")
_SCHEMA: Final = pa.schema(
    [("id", pa.uint8()), ("is_paused", pa.uint8()), ("since", _TIME), ("reason", pa.string()), ("recorded", _TIME)]
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when it is so (0: it was never changed), and why."""

    is_paused: bool = False
    since_ms: int = 0
    reason: str = ""
    recorded_ms: int = 0


def read_pause(store: Store) -> Pause:
    """What was said last; raises StoreError where the store can't be read."""
    for row in store.query(statement("queries", "profile_pause")).to_pylist():
        return Pause(bool(row["is_paused"]), row["since_ms"], row["reason"], row["recorded_ms"])
    return Pause()


class PauseSwitch:
    """Turned by people, looked at by the agents' streams."""

    def __init__(self, pause: Pause, writer: Writer, clock: Callable[[], int]) -> None:
        """Args: how it stands; who writes it; Unix time in ms."""
        self._writer = writer
        self._clock = clock
        self.pause = pause

    async def turn(self, *, is_paused: bool, reason: str) -> Pause:
        """Pauses or resumes; returns once that is committed. What is so already gets a new reason alone."""
        now_ms = self._clock()
        since_ms = self.pause.since_ms if self.pause.is_paused == is_paused and self.pause.since_ms else now_ms
        # The newest row counts, also where the clock has gone back.
        recorded_ms = max(now_ms, self.pause.recorded_ms + 1)
        wanted = replace(self.pause, is_paused=is_paused, since_ms=since_ms, reason=reason, recorded_ms=recorded_ms)
        row = {"id": 1, "is_paused": int(is_paused), "since": since_ms, "reason": reason, "recorded": recorded_ms}
        await put_registered(self._writer, "profile_pause", [row], _SCHEMA)
        self.pause = wanted
        return wanted
