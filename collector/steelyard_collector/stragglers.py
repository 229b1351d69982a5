"""Finds each job's slow ranks and why: from minutes of signals that are always on, and from profile windows.

In lockstep all step times are equal. A rank that is slow by its clock shows a lower clock than its peers; one that is
slow by its host stands idle more. A slow link shows in collectives alone, which are long for the whole group, so it
takes windows of all ranks of several groups; it is looked for each half-hour. What was learnt is kept in the store from
time to time; a new process goes on from there with the minutes since. The next window of a slow rank confirms its cause
or doesn't.
"""

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_collector.store.base import Store
from steelyard_collector.store.dirty import MINUTE_MS
from steelyard_collector.store.statements import statement
from steelyard_collector.straggler_confirmations import Confirmations
from steelyard_collector.straggler_state import (
    CAUSES,
    PACES,
    Group,
    GroupKey,
    Signal,
    Values,
    keep,
    load,
)
from steelyard_collector.straggler_windows import windows_of
from steelyard_efficiency.straggler_windows import LEAST_PEERS, Cause, has_groups, link_signal
from steelyard_efficiency.stragglers import (
    HALF_HOURS,
    MINUTES,
    excess_over_peers,
    gain_of_replacing,
    known_median,
    slowest_by_nature,
)

# Columns of straggler_minutes.sql.
_ALWAYS_ON: Final[tuple[Cause, ...]] = ("clock", "host")
# How far back a job is looked at that wasn't seen before, and a job that wasn't looked at for as long.
_HISTORY_MINUTES: Final = 8 * 60
# Links are looked at so often, by each rank's newest window of so long; some minutes late: traces are parsed first.
_LINK_EVERY_MINUTES: Final = 30
_LINK_REACH_MS: Final = 7_200_000
_LINK_LATE_MINUTES: Final = 10
# A query of minutes is of so many devices, and values, at most.
_MOST_DEVICES: Final = 8192
_MOST_VALUES: Final = 500_000
# Some seconds of CPU: the rollups wait meanwhile.
_MOST_GROUP_MINUTES: Final = 20_000
# A minute is rolled up so long after its end.
_SETTLED_MS: Final = 45_000
# What was learnt is written so often; the minutes since are in the rollups.
_KEEP_EVERY_MS: Final = 900_000


