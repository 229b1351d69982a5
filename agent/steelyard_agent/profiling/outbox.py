"""What waits for the collector's stream: answers to what people ask, in their order."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from steelyard_proto.v1 import ingest_pb2

_MOST_WAITING: Final = 4096
_MOST_TRACES: Final = 8


class Outbox:
    """Filled by the fabric's thread, emptied by the sender's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: deque[ingest_pb2.Answer] = deque(maxlen=_MOST_WAITING)
        self._traces: deque[tuple[str, Iterator[ingest_pb2.Answer]]] = deque()
        self.wake: Callable[[], None] = lambda: None

    def put(self, answer: ingest_pb2.Answer) -> None:
        """Takes an answer; the oldest goes where nobody fetches them."""
        with self._lock:
            self._answers.append(answer)
        self.wake()

    def put_pieces(self, ask: str, pieces: Iterator[ingest_pb2.Answer]) -> bool:
        """Takes the pieces of a trace, which are read as they are fetched; False where too many wait already."""
        with self._lock:
            if len(self._traces) >= _MOST_TRACES:
                return False
            self._traces.append((ask, pieces))
        self.wake()
        return True

    def next(self) -> ingest_pb2.Answer | None:
        """The next to send; pieces of several traces in turns."""
        with self._lock:
            if self._answers:
                return self._answers.popleft()
            while self._traces:
                ask, pieces = self._traces.popleft()
                piece = next(pieces, None)
                if piece is not None:
                    self._traces.append((ask, pieces))
                    return piece
        return None

    def drop(self, ask: str) -> None:
        """Forgets the pieces of an ask."""
        with self._lock:
            self._traces = deque((one, pieces) for one, pieces in self._traces if one != ask)

    def clear(self) -> None:
        """Forgets all: the stream has ended on which it was asked."""
        with self._lock:
            self._answers.clear()
            self._traces.clear()
