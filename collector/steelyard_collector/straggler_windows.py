"""Profile windows as the search for slow ranks asks for them: for the link's signal, and to confirm a cause."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement
from steelyard_efficiency.straggler_windows import NEAR_MS, Confirmation, Window, confirmation

# A window's rows come so long after it: it is parsed on its node, and its cost known from the steps that follow.
_LATE_MS: Final = 600_000

Row = dict[str, Any]
# Job, device, cause, kind, since when.
Key = tuple[str, int, str, str, int]


def windows_of(store: Store, job: str, devices: Sequence[int], from_ms: int, to_ms: int) -> list[Window]:
    """The windows of these devices in a job, oldest first.

    Raises:
        StoreError: the store can't be read.
    """
    sql = statement(
        "queries",
        "straggler_windows",
        job=quoted(job),
        devices=", ".join(map(str, devices)),
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return [
        Window(
            device=int(row["device_id"]),
            ts_ms=int(row["ts_ms"]),
            profile=row["profile"],
            profiler=row["profiler"],
            compute=row["compute"],
            idle=row["idle"],
            collectives=dict(zip(row["kinds"], row["shares"], strict=True)),
        )
        for row in store.query(sql).to_pylist()
    ]


class Confirmations:
    """Used by one thread; keeps those that can't change any more."""

    def __init__(self, store: Store) -> None:
        """Args: the store, with its profiles."""
        self._store = store
        self._settled: dict[Key, Confirmation] = {}

    def of(self, rows: Sequence[Row], peers: Mapping[int, Sequence[int]], now_ms: int) -> list[Row]:
        """The rows of slow ranks, with what the next window of each says of its cause.

        Args:
            rows: of the table `straggler`.
            peers: by device, all devices of its group.
            now_ms: Unix time, which is when a new one is told.

        Raises:
            StoreError: the store can't be read.
        """
        told = _first_told(self._store, {row["job"] for row in rows}) if rows else {}
        keys = {_key(row) for row in rows}
        self._settled = {key: said for key, said in self._settled.items() if key in keys}
        return [row | self._columns(row, told.get(_key(row), now_ms), peers[row["device_id"]], now_ms) for row in rows]

    def _columns(self, row: Row, told_ms: int, peers: Sequence[int], now_ms: int) -> Row:
        said = self._settled.get(_key(row)) or self._asked(row, told_ms, peers, now_ms)
        return {
            "confirmed": said.is_confirmed,
            "confirmed_absent": said.absent,
            "profile": said.profile,
            "profile_excess": said.excess,
        }

    def _asked(self, row: Row, told_ms: int, peers: Sequence[int], now_ms: int) -> Confirmation:
        after = windows_of(self._store, row["job"], [row["device_id"]], told_ms, now_ms + 1)
        if not after:
            return confirmation(row["cause"], None, ())
        own = after[0]
        near = windows_of(self._store, row["job"], peers, own.ts_ms - NEAR_MS, own.ts_ms + NEAR_MS + 1)
        said = confirmation(row["cause"], own, near)
        if now_ms > own.ts_ms + NEAR_MS + _LATE_MS:
            self._settled[_key(row)] = said
        return said


def _first_told(store: Store, jobs: Collection[str]) -> dict[Key, int]:
    rows = store.query(statement("queries", "straggler_told", jobs=", ".join(map(quoted, sorted(jobs))))).to_pylist()
    return {
        (row["job"], row["device_id"], row["cause"], row["kind"], int(row["since_ms"])): int(row["told_ms"])
        for row in rows
    }


def _key(row: Row) -> Key:
    since_ms = row["since"] if row["kind"] == "became slow" else 0
    return row["job"], row["device_id"], row["cause"], row["kind"], since_ms


def quoted(job: str) -> str:
    """A job's name, which is anybody's text, in SQL."""
    return f"unhex('{job.encode().hex()}')"
