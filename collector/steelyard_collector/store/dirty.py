"""What the inserts brought that the rollups don't hold yet: minutes of devices or agents, and what jobs train."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Devices = npt.NDArray[np.uint32]
MINUTE_MS: Final = 60_000
_DAY_MINUTES: Final = 1440
# So many device minutes are rolled up at once: their raw rows are in memory.
_CHUNK: Final = 16_000
# So many devices are listed; more are a range, in which some may be rolled up in vain.
_LISTED: Final = 500


@dataclass(frozen=True, slots=True)
class Work:
    """Some devices over some minutes of one UTC day; `to_minute` is not part of it."""

    devices: tuple[int, ...]
    is_range: bool
    from_minute: int
    to_minute: int

    def condition(self, column: str = "device_id") -> str:
        """On the column that holds what was noted: devices, or agents."""
        if self.is_range:
            return f"{column} BETWEEN {self.devices[0]} AND {self.devices[-1]}"
        return f"{column} IN ({', '.join(map(str, self.devices))})"


class DirtyMinutes:
    """Noted by the thread that inserts, taken by the one that rolls up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minutes: dict[int, list[Devices]] = {}

    def note(self, block: pa.Table) -> None:
        """Takes a block of `raw_device`; to be called once it is committed."""
        stamps = np.asarray(block["ts"].cast(pa.int64()).to_numpy())
        self.add(np.asarray(block["device_id"].to_numpy()), stamps // MINUTE_MS)

    def note_jobs(self, table: str, block: pa.Table) -> None:
        """Takes a block of `step` or `job_interval`, whose agents' job minutes it changes.

        An interval grows with each look: the minute of its end changes, and the one in which it ended before.
        """
        stamps = np.asarray(block["ts" if table == "step" else "to_ts"].cast(pa.int64()).to_numpy())
        agents = np.asarray(block["agent"].to_numpy())
        self.add(agents, stamps // MINUTE_MS)
        if table == "job_interval":
            self.add(agents, stamps // MINUTE_MS - 1)

    def add(self, devices: npt.NDArray[Any], minutes: npt.NDArray[Any]) -> None:
        """Takes devices and minutes since 1970, side by side."""
        if not len(devices):
            return
        keys = (minutes.astype(np.uint64) << np.uint64(32)) | devices.astype(np.uint64)
        # Rows of a device lie together: most repeats go before the sort.
        keys = np.unique(keys[np.concatenate(([True], keys[1:] != keys[:-1]))])
        owners = keys >> np.uint64(32)
        starts = np.flatnonzero(np.concatenate(([True], owners[1:] != owners[:-1])))
        with self._lock:
            for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
                found = (keys[start:end] & np.uint64(0xFFFFFFFF)).astype(np.uint32)
                self._minutes.setdefault(int(owners[start]), []).append(found)

    def take(self, before_minute: int) -> dict[int, Devices]:
        """The dirty minutes before this one, with their devices; the caller gives back what it can't do."""
        with self._lock:
            due = [minute for minute in self._minutes if minute < before_minute]
            taken = {minute: self._minutes.pop(minute) for minute in due}
        return {minute: np.unique(np.concatenate(taken[minute])) for minute in sorted(taken)}

    def give_back(self, taken: dict[int, Devices]) -> None:
        """Undoes `take`."""
        with self._lock:
            for minute, devices in taken.items():
                self._minutes.setdefault(minute, []).append(devices)

    def __len__(self) -> int:
        with self._lock:
            return len(self._minutes)


class ToldJobs:
    """The jobs of which processes have told what they train; noted and taken as DirtyMinutes are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: set[str] = set()

    def note(self, block: pa.Table) -> None:
        """Takes a block of `training`; to be called once it is committed."""
        self.add(str(job) for job in pc.unique(block["job"]).to_pylist())

    def add(self, jobs: Iterable[str]) -> None:
        """Takes jobs, or takes them back."""
        with self._lock:
            self._jobs.update(jobs)

    def take(self) -> set[str]:
        """All of them; the caller gives back what it can't do."""
        with self._lock:
            jobs, self._jobs = self._jobs, set()
        return jobs


def plan(dirty: dict[int, Devices]) -> Iterator[Work]:
    """Joins minutes that lie together, in one day, with the same devices, into as few pieces as memory allows."""
    runs: dict[bytes, list[list[int]]] = {}
    sets: dict[bytes, Devices] = {}
    for minute, devices in dirty.items():
        key = devices.tobytes()
        sets[key] = devices
        spans = runs.setdefault(key, [])
        if spans and spans[-1][1] == minute and minute % _DAY_MINUTES:
            spans[-1][1] = minute + 1
        else:
            spans.append([minute, minute + 1])
    for key, spans in runs.items():
        for first, end in spans:
            yield from _pieces(sets[key], first, end)


def _pieces(devices: Devices, first: int, end: int) -> Iterator[Work]:
    for at in range(0, len(devices), _CHUNK):
        some = devices[at : at + _CHUNK]
        step = max(1, _CHUNK // len(some))
        is_range = len(some) > _LISTED
        listed = (int(some[0]), int(some[-1])) if is_range else tuple(some.tolist())
        for begin in range(first, end, step):
            yield Work(listed, is_range, begin, min(end, begin + step))
