"""Which messages the spool has lost for good: ranges by kind, with the reason, until the collector is past them."""

from typing import Final, cast

from steelyard_agent.spool.segment import Span
from steelyard_proto.v1 import batch_pb2, ingest_pb2

_MAX_RANGES: Final = 256


class Losses:
    """The newest ranges; used with the ring's lock held."""

    def __init__(self) -> None:
        self._ranges: list[ingest_pb2.Lost] = []

    def note(self, kind: int, span: Span, reason: str) -> ingest_pb2.Lost:
        """Takes a range; it becomes one with the range that it follows, where the reason is the same."""
        for lost in self._ranges:
            if lost.kind == kind and lost.seq_to + 1 == span.seq_from and lost.reason == reason:
                lost.seq_to, lost.to_ms = span.seq_to, max(lost.to_ms, span.to_ms)
                return lost
        lost = ingest_pb2.Lost(
            kind=cast("batch_pb2.Kind", kind),
            seq_from=span.seq_from,
            seq_to=span.seq_to,
            from_ms=span.from_ms,
            to_ms=span.to_ms,
            reason=reason,
        )
        self._ranges.append(lost)
        # A range that is forgotten here is declared all the same, when the sender finds its numbers missing.
        del self._ranges[:-_MAX_RANGES]
        return lost

    def find(self, kind: int, seq: int) -> ingest_pb2.Lost | None:
        """The range that holds a number."""
        for lost in self._ranges:
            if lost.kind == kind and lost.seq_from <= seq <= lost.seq_to:
                return lost
        return None

    def count_within(self, kind: int, held: range) -> int:
        """How many numbers of a range are lost."""
        return sum(
            max(0, min(held.stop, lost.seq_to + 1) - max(held.start, lost.seq_from))
            for lost in self._ranges
            if lost.kind == kind
        )

    def forget(self, committed: dict[int, int]) -> None:
        """Drops the ranges that the collector is past."""
        self._ranges = [lost for lost in self._ranges if lost.seq_to > committed.get(lost.kind, 0)]

    def clear(self) -> None:
        """Drops all: a new epoch begins."""
        self._ranges = []
