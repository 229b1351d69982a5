"""What a simulated fleet says that it has spooled: the file of `steelyard-agent simulate --truth`, read."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard_proto.v1 import batch_pb2

SAMPLES = (batch_pb2.KIND_DEVICE_SAMPLES, batch_pb2.KIND_HOST_SAMPLES, batch_pb2.KIND_AGENT_SAMPLES)


@dataclass(frozen=True, slots=True)
class Told:
    """One message; `values` maps a metric's id to the number of its present values and their sum."""

    node: str
    agent_id: str
    epoch: int
    kind: int
    seq: int
    from_ms: int
    to_ms: int
    rows: int
    ticks: int
    values: Mapping[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Sum:
    """The present values of one metric of one node."""

    count: int
    total: float


class Truth:
    """All messages, by agent, epoch, kind and number. Where a number stands twice, its last line holds.

    Attributes:
        jobs: lines by job; a run that was killed has none.
        shares: by workload (None: all), chip and reference.
        faults: lines, as the fleet's plan has them.
    """

    def __init__(self, path: Path) -> None:
        self.messages: dict[tuple[str, int, int, int], Told] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.shares: dict[tuple[str | None, str, str], float] = {}
        self.faults: list[dict[str, Any]] = []
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "job" in line:
                self.jobs[line["job"]] = line
            elif "share" in line:
                self.shares[line["workload"], line["chip"], line["reference"]] = line["share"]
            elif "fault" in line:
                self.faults.append(line)
            else:
                self._learn(Told(**line))

    def _learn(self, told: Told) -> None:
        self.messages[told.agent_id, told.epoch, told.kind, told.seq] = told

    def of(self, *kinds: int) -> list[Told]:
        """The messages of some kinds."""
        return [told for told in self.messages.values() if told.kind in kinds]

    def last_seq(self) -> dict[tuple[str, int, int], int]:
        """The highest number by agent, epoch and kind."""
        last: dict[tuple[str, int, int], int] = defaultdict(int)
        for agent_id, epoch, kind, seq in self.messages:
            last[agent_id, epoch, kind] = max(seq, last[agent_id, epoch, kind])
        return dict(last)

    def rows(self, kind: int) -> dict[str, int]:
        """Rows of a kind by node. Of device samples a row is a device and a tick, absent ones included."""
        rows: dict[str, int] = defaultdict(int)
        for told in self.of(kind):
            rows[told.node] += told.rows
        return dict(rows)

    def sums(self, kind: int) -> dict[tuple[str, int], Sum]:
        """By node and metric id."""
        return sums(self.of(kind))


def sums(messages: Iterable[Told]) -> dict[tuple[str, int], Sum]:
    """Counts and sums of some messages, by node and metric id."""
    parts: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for told in messages:
        for metric, (count, total) in told.values.items():
            parts[told.node, int(metric)].append((count, total))
    return {
        key: Sum(sum(count for count, _ in values), _total([total for _, total in values]))
        for key, values in parts.items()
    }


def _total(totals: list[float]) -> float:
    # Counters are whole numbers beyond a float's precision.
    return sum(totals) if all(isinstance(total, int) for total in totals) else math.fsum(totals)
