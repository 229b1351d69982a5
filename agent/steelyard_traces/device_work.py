"""Pieces of work of devices as columns, and what they add up to; the same for every vendor."""

from dataclasses import astuple, dataclass
from typing import Final

import numpy as np

from steelyard_traces.counts import Counts, counted
from steelyard_traces.grouping import grouped
from steelyard_traces.intervals import Intervals, Ints, covered_ns, first_come, sorted_intervals, union
from steelyard_traces.profile import DATA_WAIT, Layer, Part, Split, Work

_LAYERS: Final[tuple[Layer, ...]] = ("compute", "communication", "memory copy")
NO_STEP: Final = -1


@dataclass(frozen=True, slots=True)
class Kind:
    """What a piece of work is."""

    name: str
    class_name: str
    core: str
    layer: Layer


@dataclass(frozen=True, slots=True)
class DeviceWork:
    """Work as columns of equal length.

    Attributes:
        device: which device did it; any number.
        kind: an index into `kinds`.
        operator: an index into `operators`.
        step: an index into whatever the steps are; `NO_STEP` outside of all.
        counts: operations by operator; the first kernel of a call has them all, the others 0.
    """

    kinds: tuple[Kind, ...]
    operators: tuple[str, ...]
    start_ns: Ints
    end_ns: Ints
    device: Ints
    kind: Ints
    operator: Ints
    step: Ints
    counts: Counts | None = None

    def of_step(self, step: int) -> "DeviceWork":
        """The work of one step alone."""
        one = self.step == step
        columns = (self.start_ns, self.end_ns, self.device, self.kind, self.operator, self.step)
        return DeviceWork(self.kinds, self.operators, *(column[one] for column in columns))

    @property
    def layer(self) -> Ints:
        """For each piece an index: compute, communication, memory copy."""
        return np.array([_LAYERS.index(kind.layer) for kind in self.kinds], dtype=np.int64)[self.kind]


def split_of(work: DeviceWork) -> Split:
    """Where the time went, over the devices' common window."""
    parts = _shares_of(work)
    return Split(
        window_ns=parts.window_ns,
        compute_ns=parts.union_ns[0],
        communication_ns=parts.union_ns[1],
        overlapped_ns=parts.overlapped_ns,
        memory_copy_ns=parts.copy_ns,
        gaps=parts.gaps,
        longest_gap_ns=parts.longest_gap_ns,
    )


def parts_of(work: DeviceWork, waiting: Intervals) -> tuple[Part, ...]:
    """The window in parts that don't overlap; idle time within `waiting` (joined intervals) is a wait for data."""
    shares = _shares_of(work, waiting)
    sums: dict[tuple[Layer, str], int] = {}
    for kind, own_ns in enumerate(_sums(work.kind, shares.own_ns, len(work.kinds))):
        key = (work.kinds[kind].layer, work.kinds[kind].class_name)
        sums[key] = sums.get(key, 0) + int(own_ns)
    idle_ns = shares.window_ns - sum(sums.values())
    sums["idle", DATA_WAIT] = shares.waiting_ns
    sums["idle", "idle"] = idle_ns - shares.waiting_ns
    rows = [Part(layer_name, name, ns) for (layer_name, name), ns in sums.items() if ns]
    return tuple(sorted(rows, key=lambda part: (-part.duration_ns, part.name)))


def works_by_kind(work: DeviceWork, counts: Counts | None = None) -> tuple[Work, ...]:
    """Sums by kernel or type; with operations where each piece of work has its own."""
    return _works(work, work.kind, [(kind.name, kind.class_name, kind.core) for kind in work.kinds], counts)


