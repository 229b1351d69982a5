"""The table `live_fleet`: the newest rows of an agent's devices, summed up, so that the fleet is read from few rows.

A view over every device costs a quarter of a second of CPU at 128,000 of them, and the fleet is read each second.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_collector.store.statements import statement

Numbers = npt.NDArray[Any]

# What is summed up, in this order; after them each device's used share of its memory.
SUMMED: Final = (
    "busy", "core_active", "tensor_active", "hbm_bw_active", "power_w", "core_clock_mhz", "chip_temp_c",
    "hbm_used_bytes",
)  # fmt: skip
USED_RATIO: Final = len(SUMMED)
_USED: Final = SUMMED.index("hbm_used_bytes")
_KINDS: Final = ("vendor", "chip", "part", "origin")
_NEVER: Final = 0
_GROW: Final = 1024


def _floats(columns: int) -> Numbers:
    return np.full((0, columns), np.nan, np.float32)


@dataclass(slots=True)
class LiveFleet:
    """The newest values of every device, by its number; numbers are given one after another, so arrays hold them.

    Attributes:
        ver: of the rows made last; rises with each.
        agent: of each device; 0 for one that isn't registered.
        kind: place in `kinds` of what each device is: vendor, chip, part and origin.
        versions: of the newest row with fast, and with slow metrics.
        order: the registered devices by agent and kind.
    """

    ver: int
    kinds: list[tuple[str, ...]] = field(default_factory=list)
    agent: Numbers = field(default_factory=lambda: np.zeros(0, np.uint32))
    kind: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    memory_bytes: Numbers = field(default_factory=lambda: np.zeros(0, np.float64))
    told_bytes: Numbers = field(default_factory=lambda: np.zeros(0, np.float32))
    ts: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    versions: Numbers = field(default_factory=lambda: np.zeros((0, 2), np.uint64))
    gauges: Numbers = field(default_factory=lambda: _floats(len(SUMMED)))
    order: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))

    def register(self, devices: pa.Table) -> Numbers:
        """Takes rows of the table `device` in; returns the agents whose rows are to be written."""
        ids = _column(devices, "device_id", np.int64)
        self._make_room(ids)
        places = {kind: place for place, kind in enumerate(self.kinds)}
        told = zip(*(devices[name].cast(pa.string()).to_pylist() for name in _KINDS), strict=True)
        self.kind[ids] = [places.setdefault(kind, len(places)) for kind in told]
        self.kinds = list(places)
        self.agent[ids] = _column(devices, "agent", np.uint32)
        self.memory_bytes[ids] = _column(devices, "memory_bytes", np.float64)
        known = np.flatnonzero(self.agent)
        self.order = known[np.lexsort((self.kind[known], self.agent[known]))]
        return np.unique(self.agent[ids])

    def take(self, newest: pa.Table) -> Numbers:
        """Takes rows of the table `live_device` in; returns the agents whose rows are to be written."""
        ids, is_slow = _column(newest, "device_id", np.int64), _column(newest, "is_slow", np.int64)
        self._make_room(ids)
        versions = _column(newest, "ver", np.uint64)
        is_new = versions >= self.versions[ids, is_slow]
        self.versions[ids[is_new], is_slow[is_new]] = versions[is_new]
        fast, slow = is_new & (is_slow == 0), is_new & (is_slow == 1)
        self.ts[ids[fast]] = _times(newest)[fast]
        for place, name in enumerate(SUMMED):
            self.gauges[ids[fast], place] = _gauge(newest, name)[fast]
        self.told_bytes[ids[slow]] = _gauge(newest, "hbm_total_bytes")[slow]
        agents: Numbers = np.unique(self.agent[ids[is_new]])
        return np.asarray(agents[agents != 0])

    def rows(self, agents: Numbers) -> pa.Table:
        """Rows of `live_fleet`, one an agent."""
        self.ver += 1
        is_wanted = np.zeros(int(self.agent.max(initial=0)) + 1, bool)
        is_wanted[agents] = True
        ids = self.order[is_wanted[self.agent[self.order]]]
        starts, ids = self._groups(ids)
        agent = self.agent[ids[starts]]
        firsts = np.flatnonzero(np.append(True, agent[1:] != agent[:-1]))
        kind = self.kind[ids[starts]]
        sums, counts = self._sums(ids, starts)

        def lists(values: Any) -> Any:
            return _list(np.append(firsts, len(starts)), values)

        names = np.array(self.kinds, object)[kind]
        return pa.table(
            {
                "agent": pa.array(agent[firsts], pa.uint32()),
                "ver": pa.array(np.full(len(firsts), self.ver, np.uint64)),
                **{name: lists(pa.array(names[:, place], pa.string())) for place, name in enumerate(_KINDS)},
                "ts": lists(pa.array(self.ts[ids[starts]], pa.timestamp("ms", tz="UTC"))),
                "devices": lists(_list(np.append(starts, len(ids)), pa.array(ids, pa.uint32()))),
                "sums": lists(_matrix(sums)),
                "counts": lists(_matrix(counts)),
            }
        )

    def _groups(self, ids: Numbers) -> tuple[Numbers, Numbers]:
        """Where each group of equal agent, kind and time begins, and the devices in that order."""
        agent, kind, ts = self.agent[ids], self.kind[ids], self.ts[ids]
        is_same = (agent[1:] == agent[:-1]) & (kind[1:] == kind[:-1])
        if np.any(is_same & (ts[1:] < ts[:-1])):
            ids = ids[np.lexsort((ts, kind, agent))]
            return self._groups(ids)
        return np.flatnonzero(np.append(True, ~is_same | (ts[1:] != ts[:-1]))), ids

    def _sums(self, ids: Numbers, starts: Numbers) -> tuple[Numbers, Numbers]:
        values = np.empty((len(ids), len(SUMMED) + 1), np.float64)
        values[:, :USED_RATIO] = self.gauges[ids]
        told, memory = self.told_bytes[ids].astype(np.float64), self.memory_bytes[ids]
        # What the device tells goes before what its table says.
        total = np.where(np.isnan(told), memory, told)
        total[total == 0] = np.nan
        values[:, USED_RATIO] = values[:, _USED] / total
        is_there = ~np.isnan(values)
        values[~is_there] = 0
        counts = np.add.reduceat(is_there, starts, axis=0, dtype=np.uint32)
        return np.add.reduceat(values, starts, axis=0), counts

    def _make_room(self, ids: Numbers) -> None:
        more = int(ids.max(initial=0)) + 1 - len(self.agent)
        if more <= 0:
            return
        more += max(_GROW, len(self.agent) // 2)
        for name, absent in (("agent", 0), ("kind", 0), ("memory_bytes", 0), ("told_bytes", np.nan), ("ts", _NEVER),
                             ("versions", 0), ("gauges", np.nan)):  # fmt: skip
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.full((more, *old.shape[1:]), absent, old.dtype)]))


def _column(table: pa.Table, name: str, dtype: Any) -> Numbers:
    return np.asarray(table[name].to_numpy()).astype(dtype)


def _times(table: pa.Table) -> Numbers:
    return np.asarray(table["ts"].cast(pa.int64()).to_numpy())


def _gauge(table: pa.Table, name: str) -> Numbers:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan, np.float32)
    return np.asarray(table[name].cast(pa.float32()).to_numpy(zero_copy_only=False), np.float32)


def _list(offsets: Numbers, values: Any) -> Any:
    starts: Any = pa.array(offsets, pa.int32())
    return pa.ListArray.from_arrays(starts, values)


def _matrix(values: Numbers) -> Any:
    """A list for each row."""
    rows, columns = values.shape
    return _list(np.arange(rows + 1) * columns, pa.array(np.ascontiguousarray(values).reshape(-1)))


def fleet_from(query: Callable[[str], pa.Table]) -> LiveFleet:
    """The fleet as the tables have it."""
    ver = int(query(statement("queries", "fleet_version"))["ver"][0].as_py())
    fleet = LiveFleet(ver)
    fleet.register(query(statement("queries", "fleet_devices")))
    fleet.take(query(statement("queries", "fleet_newest", gauges=", ".join(SUMMED))))
    return fleet
