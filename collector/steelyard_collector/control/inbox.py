"""The answers to one request on their way to who asked: bounded, so that a slow reader can't fill the collector."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from steelyard_proto.v1 import ingest_pb2

# Longer than a hiccup of the reader's; meanwhile its agent's stream isn't read, and the spool holds what it has.
PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Gone:
    """The agent's stream ended before its last answer."""

    id: str


Item = ingest_pb2.Answer | Gone


class Inbox:
    """Filled by agents' streams, emptied by one call, all in one event loop."""

    def __init__(
        self, most: int, *, patience_s: float = PATIENCE_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Args: answers that may wait; seconds, over the whole request, that a stream may be held up; a clock."""
        self._items: deque[Item] = deque()
        self._most = most
        self._left_s = patience_s
        self._monotonic = monotonic
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self.is_overrun = False

    async def put(self, answer: ingest_pb2.Answer) -> None:
        """Adds an answer; waits where too many wait already, and drops it once the patience is over."""
        while len(self._items) >= self._most and not self.is_overrun:
            self._room.clear()
            since_s = self._monotonic()
            try:
                async with asyncio.timeout(max(0.0, self._left_s)):
                    await self._room.wait()
            except TimeoutError:
                self.is_overrun = True
            self._left_s -= self._monotonic() - since_s
        if not self.is_overrun:
            self.add(answer)
        self._more.set()

    def add(self, item: Item) -> None:
        """Adds without waiting: what comes once an ask."""
        self._items.append(item)
        self._more.set()

    def close(self) -> None:
        """Nobody reads any more; who waits for room goes on."""
        self.is_overrun = True
        self._room.set()

    async def next(self, timeout_s: float) -> Item | None:
        """The oldest item; None where none came in time, or the inbox was overrun."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._items and not self.is_overrun:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            return None
        if not self._items:
            return None
        self._room.set()
        return self._items.popleft()
