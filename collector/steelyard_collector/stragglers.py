"""Finds each job's slow ranks and why, from minutes of signals that are always on.

In lockstep all step times are equal. A rank that is slow by its clock shows a lower clock than its peers; one that is
slow by its host stands idle more. What a look found before is kept in memory only: a new process reads the last hours
of the rollups again, which gives the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_collector.store.base import Store
from steelyard_collector.store.dirty import MINUTE_MS
from steelyard_collector.store.statements import statement
from steelyard_efficiency.stragglers import Detector, excess_over_peers, gain_of_replacing, slowest_by_nature

Cause = Literal["clock", "host"]
_CAUSES: Final[tuple[Cause, ...]] = ("clock", "host")
# Fewer ranks have no median worth the name.
_MIN_PEERS: Final = 4
# How far back a job is looked at that wasn't seen before.
_HISTORY_MINUTES: Final = 8 * 60
# The newest minutes, which tell how slow a rank is, and who is slow by nature.
_WINDOW_MINUTES: Final = 60
_NEWEST_MINUTES: Final = 30
# A minute is rolled up so long after its end.
_SETTLED_MS: Final = 45_000

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Signal:
    """What is known of one signal of a group: the detector, since when each score rises, and the newest minutes."""

    detector: Detector
    rising_since: npt.NDArray[np.int64]
    window: Values

    @classmethod
    def start(cls, ranks: int) -> "_Signal":
        return cls(Detector.start(ranks), np.zeros(ranks, np.int64), np.zeros((0, ranks)))

    def after(self, minute: int, values: Values) -> "_Signal":
        if not np.isfinite(values).any():
            return self
        detector = self.detector.after(values)
        rising = np.where((self.detector.score <= 0) & (detector.score > 0), minute, self.rising_since)
        return _Signal(detector, rising, np.vstack([self.window, values])[-_WINDOW_MINUTES:])


@dataclass(slots=True)
class _Group:
    """Ranks of one job on one kind of chip."""

    job: str
    devices: tuple[int, ...]
    ranks: tuple[int | None, ...]
    next_minute: int
    signals: dict[Cause, _Signal] = field(default_factory=dict)


class StragglerWatch:
    """Used by one thread, after the rollups have run."""

    def __init__(self, store: Store) -> None:
        """Args: the store, with its rollups."""
        self._store = store
        self._groups: dict[tuple[str, str, str], _Group] = {}

    def run_once(self, now_ms: int) -> int:
        """Takes the minutes since the last call, and writes who is slow now.

        Returns:
            How many ranks are.

        Raises:
            StoreError: the store can't be read or written; the call may be repeated.
        """
        settled = (now_ms - _SETTLED_MS) // MINUTE_MS
        self._groups = dict(self._present(now_ms, settled))
        for group in self._groups.values():
            self._follow(group, settled)
        found = [row | {"ver": now_ms} for group in self._groups.values() for row in _slow(group)]
        if found:
            self._store.insert("straggler", _table(found), token=f"straggler-{now_ms}")
        return len(found)

    def _present(self, now_ms: int, settled: int) -> Iterator[tuple[tuple[str, str, str], _Group]]:
        rows = self._store.query(statement("queries", "straggler_ranks", now_s=now_ms // 1000)).to_pylist()
        for key, members in groupby(rows, lambda row: (row["job"], row["vendor"], row["chip"])):
            held = list(members)
            if len(held) < _MIN_PEERS:
                continue
            devices = tuple(int(row["device_id"]) for row in held)
            known = self._groups.get(key)
            if known is not None and known.devices == devices:
                yield key, known
                continue
            # Other ranks are other peers: what was learnt of the former ones doesn't count.
            first = max(settled - _HISTORY_MINUTES, min(int(row["since_s"]) for row in held) // 60)
            signals = {cause: _Signal.start(len(devices)) for cause in _CAUSES}
            yield key, _Group(key[0], devices, tuple(row["rank"] for row in held), first, signals)

    def _follow(self, group: _Group, settled: int) -> None:
        if group.next_minute >= settled:
            return
        sql = statement(
            "queries",
            "straggler_minutes",
            devices=", ".join(map(str, group.devices)),
            from_s=group.next_minute * 60,
            to_s=settled * 60,
        )
        matrices = _matrices(self._store.query(sql).to_pylist(), group.devices, group.next_minute, settled)
        for cause, matrix in matrices.items():
            for place, values in enumerate(matrix):
                group.signals[cause] = group.signals[cause].after(group.next_minute + place, values)
        group.next_minute = settled


def _matrices(rows: Sequence[dict[str, Any]], devices: Sequence[int], first: int, end: int) -> dict[Cause, Values]:
    places = {device: place for place, device in enumerate(devices)}
    matrices: dict[Cause, Values] = {cause: np.full((end - first, len(devices)), np.nan) for cause in _CAUSES}
    for row in rows:
        for cause in _CAUSES:
            if row[cause] is not None:
                matrices[cause][int(row["minute"]) - first, places[row["device_id"]]] = row[cause]
    return matrices


@dataclass(frozen=True, slots=True)
class _Finding:
    place: int
    cause: Cause
    kind: Literal["became slow", "slowest by nature"]
    since: int
    slow_ratio: float
    gain_ratio: float


def _slow(group: _Group) -> Iterator[dict[str, Any]]:
    found: dict[int, _Finding] = {}
    for cause, signal in group.signals.items():
        for finding in _findings(cause, signal, group.next_minute):
            before = found.get(finding.place)
            # The cause is the signal that rose first; a change says more than nature.
            if before is None or (before.kind != finding.kind == "became slow") or _is_earlier(finding, before):
                found[finding.place] = finding
    for place, finding in found.items():
        yield {
            "job": group.job,
            "device_id": group.devices[place],
            "rank": group.ranks[place],
            "cause": finding.cause,
            "kind": finding.kind,
            "since": finding.since * MINUTE_MS,
            "slow_ratio": finding.slow_ratio,
            "gain_ratio": finding.gain_ratio,
            "ranks": len(group.devices),
        }


def _is_earlier(finding: _Finding, other: _Finding) -> bool:
    return finding.kind == other.kind and finding.since < other.since


def _findings(cause: Cause, signal: _Signal, next_minute: int) -> Iterator[_Finding]:
    newest = signal.window[-_NEWEST_MINUTES:]
    if not len(newest):
        return
    present = np.isfinite(newest).any(axis=0)
    own = np.where(present, np.nanmedian(np.where(present, newest, 1.0), axis=0), np.nan)
    excess, alarms = excess_over_peers(own), signal.detector.alarms
    baseline = signal.detector.baseline_sum / np.maximum(1, signal.detector.baseline_minutes)
    # A rank that gave nothing for half an hour has no place in the half-hours' medians.
    steady = np.isfinite(signal.window[:_NEWEST_MINUTES]).any(axis=0) & present
    by_nature = np.zeros(len(own), bool)
    by_nature[steady] = slowest_by_nature(signal.window[:, steady])
    gain, slowest = gain_of_replacing(own), int(np.nanargmax(own)) if present.any() else -1
    for place in np.flatnonzero(alarms | by_nature):
        finding = _Finding(
            place=int(place),
            cause=cause,
            kind="slowest by nature",
            since=next_minute - len(signal.window),
            slow_ratio=float(excess[place]),
            gain_ratio=gain if place == slowest else 0.0,
        )
        if alarms[place]:
            since, slower = int(signal.rising_since[place]), float(excess[place] - baseline[place])
            finding = replace(finding, kind="became slow", since=since, slow_ratio=slower)
        yield finding


_TYPES: Final[dict[str, Any]] = {
    "job": pa.string(), "device_id": pa.uint32(), "rank": pa.int32(), "cause": pa.string(), "kind": pa.string(),
    "since": pa.timestamp("ms", tz="UTC"), "slow_ratio": pa.float64(), "gain_ratio": pa.float64(),
    "ranks": pa.uint32(), "ver": pa.uint64(),
}  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, pa.schema(list(_TYPES.items())))