def works_by_operator(work: DeviceWork) -> tuple[Work, ...]:
    """Sums by the operator that launched it and the core; the class is that of what took most of its time."""
    cores, core = _cores(work)
    pairs, index = np.unique(work.operator * len(cores) + core, return_inverse=True)
    most: dict[int, tuple[int, int]] = {}
    for group in grouped(index * max(len(work.kinds), 1) + work.kind, work.end_ns - work.start_ns):
        of, kind = divmod(group.index, len(work.kinds))
        most[of] = max(most.get(of, (-1, 0)), (group.total_ns, kind))
    names: list[tuple[str, str, str]] = []
    for of, pair in enumerate(pairs.tolist()):
        operator, core_index = divmod(pair, len(cores))
        names.append((work.operators[operator], work.kinds[most[of][1]].class_name, cores[core_index]))
    return _works(work, index, names, work.counts)


def works_by_core(work: DeviceWork) -> tuple[Work, ...]:
    """Sums by what it ran on."""
    cores, core = _cores(work)
    return _works(work, core, [(name, "", name) for name in cores])


def _cores(work: DeviceWork) -> tuple[list[str], Ints]:
    cores = sorted({kind.core for kind in work.kinds})
    return cores, np.array([cores.index(kind.core) for kind in work.kinds], dtype=np.int64)[work.kind]


@dataclass(slots=True)
class _Shares:
    """What is found device by device and added up."""

    own_ns: Ints
    union_ns: list[int]
    window_ns: int = 0
    overlapped_ns: int = 0
    copy_ns: int = 0
    waiting_ns: int = 0
    gaps: int = 0
    longest_gap_ns: int = 0

    def add_gaps(self, busy: Intervals, window: tuple[int, int]) -> None:
        """Counts the pieces of the window that joined intervals leave free."""
        lengths = np.append(busy.start_ns, window[1]) - np.append(window[0], busy.end_ns)
        self.gaps += int((lengths > 0).sum())
        self.longest_gap_ns = max(self.longest_gap_ns, int(lengths.max()))


def _shares_of(work: DeviceWork, waiting: Intervals | None = None) -> _Shares:
    shares = _Shares(np.zeros(len(work.start_ns), dtype=np.int64), [0, 0, 0])
    if not len(work.start_ns):
        return shares
    layer = work.layer
    window = (int(work.start_ns.min()), int(work.end_ns.max()))
    for device in np.unique(work.device):
        shares.window_ns += window[1] - window[0]
        taken = Intervals(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        for index in range(len(_LAYERS)):
            members = np.flatnonzero((work.device == device) & (layer == index))
            ordered, order = sorted_intervals(work.start_ns[members], work.end_ns[members])
            rest = first_come(ordered)
            hidden = covered_ns(taken, rest)
            lengths = rest.end_ns - rest.start_ns
            shares.own_ns[members[order]] = lengths - hidden
            shares.union_ns[index] += int(lengths.sum())
            if index == 1:
                shares.overlapped_ns += int(hidden.sum())
            if index == 2:
                shares.copy_ns += int((lengths - hidden).sum())
            taken = _joined(taken, ordered)
        shares.add_gaps(taken, window)
        if waiting is not None:
            shares.waiting_ns += _uncovered_ns(waiting, taken, window)
    return shares


def _joined(one: Intervals, other: Intervals) -> Intervals:
    both, _ = sorted_intervals(
        np.concatenate((one.start_ns, other.start_ns)), np.concatenate((one.end_ns, other.end_ns))
    )
    return union(both)


def _uncovered_ns(waiting: Intervals, busy: Intervals, window: tuple[int, int]) -> int:
    """How long `waiting` lasted within the window while nothing was busy."""
    start = np.clip(waiting.start_ns, *window)
    clipped = Intervals(start, np.clip(waiting.end_ns, *window))
    return clipped.total_ns - int(covered_ns(busy, clipped).sum())


def _sums(index: Ints, values: Ints, count: int) -> Ints:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, index, values)
    return sums


def _works(
    work: DeviceWork, index: Ints, names: list[tuple[str, str, str]], counts: Counts | None = None
) -> tuple[Work, ...]:
    told = counted(counts, index, len(names))
    rows = [
        Work(*names[one.index], one.count, one.total_ns, one.min_ns, one.max_ns, *astuple(told[one.index]))
        for one in grouped(index, work.end_ns - work.start_ns)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.total_ns, row.name)))
