"""Writes down what simulated agents put into their spools and what is true of them, to be compared with the store.

A line is JSON. Of a message: `{"node", "agent_id", "epoch", "kind", "seq", "from_ms", "to_ms", "rows", "ticks",
"values"}`. `values` maps a metric's id to the number of present values and their sum. The line is written before the
message is spooled: when a killed run is gone on with, a number may stand twice, and its last line holds; the last
number of each kind may have stayed unspooled. At the start: a line for each fault and each pair of chips; at the end:
one for each job, see plan_truth.py.
"""

import json
import math
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from steelyard_agent.sampling.batch import INT64_MIN
from steelyard_agent.simulate.plan import FleetPlan
from steelyard_agent.simulate.plan_truth import Counted, fault_lines, job_lines, share_lines
from steelyard_agent.simulate.steps import End
from steelyard_agent.spool.ring import Ring
from steelyard_proto.errors import SpoolError
from steelyard_proto.v1 import batch_pb2, ingest_pb2


class Truth:
    """The file; a line is on its way to the disk when `write` returns, so a kill of the program loses none."""

    def __init__(self, path: Path, plan: FleetPlan) -> None:
        """Opens the file at its end.

        Args:
            path: of the file.
            plan: the fleet that it tells of.

        Raises:
            SpoolError: it can't be opened.
        """
        self._plan = plan
        self._counts: dict[str, Counted] = {}
        try:
            # Unbuffered: a line is one write, which a kill can't tear.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise SpoolError(f"{path}: can't be written: {error.strerror}; give another with --truth") from error

    def write(self, line: Mapping[str, Any]) -> None:
        """Appends a line."""
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def begin(self, zero_ms: int) -> None:
        """Writes what the fleet's plan says; the simulation's clock begins at this Unix time."""
        for line in (*fault_lines(self._plan, zero_ms), *share_lines(self._plan)):
            self.write(line)

    def count(self, job: str, ends: Iterable[End]) -> None:
        """Takes steps of a job that its ranks are about to tell, from one of them."""
        self._counts.setdefault(job, Counted()).add(ends)

    def close(self) -> None:
        """Writes what the jobs did, and closes the file."""
        for line in job_lines(self._plan, self._counts):
            self.write(line)
        self._file.close()


class TruthfulSink:
    """Stands between an agent's gatherer and its ring."""

    def __init__(self, ring: Ring, truth: Truth | None, *, node: str, agent_id: str) -> None:
        """Args: the ring, the file to tell (None: nothing is told), and who speaks."""
        self._ring = ring
        self._truth = truth
        self._who = {"node": node, "agent_id": agent_id}
        self._layouts: dict[int, batch_pb2.Layout] = {}

    def learn(self, hello: ingest_pb2.Hello | None) -> None:
        """Takes over the layouts of an earlier run."""
        for layout in hello.layouts if hello is not None else ():
            self._layouts[layout.id] = layout

    def describe(self, message: ingest_pb2.Describe) -> None:
        """Hands new devices and layouts on."""
        for layout in message.layouts:
            self._layouts[layout.id] = layout
        self._ring.describe(message)

    def put(self, kind: int, message: ingest_pb2.AgentMessage, from_ms: int, to_ms: int) -> int:
        """Tells the truth about a message, then hands it on."""
        if self._truth is not None:
            line: dict[str, Any] = {
                **self._who,
                "epoch": self._ring.epoch,
                "kind": kind,
                "seq": self._ring.next_seq(kind),
                "from_ms": from_ms,
                "to_ms": to_ms,
            }
            self._truth.write(line | self._content(message))
        return self._ring.put(kind, message, from_ms, to_ms)

    def _content(self, message: ingest_pb2.AgentMessage) -> dict[str, Any]:
        if message.WhichOneof("message") == "batch":
            return batch_content(self._layouts[message.batch.layout], message.batch)
        records = message.records
        rows = len(records.processes) + len(records.events) + len(records.job_intervals)
        rows += len(records.steps) + len(records.trainings)
        rows += len(records.profiles) + len(records.profile_rows) + len(records.stacks)
        return {"rows": rows, "ticks": 0, "values": {}}


def batch_content(layout: batch_pb2.Layout, batch: batch_pb2.Batch) -> dict[str, Any]:
    """What a batch holds: ticks, rows (devices times ticks), and per metric count and sum."""
    ticks = len(batch.ts_ms) // 8
    cells = max(1, len(layout.devices)) * ticks
    values: dict[str, list[float]] = {}
    gauges = array("f", batch.gauges)
    for place, metric in enumerate(layout.gauges):
        present = [value for value in gauges[place * cells : (place + 1) * cells] if not math.isnan(value)]
        values[str(metric)] = [len(present), math.fsum(present)]
    counters = array("q", batch.counters)
    for place, metric in enumerate(layout.counters):
        whole = [value for value in counters[place * cells : (place + 1) * cells] if value != INT64_MIN]
        values[str(metric)] = [len(whole), sum(whole)]
    return {"rows": cells, "ticks": ticks, "values": values}
