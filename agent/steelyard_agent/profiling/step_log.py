"""The steps that training processes told lately: whether one trains yet, and what a window cost it."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from steelyard_proto.v1 import batch_pb2

# Some minutes of rows of 250 ms.
_MOST_ROWS: Final = 4096
_MOST_PROCESSES: Final = 1024


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of a process that end at `end_ms`, each as long as the others."""

    end_ms: int
    count: int
    seconds_each: float
    is_marked: bool

    @property
    def begin_ms(self) -> float:
        """When the first began."""
        return self.end_ms - 1000 * self.count * self.seconds_each


@dataclass(slots=True)
class _Told:
    """What one process told."""

    start_ms: int
    rows: deque[Steps]
    run: str = ""


class StepLog:
    """By process. Filled by the sampling thread, read by the fabric's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[int, _Told] = {}

    def take(self, steps: Iterable[batch_pb2.Step]) -> None:
        """Takes rows in the order of time."""
        with self._lock:
            for step in steps:
                self._take(step)

    def rows(self, pid: int, start_ms: int) -> tuple[Steps, ...]:
        """The steps of a process, oldest first; none where it tells none."""
        with self._lock:
            told = self._told.get(pid)
            return tuple(told.rows) if told is not None and told.start_ms == start_ms else ()

    def pids(self) -> tuple[int, ...]:
        """The processes that have told a step."""
        with self._lock:
            return tuple(self._told)

    def has(self, pid: int, start_ms: int) -> bool:
        """Whether a process has told a step."""
        told = self._told.get(pid)
        return told is not None and told.start_ms == start_ms

    def run_of(self, pid: int) -> str:
        """The run that a process says it belongs to; empty where it says none."""
        told = self._told.get(pid)
        return "" if told is None else told.run

    def _take(self, step: batch_pb2.Step) -> None:
        told = self._told.get(step.pid)
        if told is None or told.start_ms != step.start_ms:
            self._forget_one()
            told = self._told[step.pid] = _Told(step.start_ms, deque(maxlen=_MOST_ROWS))
        told.run = step.run
        if step.HasField("step_time_s") and step.steps:
            told.rows.append(Steps(step.ts_ms, step.steps, step.step_time_s, bool(step.mark)))

    def _forget_one(self) -> None:
        if len(self._told) >= _MOST_PROCESSES:
            del self._told[min(self._told, key=lambda pid: self._last_ms(pid))]

    def _last_ms(self, pid: int) -> int:
        rows = self._told[pid].rows
        return rows[-1].end_ms if rows else 0
