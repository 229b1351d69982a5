"""What the door hands on to the writer: messages that were checked, each for exactly one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from steelyard_collector.ingest.form import Form
from steelyard_proto.records import FIELDS
from steelyard_proto.v1 import batch_pb2, ingest_pb2

TABLES: Final[Mapping[int, str]] = {
    batch_pb2.KIND_DEVICE_SAMPLES: "raw_device",
    batch_pb2.KIND_HOST_SAMPLES: "raw_host",
    batch_pb2.KIND_AGENT_SAMPLES: "raw_agent",
    batch_pb2.KIND_PROCESS: "process",
    batch_pb2.KIND_EVENT: "event",
    batch_pb2.KIND_JOB_INTERVAL: "job_interval",
    batch_pb2.KIND_STEP: "step",
    batch_pb2.KIND_TRAINING: "training",
    batch_pb2.KIND_PROFILE: "profile",
    batch_pb2.KIND_PROFILE_ROW: "profile_row",
    batch_pb2.KIND_STACK: "stack",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A layout whose devices have the store's numbers.

    Attributes:
        kind: of the samples.
        gauges: metric ids, in the order of the matrix.
        counters: metric ids, in the order of the matrix.
        entities: device ids of the rows, or the agent's number alone.
    """

    kind: int
    gauges: tuple[int, ...]
    counters: tuple[int, ...]
    entities: tuple[int, ...]


class Origin(NamedTuple):
    """Which message it is: the key of exactly-once. A tuple, as is Samples: one is made for each message."""

    agent: int
    epoch: int
    kind: int
    seq: int


class Samples(NamedTuple):
    """A batch, as it came: its matrices lie in the message where its form has them, both [metric][entity][tick].

    `last_ms` is the time of its last tick.
    """

    origin: Origin
    shape: Shape
    form: Form
    day: int
    last_ms: int
    message: bytes

    @property
    def rows(self) -> int:
        """Rows that it becomes."""
        return self.form.rows

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.message)


@dataclass(frozen=True, slots=True)
class Rows:
    """Records of one kind; `device_ids` maps the agent's device keys, `wire_bytes` is the message's length."""

    origin: Origin
    day: int
    records: batch_pb2.Records
    device_ids: Mapping[int, int]
    wire_bytes: int = 0

    @property
    def all(self) -> Sequence[Any]:
        """The rows."""
        found: Sequence[Any] = getattr(self.records, FIELDS[self.origin.kind])
        return found

    @property
    def rows(self) -> int:
        """Rows that it becomes."""
        return len(self.all)

    @property
    def size(self) -> int:
        """Bytes that it holds, about."""
        return 200 * self.rows + self.wire_bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """A range that will never come."""

    origin: Origin
    lost: ingest_pb2.Lost

    day: int = 0
    rows: int = 1
    size: int = 100


Accepted = Samples | Rows | Gap