class StragglerWatch:
    """Used by one thread, after the rollups have run."""

    def __init__(self, store: Store) -> None:
        """Args: the store, with its rollups."""
        self._store = store
        self._groups: dict[GroupKey, Group] = {}
        self._kept_ms = 0
        self._confirmations = Confirmations(store)

    def run_once(self, now_ms: int, late: Collection[int] = ()) -> int:
        """Takes the minutes since the last call, and writes who is slow now.

        Args:
            now_ms: Unix time.
            late: devices of which minutes before the last call came since; a group that knows little yet begins anew.

        Returns:
            How many ranks are.

        Raises:
            StoreError: the store can't be read or written; the call may be repeated.
        """
        settled = (now_ms - _SETTLED_MS) // MINUTE_MS
        anew = {key for key, group in self._groups.items() if _misses(group, late)}
        self._groups = dict(self._present(now_ms, settled, anew))
        self._follow(settled)
        watched = sum(len(group.devices) for group in self._groups.values())
        slow = [row for group in self._groups.values() for row in _slow(group, watched)]
        groups = {(group.job, device): group for group in self._groups.values() for device in group.devices}
        found = [row | {"ver": now_ms} for row in self._confirmations.of(slow, groups, now_ms)]
        if found:
            self._store.insert("straggler", _table(found), token=f"straggler-{now_ms}")
        if self._groups and not 0 <= now_ms - self._kept_ms < _KEEP_EVERY_MS:
            keep(self._store, self._groups, now_ms)
            self._kept_ms = now_ms
        return len(found)

    def _present(self, now_ms: int, settled: int, anew: Collection[GroupKey]) -> Iterator[tuple[GroupKey, Group]]:
        rows = self._store.query(statement("queries", "straggler_ranks", now_s=now_ms // 1000)).to_pylist()
        # A rank whose stage isn't known has no known peers.
        placed = [row for row in rows if row["stage"] is not None]
        held = {
            key: members
            for key, group in groupby(placed, lambda row: (row["job"], row["vendor"], row["chip"], row["stage"]))
            if len(members := list(group)) >= LEAST_PEERS
        }
        kept = self._kept(held)
        for key, members in held.items():
            devices = _devices(members)
            known = self._groups.get(key) or kept.get(key)
            if known is not None and known.devices == devices and key not in anew:
                known.place(members)
                yield key, known
                continue
            # Other ranks are other peers: what was learnt of the former ones doesn't count.
            first = max(settled - _HISTORY_MINUTES, min(int(row["since_s"]) for row in members) // 60)
            signals = {cause: Signal.start(len(devices), pace) for cause, pace in PACES.items()}
            group = Group(key[0], devices, (None,) * len(devices), first, signals)
            group.place(members)
            yield key, group

    def _kept(self, held: Mapping[GroupKey, Sequence[Mapping[str, Any]]]) -> dict[GroupKey, Group]:
        """What an earlier process learnt of the groups that this one doesn't know, where their ranks are the same."""
        kept = load(self._store, {key for key in held if key not in self._groups})
        same = {key: group for key, group in kept.items() if group.devices == _devices(held[key])}
        for key, group in same.items():
            group.place(held[key])
        return {key: self._with_window(group) for key, group in same.items()}

    def _with_window(self, group: Group) -> Group:
        """The values just before those that are to come; they tell how slow a rank is."""
        end = group.next_minute
        for _, matrices in self._minutes([group], end - 2 * MINUTES.half, end):
            for cause, matrix in matrices.items():
                group.signals[cause] = _with_newest(group.signals[cause], matrix)
        looks = self._looks_at_links(group, end - 2 * HALF_HOURS.half * _LINK_EVERY_MINUTES, end)
        matrix = np.array([values for _, values, _ in looks]).reshape(-1, len(group.devices))
        group.signals["link"] = _with_newest(group.signals["link"], matrix)
        return group

    def _follow(self, settled: int) -> None:
        """Takes the minutes since; of groups that are far behind, as of a fleet that is new, some at each call."""
        behind = [(max(group.next_minute, settled - _HISTORY_MINUTES), key) for key, group in self._groups.items()]
        left = _MOST_GROUP_MINUTES
        for first, entries in groupby(sorted(behind, reverse=True), lambda entry: entry[0]):
            if first >= settled or left <= 0:
                continue
            keys = [key for _, key in entries][: -(-left // (settled - first))]
            left -= len(keys) * (settled - first)
            for group, matrices in self._minutes([self._groups[key] for key in keys], first, settled):
                for cause, matrix in matrices.items():
                    for place, values in enumerate(matrix):
                        group.signals[cause] = group.signals[cause].after(first + place, values)
                for minute, values, absent in self._looks_at_links(group, first, settled):
                    group.signals["link"] = replace(group.signals["link"].after(minute, values), absent=absent)
                group.next_minute = settled

    def _looks_at_links(self, group: Group, first: int, end: int) -> Iterator[tuple[int, Values, str]]:
        """Each look due in these minutes: when its windows end, the link's values, and why there are none."""
        # Each job has a minute of its own: else one pass in thirty reads the windows of them all.
        turn = zlib.crc32(group.job.encode()) % _LINK_EVERY_MINUTES
        due = [minute - _LINK_LATE_MINUTES for minute in range(first, end) if minute % _LINK_EVERY_MINUTES == turn]
        if not due:
            return
        ranks = dict(zip(group.devices, group.ranks, strict=True))
        windows = (
            windows_of(self._store, group.job, group.devices, due[0] * MINUTE_MS - _LINK_REACH_MS, due[-1] * MINUTE_MS)
            if has_groups(group.tensor_parallel)
            else []
        )
        for minute in due:
            to_ms = minute * MINUTE_MS
            newest = {one.device: one for one in windows if to_ms - _LINK_REACH_MS <= one.ts_ms < to_ms}
            told, absent = link_signal(newest, ranks, group.tensor_parallel)
            yield minute, np.array([told.get(device, np.nan) for device in group.devices]), absent

    def _minutes(self, groups: Sequence[Group], first: int, end: int) -> Iterator[tuple[Group, dict[Cause, Values]]]:
        """Each group's signals that are always on, [minute][rank], from a query for as many groups as fit."""
        for some in _chunks(groups, min(_MOST_DEVICES, _MOST_VALUES // (end - first))):
            devices = np.unique([device for group in some for device in group.devices])
            listed = ", ".join(map(str, devices.tolist()))
            sql = statement("queries", "straggler_minutes", devices=listed, from_s=first * 60, to_s=end * 60)
            matrices = _matrices(self._store.query(sql), devices, first, end)
            for group in some:
                places = np.searchsorted(devices, group.devices)
                yield group, {cause: matrix[:, places] for cause, matrix in matrices.items()}


def _chunks(groups: Iterable[Group], most: int) -> Iterator[list[Group]]:
    """Groups in their order, of so many devices together, or one."""
    some: list[Group] = []
    for group in groups:
        if some and sum(len(one.devices) for one in some) + len(group.devices) > most:
            yield some
            some = []
        some.append(group)
    if some:
        yield some


def _devices(members: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    return tuple(int(row["device_id"]) for row in members)


def _with_newest(signal: Signal, matrix: Values) -> Signal:
    return replace(signal, window=matrix[np.isfinite(matrix).any(axis=1)])


def _misses(group: Group, late: Collection[int]) -> bool:
    """Whether a backlog tells more of a group than is known: one that knows an hour keeps what it has learnt."""
    is_young = not any(signal.is_full for signal in group.signals.values())
    return is_young and any(device in late for device in group.devices)


def _matrices(told: pa.Table, devices: npt.NDArray[np.int64], first: int, end: int) -> dict[Cause, Values]:
    minutes = told["minute"].to_numpy() - first
    places = np.searchsorted(devices, told["device_id"].to_numpy())
    matrices: dict[Cause, Values] = {}
    for cause in _ALWAYS_ON:
        matrices[cause] = np.full((end - first, len(devices)), np.nan)
        # What is absent becomes NaN.
        matrices[cause][minutes, places] = told[cause].to_numpy()
    return matrices


@dataclass(frozen=True, slots=True)
class _Finding:
    place: int
    cause: Cause
    kind: Literal["became slow", "slowest by nature"]
    since: int
    slow_ratio: float
    gain_ratio: float
    alone_ratio: float


def _slow(group: Group, watched: int) -> Iterator[dict[str, Any]]:
    found: dict[int, _Finding] = {}
    for cause, signal in group.signals.items():
        for finding in _findings(cause, signal, group.next_minute, watched):
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
            "alone_ratio": finding.alone_ratio,
            "ranks": len(group.devices),
        }


def _is_earlier(finding: _Finding, other: _Finding) -> bool:
    return finding.kind == other.kind and finding.since < other.since


def _findings(cause: Cause, signal: Signal, next_minute: int, watched: int) -> Iterator[_Finding]:
    half = signal.detector.pace.half
    newest = signal.window[-half:]
    # What is absent by now is no word about now.
    if not len(newest) or (cause == "link" and signal.absent):
        return
    present = np.isfinite(newest).any(axis=0)
    own = known_median(newest, 0)
    excess, alarms = excess_over_peers(own), signal.detector.alarms(watched * len(CAUSES))
    baseline = signal.detector.baseline_sum / np.maximum(1, signal.detector.baseline_minutes)
    # A rank that gave nothing for half an hour has no place in the half-hours' medians.
    steady = np.isfinite(signal.window[:half]).any(axis=0) & present
    by_nature = np.zeros(len(own), bool)
    if steady.any():
        by_nature[steady] = slowest_by_nature(signal.window[:, steady], half)
    gain, alone = _gain(cause, own)
    most = float(np.nanmax(own)) if present.any() else np.nan
    for place in np.flatnonzero(alarms | by_nature):
        finding = _Finding(
            place=int(place),
            cause=cause,
            kind="slowest by nature",
            since=next_minute - len(signal.window) * (_LINK_EVERY_MINUTES if cause == "link" else 1),
            slow_ratio=float(excess[place]),
            gain_ratio=gain if abs(own[place] - most) < 1e-9 else 0.0,
            alone_ratio=alone if abs(own[place] - most) < 1e-9 else 0.0,
        )
        if alarms[place]:
            since, slower = int(signal.rising_since[place]), float(excess[place] - baseline[place])
            finding = replace(finding, kind="became slow", since=since, slow_ratio=slower)
        yield finding


def _gain(cause: Cause, own: Values) -> tuple[float, float]:
    """What it would gain if the slowest were like the second: of the step, and of what it is behind its peers."""
    known = own[np.isfinite(own)]
    # All of a slow link's group have its value, a share of the step; the second slowest is another group.
    ordered = np.unique(known.round(9)) if cause == "link" else np.sort(known)
    if ordered.size < 2:
        return 0.0, 0.0
    ahead, behind = float(ordered[-1] - ordered[-2]), float(ordered[-1] - np.median(known))
    return ahead if cause == "link" else gain_of_replacing(ordered), ahead / behind if behind > 0 else 0.0


_TYPES: Final[dict[str, Any]] = {
    "job": pa.string(), "device_id": pa.uint32(), "rank": pa.int32(), "cause": pa.string(), "kind": pa.string(),
    "since": pa.timestamp("ms", tz="UTC"), "slow_ratio": pa.float64(), "gain_ratio": pa.float64(),
    "ranks": pa.uint32(), "confirmed": pa.bool_(), "confirmed_absent": pa.string(), "profile": pa.string(),
    "profile_excess": pa.float64(), "ver": pa.uint64(),
}  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, pa.schema(list(_TYPES.items())))
