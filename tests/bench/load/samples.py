"""What a simulated agent of the load says: its Hello, and batches in which no value is absent and none is constant."""

import uuid
from dataclasses import dataclass

import numpy as np

from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import batch_pb2, ingest_pb2

CHIPS = (("huawei", "npu", "Ascend 910B3", "910B3"), ("nvidia", "gpu", "NVIDIA H100 80GB HBM3", "H100 SXM"))
_VARIANTS = 32
# Lowest and highest level, and resolution as the vendors give it (NVML and DCMI: integer percents, degrees and watts to
# one digit); 0: every bit of the mantissa is noise, as GPM's and the links' rates have it, one value in six here.
_PLAUSIBLE = {
    "ratio": (0.2, 0.9, 0.01),
    "MHz": (1_200, 1_900, 15.0),
    "W": (200, 650, 0.1),
    "bytes": (20 << 30, 70 << 30, 1 << 20),
    "C": (40, 80, 1.0),
    "V": (0.8, 0.9, 0.01),
    "bytes/s": (1e9, 4e10, 0.0),
}
_GPM = ("tensor_active", "core_occupancy", "fp16_active")


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of an agent's messages."""

    devices: int
    ticks: int
    gauges: tuple[int, ...]
    counters: tuple[int, ...]

    @property
    def samples(self) -> int:
        """Metric samples in one message."""
        return self.devices * self.ticks * (len(self.gauges) + len(self.counters))


def shape_of(devices: int, ticks: int, values: int) -> Shape:
    """A shape with `values` metrics a row, a fifth of them counters; the catalogue's first ones."""
    metrics = [metric for metric in catalogue().of("device") if not metric.retired]
    counters = [metric.id for metric in metrics if metric.kind == "counter"][: values // 5]
    gauges = [metric.id for metric in metrics if metric.kind == "gauge"][: values - len(counters)]
    return Shape(devices, ticks, tuple(gauges), tuple(counters))


class Variants:
    """Gauge matrices made once and used in turn: making noise anew would cost the generator more than sending it."""

    def __init__(self, shape: Shape, seed: int) -> None:
        random = np.random.default_rng(seed)
        matrices = np.empty((_VARIANTS, len(shape.gauges), shape.devices, shape.ticks), "<f4")
        for index, metric in enumerate(catalogue().by_id[number] for number in shape.gauges):
            low, high, resolution = _PLAUSIBLE[metric.unit]
            level = random.uniform(low, high)
            values = random.normal(level, 0.05 * level, matrices[:, index].shape)
            is_rounded = resolution and metric.name not in _GPM
            matrices[:, index] = np.round(values / resolution) * resolution if is_rounded else values
        self.gauges = [matrix.tobytes() for matrix in matrices]
        rates = random.integers(1_000, 2_000, (len(shape.counters), shape.devices, shape.ticks))
        self.rises = rates.cumsum(axis=2).astype("<i8")
        self.total = self.rises[:, :, -1:]


class Speaker:
    """One agent: its name, its tables and its batches, in order."""

    def __init__(self, number: int, shape: Shape, variants: Variants, *, run: str, start_ms: int) -> None:
        self._shape = shape
        self._variants = variants
        self._number = number
        self._name = f"load-{run}-{number:05d}"
        self._agent_id = str(uuid.uuid5(uuid.NAMESPACE_OID, self._name))
        self._counters = np.zeros_like(variants.total)
        self._next_ms = start_ms
        self._fixed: list[bytes] = []
        self.seq = 0
        # Of one message; before the first one is made, as much as it may take at most.
        self.batch_bytes = shape.samples * 8 + shape.ticks * 8 + 64

    def hello(self, epoch: int) -> ingest_pb2.AgentMessage:
        """The Hello that opens the stream."""
        vendor, kind, name, chip = CHIPS[self._number % len(CHIPS)]
        devices = [
            batch_pb2.Device(
                key=index + 1,
                uid=f"{self._name}-{index}",
                vendor=vendor,
                kind=kind,
                name=name,
                chip=chip,
                part="package",
                index=index,
                memory_bytes=64 << 30,
                origin=batch_pb2.ORIGIN_SIMULATED,
            )
            for index in range(self._shape.devices)
        ]
        layout = batch_pb2.Layout(
            id=1,
            kind=batch_pb2.KIND_DEVICE_SAMPLES,
            gauges=self._shape.gauges,
            counters=self._shape.counters,
            devices=[device.key for device in devices],
            period_ms=1000,
        )
        node = ingest_pb2.Node(name=self._name, os="Linux", arch="x86_64", cpus=64, origin=batch_pb2.ORIGIN_SIMULATED)
        hello = ingest_pb2.Hello(
            agent_id=self._agent_id,
            epoch=epoch,
            agent_version="load",
            time_ms=self._next_ms,
            node=node,
            devices=devices,
            layouts=[layout],
        )
        return ingest_pb2.AgentMessage(hello=hello)

    def batch(self, agent: int, last_ms: int | None = None) -> ingest_pb2.AgentMessage:
        """The next batch.

        Args:
            agent: the number that Welcome gave.
            last_ms: the time of its last tick; None: ticks follow one another at 1 Hz.
        """
        stamps, gauges, counters = self._advance(last_ms)
        batch = batch_pb2.Batch(layout=1, agent=agent, seq=self.seq, ts_ms=stamps, gauges=gauges, counters=counters)
        return ingest_pb2.AgentMessage(batch=batch)

    def pieces(self, agent: int, last_ms: int | None = None) -> list[bytes]:
        """The next batch as it goes over the wire, in pieces: all but the figures is as in the first one."""
        if not self._fixed:
            raw, parts = self.batch(agent, last_ms).SerializeToString(), []
            for part in (self.seq.to_bytes(8, "little"), *self._last):
                fixed, _, raw = raw.partition(part)
                parts += [fixed, part]
            self._fixed = parts[::2]
            self.batch_bytes = sum(map(len, parts))
            return parts
        stamps, gauges, counters = self._advance(last_ms)
        to_seq, to_stamps, to_gauges, to_counters = self._fixed
        seq = self.seq.to_bytes(8, "little")
        return [b"".join((to_seq, seq, to_stamps, stamps, to_gauges)), gauges, to_counters, counters]

    def _advance(self, last_ms: int | None) -> tuple[bytes, bytes, bytes]:
        """Times, gauges and counters of the next batch."""
        self.seq += 1
        shape = self._shape
        first_ms = self._next_ms if last_ms is None else last_ms - 1000 * (shape.ticks - 1)
        self._next_ms = first_ms + 1000 * shape.ticks
        stamps = np.arange(first_ms, self._next_ms, 1000, dtype="<i8")
        counters = self._counters + self._variants.rises
        self._counters = self._counters + self._variants.total
        variant = (self.seq + self._number) % len(self._variants.gauges)
        self._last = (stamps.tobytes(), self._variants.gauges[variant], counters.tobytes())
        return self._last
