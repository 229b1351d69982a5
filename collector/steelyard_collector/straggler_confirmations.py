"""What the next profile windows of slow ranks say of their causes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement
from steelyard_collector.straggler_state import Group
from steelyard_collector.straggler_windows import quoted, windows_of
from steelyard_efficiency.straggler_windows import (
    LINK_NEAR_MS,
    NEAR_MS,
    NO_WINDOW,
    Confirmation,
    Window,
    confirmation,
    link_confirmation,
)

# A window's rows come so long after it: it is parsed on its node, and its cost known from the steps that follow.
_LATE_MS: Final = 600_000
# A job's windows are asked for so often: its nodes have one each ten minutes.
_EVERY_MS: Final = 240_000

Row = dict[str, Any]
# Job and device.
Place = tuple[str, int]
# Job, device, cause, kind, since when.
Key = tuple[str, int, str, str, int]


@dataclass(slots=True)
class _Case:
    """One slow rank.

    Attributes:
        told_ms: when it was told first.
        looked_ms: there is no window of the rank before this, and after it was told.
        own: its first window since.
        said: what the newest look said.
        is_settled: that can't change any more.
        due_ms: when to look again.
    """

    told_ms: int
    looked_ms: int
    own: Window | None = None
    said: Confirmation = NO_WINDOW
    is_settled: bool = False
    due_ms: int = 0

    @property
    def from_ms(self) -> int:
        """How far back windows are of use."""
        return max(self.told_ms - NEAR_MS, (self.own.ts_ms if self.own else self.looked_ms) - LINK_NEAR_MS)


@dataclass(slots=True)
class Confirmations:
    """Used by one thread; remembers how far it has looked, so that a look reads the windows of some hours at most."""

    store: Store
    _cases: dict[Key, _Case] = field(default_factory=dict)

    def of(self, rows: Sequence[Row], groups: Mapping[Place, Group], now_ms: int) -> list[Row]:
        """The rows of slow ranks, with what the next window of each says of its cause.

        Args:
            rows: of the table `straggler`, those of a job together, with `alone_ratio`: of what a rank is behind its
                peers, what would be gained by its replacement.
            groups: by job and device.
            now_ms: Unix time, which is when a new one is told.

        Raises:
            StoreError: the store can't be read.
        """
        self._take_over(rows, now_ms)
        return [
            row | _columns(row, said)
            for job, slow in groupby(rows, lambda row: str(row["job"]))
            for row, said in self._of_job(job, list(slow), groups, now_ms)
        ]

    def _take_over(self, rows: Sequence[Row], now_ms: int) -> None:
        """Forgets who is well again, and finds out when those were told that an earlier process may have told."""
        before = self._cases
        new = {row["job"] for row in rows if _key(row) not in before}
        told = _first_told(self.store, new) if new else {}
        self._cases = {}
        for row in rows:
            key = _key(row)
            told_ms = told.get(key, now_ms)
            self._cases[key] = before.get(key) or _Case(told_ms, told_ms)

    def _of_job(
        self, job: str, rows: Sequence[Row], groups: Mapping[Place, Group], now_ms: int
    ) -> list[tuple[Row, Confirmation]]:
        cases = [self._cases[_key(row)] for row in rows]
        unsettled = [case for case in cases if not case.is_settled]
        if any(now_ms >= case.due_ms for case in unsettled):
            peers = {device for row in rows for device in groups[job, row["device_id"]].devices}
            windows = windows_of(self.store, job, peers, min(case.from_ms for case in unsettled), now_ms + 1)
            for row, case in zip(rows, cases, strict=True):
                if not case.is_settled:
                    _look(row, case, groups[job, row["device_id"]], windows, now_ms)
        return [(row, case.said) for row, case in zip(rows, cases, strict=True)]


def _look(row: Row, case: _Case, group: Group, windows: Sequence[Window], now_ms: int) -> None:
    device = row["device_id"]
    case.own = case.own or next((one for one in windows if one.device == device and one.ts_ms >= case.told_ms), None)
    case.looked_ms, case.due_ms = max(case.looked_ms, now_ms - _LATE_MS), now_ms + _EVERY_MS
    peers = [one for one in windows if one.device in group.devices]
    if row["cause"] == "link":
        within_ms = LINK_NEAR_MS
        since = [one for one in peers if one.ts_ms >= case.told_ms]
        ranks = dict(zip(group.devices, group.ranks, strict=True))
        case.said = link_confirmation(case.own, since, ranks, group.tensor_parallel)
    else:
        within_ms = NEAR_MS
        case.said = confirmation(row["cause"], case.own, peers)
    case.is_settled = case.own is not None and now_ms > case.own.ts_ms + within_ms + _LATE_MS


def _columns(row: Row, said: Confirmation) -> Row:
    return {
        # A window knows how much of the step it is; the signal alone doesn't.
        "gain_ratio": said.lost * row["alone_ratio"] if said.is_confirmed else row["gain_ratio"],
        "confirmed": said.is_confirmed,
        "confirmed_absent": said.absent,
        "profile": said.profile,
        "profile_excess": said.excess,
    }


def _first_told(store: Store, jobs: Collection[str]) -> dict[Key, int]:
    rows = store.query(statement("queries", "straggler_told", jobs=", ".join(map(quoted, sorted(jobs))))).to_pylist()
    return {
        (row["job"], row["device_id"], row["cause"], row["kind"], int(row["since_ms"])): int(row["told_ms"])
        for row in rows
    }


def _key(row: Row) -> Key:
    since_ms = row["since"] if row["kind"] == "became slow" else 0
    return row["job"], row["device_id"], row["cause"], row["kind"], since_ms
