"""Gathers ticks into matrix batches: float32 and int64, metric by metric, in it device by device, in it tick by tick.

A batch ends where the contract wants it to: at UTC midnight, where the clock doesn't rise, when it is large enough,
and when the caller flushes it.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelyard_agent.model import Absent, Entity, Value
from steelyard_proto.metrics import Catalogue
from steelyard_proto.v1 import batch_pb2

NAN: Final = float("nan")
INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1
_DAY_MS: Final = 86_400_000
# Larger messages cost the collector no less per row and hold more back when one of them is refused.
MAX_BYTES: Final = 256 * 1024
MAX_ROWS: Final = 640

KIND_OF_ENTITY: Final[dict[Entity, batch_pb2.Kind]] = {
    "device": batch_pb2.KIND_DEVICE_SAMPLES,
    "host": batch_pb2.KIND_HOST_SAMPLES,
    "agent": batch_pb2.KIND_AGENT_SAMPLES,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """How a source's values of one metric tuple go into the two matrices.

    Attributes:
        gauges: metric ids carried as float32.
        counters: metric ids carried as int64.
        gauge_at: the place of each gauge in the source's row.
        counter_at: the place of each counter in the source's row.
    """

    gauges: tuple[int, ...]
    counters: tuple[int, ...]
    gauge_at: tuple[int, ...]
    counter_at: tuple[int, ...]


def columns_of(metrics: Sequence[int], catalogue: Catalogue) -> Columns:
    """Sorts metric ids into gauges and counters; one that the catalogue doesn't know is a gauge."""
    counters = [i for i, m in enumerate(metrics) if m in catalogue.by_id and catalogue.by_id[m].kind != "gauge"]
    gauges = [i for i in range(len(metrics)) if i not in counters]
    return Columns(
        gauges=tuple(metrics[i] for i in gauges),
        counters=tuple(metrics[i] for i in counters),
        gauge_at=tuple(gauges),
        counter_at=tuple(counters),
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished batch, without its sequence number, and the time of its first and last tick."""

    kind: batch_pb2.Kind
    batch: batch_pb2.Batch
    from_ms: int
    to_ms: int


class BatchBuilder:
    """Gathers the ticks of one layout."""

    def __init__(self, layout_id: int, kind: batch_pb2.Kind, columns: Columns, devices: Sequence[int]) -> None:
        """Args: the layout's id and kind, its columns, and the device key of each row (none: one row, the node's)."""
        self.layout_id = layout_id
        self.kind: batch_pb2.Kind = kind
        self.columns = columns
        self.devices = tuple(devices)
        self._rows = max(1, len(self.devices))
        self._stamps = array("q")
        self._gauge_ticks: list[array[float]] = []
        self._counter_ticks: list[array[int]] = []
        cell_bytes = 4 * len(columns.gauges) + 8 * len(columns.counters)
        by_size = MAX_BYTES // (self._rows * cell_bytes + 8)
        self._max_ticks = max(1, min(by_size, MAX_ROWS // self._rows))

    def layout(self, period_ms: int) -> batch_pb2.Layout:
        """The layout to declare before the first batch."""
        return batch_pb2.Layout(
            id=self.layout_id,
            kind=self.kind,
            gauges=self.columns.gauges,
            counters=self.columns.counters,
            devices=self.devices,
            period_ms=period_ms,
        )

    def add(self, ts_ms: int, rows: Sequence[Sequence[Value] | None]) -> list[Cut]:
        """Takes one tick; returns what it completed.

        Args:
            ts_ms: Unix time.
            rows: per device the source's values in its own order; None where the device gave nothing.
        """
        finished: list[Cut] = []
        if self._stamps and (ts_ms <= self._stamps[-1] or ts_ms // _DAY_MS != self._stamps[0] // _DAY_MS):
            finished += self.flush()
        self._stamps.append(ts_ms)
        self._gauge_ticks.append(_cells("f", rows, self.columns.gauge_at) or array("f", self._gauge_cells(rows)))
        self._counter_ticks.append(_cells("q", rows, self.columns.counter_at) or array("q", self._counter_cells(rows)))
        if len(self._stamps) >= self._max_ticks:
            finished += self.flush()
        return finished

    def flush(self) -> list[Cut]:
        """What has been gathered, as one batch, or nothing."""
        if not self._stamps:
            return []
        batch = batch_pb2.Batch(
            layout=self.layout_id,
            ts_ms=_little_endian(self._stamps),
            gauges=_transposed("f", self._gauge_ticks, len(self.columns.gauges) * self._rows),
            counters=_transposed("q", self._counter_ticks, len(self.columns.counters) * self._rows),
        )
        cut = Cut(self.kind, batch, self._stamps[0], self._stamps[-1])
        self._stamps = array("q")
        self._gauge_ticks.clear()
        self._counter_ticks.clear()
        return [cut]

    def _gauge_cells(self, rows: Sequence[Sequence[Value] | None]) -> list[float]:
        return [NAN if row is None else _gauge(row[at]) for at in self.columns.gauge_at for row in rows]

    def _counter_cells(self, rows: Sequence[Sequence[Value] | None]) -> list[int]:
        return [INT64_MIN if row is None else _counter(row[at]) for at in self.columns.counter_at for row in rows]


def _cells(code: str, rows: Sequence[Sequence[Value] | None], places: Sequence[int]) -> "array[Any] | None":
    """The cells where every value is there and of its kind, as they are at nearly every tick; else None."""
    try:
        return array(code, [row[at] for at in places for row in rows])  # type: ignore[index]
    except (TypeError, OverflowError):
        return None


def _gauge(value: Value) -> float:
    return NAN if isinstance(value, Absent) else value


def _counter(value: Value) -> int:
    if isinstance(value, Absent) or value != value:
        return INT64_MIN
    number = int(value)
    if number > _INT64_MAX:
        # A bit set may use its highest bit; the contract carries it in two's complement.
        number -= 1 << 64
    return number if INT64_MIN < number <= _INT64_MAX else INT64_MIN


def _transposed(code: str, ticks: "Sequence[array[Any]]", cells: int) -> bytes:
    """From an array per tick to [cell][tick]."""
    width = len(ticks)
    matrix: array[Any] = array(code, bytes(array(code).itemsize * cells * width))
    for tick, values in enumerate(ticks):
        matrix[tick::width] = values
    return _little_endian(matrix)


def _little_endian(values: "array[Any]") -> bytes:
    # Both platforms that are supported, x86_64 and aarch64 Linux, are little-endian; the wheels exist for no other.
    return values.tobytes()
