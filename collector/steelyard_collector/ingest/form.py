"""Where the parts of a batch lie in its message: batches of one form differ in their numbers and figures alone.

So those that follow the first are read at fixed places, and a block's are one array. Parsing each, and copying its
matrices out of it, would cost more than all checks.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from steelyard_proto.v1 import batch_pb2, ingest_pb2

# A hostile agent may use a new one each time.
_REMEMBERED: Final = 4096
_SEQ_BYTES: Final = 8
# How far before seq the layout's and the agent's number begin: four bytes each, and a tag after both.
_LAYOUT_BACK, _AGENT_BACK = 10, 5


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """The places in a message as protobuf writes it.

    Attributes:
        gauges: metric ids, in the order of the matrix.
        counters: metric ids, in the order of the matrix.
        entities: how many the matrices have.
        ticks: how many they have.
        rows: that one batch becomes.
        size: bytes of the message.
        ts_at: where the times are; so the other places, of gauges and counters.
    """

    gauges: tuple[int, ...]
    counters: tuple[int, ...]
    entities: int
    ticks: int
    rows: int
    size: int
    ts_at: int
    gauges_at: int
    counters_at: int
    _parts: struct.Struct
    _to_layout: bytes
    _to_agent: bytes
    _to_seq: bytes
    _to_ts: bytes
    _to_gauges: bytes
    _to_counters: bytes

    def head(self, layout: int, agent: int) -> bytes:
        """What stands before seq."""
        parts = (self._to_layout, layout.to_bytes(4, "little"), self._to_agent, agent.to_bytes(4, "little"))
        return b"".join((*parts, self._to_seq))

    def read(self, message: bytes, head: bytes) -> tuple[int, list[int]] | None:
        """Seq and times of a message of this size; None if protobuf would read no batch of this form and head."""
        start, seq, to_ts, *stamps, to_gauges, to_counters = self._parts.unpack_from(message)
        if (start, to_ts, to_gauges, to_counters) != (head, self._to_ts, self._to_gauges, self._to_counters):
            return None
        return seq, stamps

    def message(self, head: bytes, seq: int, ts_ms: bytes, gauges: bytes, counters: bytes) -> bytes:
        """A message of this form."""
        seq_bytes = seq.to_bytes(_SEQ_BYTES, "little")
        return b"".join((head, seq_bytes, self._to_ts, ts_ms, self._to_gauges, gauges, self._to_counters, counters))


@lru_cache(maxsize=_REMEMBERED)
def form_of(gauges: tuple[int, ...], counters: tuple[int, ...], entities: int, ticks: int) -> Form:
    """The form of batches of one size."""
    cells = entities * ticks
    sizes = (8 * ticks, 4 * len(gauges) * cells, 8 * len(counters) * cells)
    parts = dict(zip(("ts_ms", "gauges", "counters"), map(bytes, sizes), strict=True))
    batch = batch_pb2.Batch(layout=1, agent=1, seq=1, **parts)
    sample = ingest_pb2.AgentMessage(batch=batch).SerializeToString()
    counters_at = len(sample) - sizes[2]
    gauges_at = counters_at - _head_bytes(sizes[2]) - sizes[1]
    ts_at = gauges_at - _head_bytes(sizes[1]) - sizes[0]
    seq_at = ts_at - _head_bytes(sizes[0]) - _SEQ_BYTES
    to_ts = sample[seq_at + _SEQ_BYTES : ts_at]
    to_gauges = sample[ts_at + sizes[0] : gauges_at]
    to_counters = sample[gauges_at + sizes[1] : counters_at]
    return Form(
        gauges, counters, entities, ticks, cells, len(sample),
        ts_at=ts_at,
        gauges_at=gauges_at,
        counters_at=counters_at,
        # All but the matrices, in one reading: head, seq, and what stands between the parts.
        _parts=struct.Struct(
            f"<{seq_at}sQ{len(to_ts)}s{ticks}q{len(to_gauges)}s{sizes[1]}x{len(to_counters)}s"
        ),
        _to_layout=sample[: seq_at - _LAYOUT_BACK],
        _to_agent=sample[seq_at - _LAYOUT_BACK + 4 : seq_at - _AGENT_BACK],
        _to_seq=sample[seq_at - _AGENT_BACK + 4 : seq_at],
        _to_ts=to_ts,
        _to_gauges=to_gauges,
        _to_counters=to_counters,
    )  # fmt: skip


def _head_bytes(size: int) -> int:
    """Bytes of a field's tag and length; a field without content isn't written at all."""
    return 1 + (size.bit_length() + 6) // 7 if size else 0
