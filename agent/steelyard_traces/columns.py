"""The events of a trace that have a length, as columns: some 30 bytes an event, whatever its arguments."""

from array import array
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from steelyard_traces.counts import NO_SIGNATURE
from steelyard_traces.decimal_time import FLOAT_EXACT_BELOW_US, nanoseconds, nanoseconds_of_floats
from steelyard_traces.intervals import Ints
from steelyard_traces.json_events import NOTHING, Block, Event
from steelyard_traces.operator_flops import COUNTED

NO_CORRELATION: Final = -1
_ALIASES: Final = {"operator": "cpu_op", "runtime": "cuda_runtime", "memcpy": "gpu_memcpy", "memset": "gpu_memset"}


class _Numbers(dict[tuple[Any, ...], int]):
    """A number for each thing, given when it is first asked for."""

    def __missing__(self, thing: tuple[Any, ...]) -> int:
        number = self[thing] = len(self)
        return number


@dataclass(frozen=True, slots=True)
class Label:
    """What an event is: its category in lower case, its name and, for a collective, what it does."""

    category: str
    name: str
    collective: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Events with a length, in the order of the file.

    Attributes:
        label: an index into `labels`.
        thread: an index into `threads`, which are pairs of pid and tid.
        correlation: what a launch and what it launched have in common; `NO_CORRELATION` where there is nothing.
        signed: the events that are calls of counted operators and tell their inputs; few are.
        signature: of each of these an index into `signatures`, which are shapes and types as they are written.
        skipped: events that could not be used: no time, no length or a negative one.
    """

    labels: tuple[Label, ...]
    threads: tuple[tuple[str, str], ...]
    label: Ints
    thread: Ints
    start_ns: Ints
    duration_ns: Ints
    correlation: Ints
    skipped: int
    signed: Ints
    signature: Ints
    signatures: tuple[tuple[bytes, bytes], ...]

    def signature_of(self, events: Ints) -> Ints:
        """The inputs of events, as indices into `signatures`; `NO_SIGNATURE` where they aren't kept."""
        if not len(self.signed):
            return np.full(len(events), NO_SIGNATURE, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.signed, events), len(self.signed) - 1)
        return np.where(self.signed[at] == events, self.signature[at], NO_SIGNATURE)

    @property
    def thread_pid(self) -> Ints:
        """For each thread a number that is the same for all threads of one pid: the pid itself where it is one."""
        pids = [pid for pid, _ in self.threads]
        others = sorted({pid for pid in pids if not pid.isdecimal() or len(pid) > 18})
        return np.array([-1 - others.index(pid) if pid in others else int(pid) for pid in pids], dtype=np.int64)


class ColumnBuilder:
    """Takes blocks of events and gives their columns."""

    def __init__(self) -> None:
        self._labels = _Numbers()
        self._threads = _Numbers()
        self._signatures = _Numbers()
        self._counted: list[bool] = []
        self._signed = array("q")
        self._signature = array("i")
        self._taken = 0
        self._parts: dict[str, list[NDArray[Any]]] = {
            "label": [], "thread": [], "start_ns": [], "duration_ns": [], "correlation": []
        }  # fmt: skip
        self._skipped = 0

    def add(self, block: Block) -> None:
        """Takes the events of a block that have a length."""
        self._skipped += block.skipped
        events = [event for event in block.events if event.ph == "X"]
        if not events:
            return
        start_ns, duration_ns, is_good = _times(block, events)
        labels, threads = self._labels, self._threads
        named = [labels[e.cat, e.name, e.args and e.args.collective] for e in events]
        label = np.array(named, dtype=np.int32)
        thread = np.array([threads[e.pid, e.tid] for e in events], dtype=np.int32)
        correlation = np.full(len(events), NO_CORRELATION, dtype=np.int64)
        told = [(index, a.correlation) for index, e in enumerate(events) if (a := e.args) is not None and a.correlation]
        for index, value in told:
            correlation[index] = _correlation(value)
        columns: tuple[NDArray[Any], ...] = (label, thread, start_ns, duration_ns, correlation)
        self._sign(events, label, is_good)
        for part, column in zip(self._parts.values(), columns, strict=True):
            part.append(column if is_good is None else column[is_good])
        if is_good is not None:
            self._skipped += int((~is_good).sum())

    def _sign(self, events: list[Event], label: NDArray[np.int32], is_good: NDArray[np.bool_] | None) -> None:
        """Keeps the inputs of operators that are counted, as they are written."""
        place = np.arange(len(events)) if is_good is None else np.where(is_good, np.cumsum(is_good) - 1, -1)
        self._counted += [thing[1] in COUNTED for thing in islice(self._labels, len(self._counted), None)]
        for index in np.flatnonzero(np.array(self._counted)[label]).tolist():
            told = events[index].args
            if told is not None and told.dims is not NOTHING and place[index] >= 0:
                self._signed.append(self._taken + int(place[index]))
                self._signature.append(self._signatures[bytes(told.dims), bytes(told.types)])
        self._taken += int(place.max()) + 1

    def columns(self) -> Columns:
        """All that was taken; call it once, it lets go of the parts."""
        joined = {name: _join(parts) for name, parts in self._parts.items()}
        labels: dict[Label, int] = {}
        same = np.array([labels.setdefault(_label(*thing), len(labels)) for thing in self._labels], dtype=np.int32)
        if len(same) > len(labels):
            joined["label"] = same[joined["label"]]
        threads = tuple((str(pid), str(tid)) for pid, tid in self._threads)
        return Columns(
            labels=tuple(labels),
            threads=threads,
            signatures=tuple(self._signatures),
            signed=np.array(self._signed, dtype=np.int64),
            signature=np.array(self._signature, dtype=np.int64),
            skipped=self._skipped,
            **joined,
        )


def _join(parts: list[NDArray[Any]]) -> NDArray[Any]:
    whole = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    parts.clear()
    return whole


def _label(category: object, name: object, collective: object) -> Label:
    lower = str(category or "").lower()
    known = _ALIASES.get(lower, lower)
    # The calls that lead to a collective say what it does too; they are told by their names.
    does = str(collective or "") if known == "kernel" else ""
    return Label(known, str(name if name is not None else ""), does)


def _correlation(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return NO_CORRELATION
    return number if 0 < number < 2**62 else NO_CORRELATION


def _times(block: Block, events: list[Event]) -> tuple[Ints, Ints, NDArray[np.bool_] | None]:
    """Starts and lengths in nanoseconds, and which events have both; None where all do."""
    try:
        start_us = np.array([event.ts for event in events], dtype=np.float64)
        duration_us = np.array([event.dur for event in events], dtype=np.float64)
    except ValueError:
        return _times_by_digits(block)
    # A comparison with NaN is False, so what is absent goes the exact way too.
    if not (np.abs(start_us).max() < FLOAT_EXACT_BELOW_US and np.abs(duration_us).max() < FLOAT_EXACT_BELOW_US):
        return _times_by_digits(block)
    duration_ns = nanoseconds_of_floats(duration_us)
    is_good = None if int(duration_ns.min()) >= 0 else duration_ns >= 0
    return nanoseconds_of_floats(start_us), duration_ns, is_good


def _times_by_digits(block: Block) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    pairs = [(nanoseconds(ts), nanoseconds(dur)) for ts, dur in block.digits()]
    good = np.array([ts is not None and dur is not None and dur >= 0 for ts, dur in pairs], dtype=np.bool_)
    start_ns = np.array([ts or 0 for ts, _ in pairs], dtype=np.int64)
    duration_ns = np.array([dur or 0 for _, dur in pairs], dtype=np.int64)
    return start_ns, duration_ns, good
