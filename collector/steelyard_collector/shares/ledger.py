"""Computes shares and verdicts of a window, keeps those of the kept windows as rows, and answers for any other."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from steelyard_collector.shares.compute import Fleet, compare_all, judge_all
from steelyard_collector.shares.jobs import read_jobs
from steelyard_collector.shares.rows import claim_table, share_table
from steelyard_collector.shares.sources import Sources
from steelyard_collector.shares.window import KEPT_S, Window, told_part, window_of
from steelyard_collector.store.base import PUBLIC_DATABASE, ReadLimits, Store
from steelyard_collector.store.chips import put_prices
from steelyard_collector.store.job_figures import Query, chip_figures
from steelyard_collector.store.statements import statement
from steelyard_proto.chips import ChipTable

# Kept rows that are older than this are computed anew: the thread that keeps them has ended.
_FRESH_MS: Final = 1_800_000
# Nobody waits for what is kept: it takes one core, behind those who ask.
_BELOW: Final = ReadLimits(seconds=600.0, memory_bytes=8_000_000_000, result_rows=10_000_000, threads=1)
_CERTAIN: Final = ("quantity", "mode")


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of the views `shares` or `claims`, and the faults of the user's files that were left out."""

    table: pa.Table
    faults: tuple[str, ...]


class Ledger:
    """Used by any thread; each call computes in the thread that makes it."""

    def __init__(
        self, store: Store, chips: ChipTable, sources: Sources, wall_ms: Callable[[], int] | None = None
    ) -> None:
        """Args: the store; the chips; the user's claims and prices; Unix time."""
        self._store = store
        self._chips = chips
        self._sources = sources
        self._wall_ms = wall_ms or (lambda: int(time.time() * 1000))

    def keep(self, seconds: int) -> tuple[str, ...]:
        """Computes a kept window and stores it; returns the faults of the user's files.

        Raises:
            StoreError: ClickHouse refused; nothing, or only a part of the three tables, changed.
        """
        put_prices(self._store, self._sources.prices()[0], self._chips)
        window = window_of(seconds, self._wall_ms())
        reader = self._store.reader(_BELOW)
        try:
            chips = self._of_chips(window, reader.query_arrow)
            shares, claims, faults = self._computed(window, reader.query_arrow)
        finally:
            reader.close()
        for name, table in (("share", shares), ("claim", claims), ("chip_window", chips)):
            if table.num_rows:
                self._store.insert(name, table, token=f"{name}-{seconds}-{table['computed_at'][0].value}")
        return faults

    def has_jobs(self) -> bool:
        """Whether any kept window has a job's minutes; cheap.

        Raises:
            StoreError: the store can't be read.
        """
        return told_part(self._store, window_of(max(KEPT_S), self._wall_ms())) is not None

    def shares(self, seconds: int, wanted: Mapping[str, str] | None = None) -> Answer:
        """The rows of the view `shares` of the window of so many seconds that ends now.

        Args:
            seconds: of the window.
            wanted: values of columns; empty ones count as any.
        """
        wanted = {name: value for name, value in (wanted or {}).items() if value}
        window = window_of(seconds, self._wall_ms())
        # Whatever was kept has rows of each of these; a chip may have none.
        kept = self._kept("shares", window, {name: value for name, value in wanted.items() if name in _CERTAIN})
        if kept:
            return Answer(_cut(kept.table, wanted), kept.faults)
        shares, _, faults = self._computed(window, self._store.query)
        return Answer(_cut(shares, wanted), faults)

    def claims(self, seconds: int) -> Answer:
        """The same of the view `claims`."""
        window = window_of(seconds, self._wall_ms())
        kept = self._kept("claims", window, {})
        if kept:
            return kept
        _, claims, faults = self._computed(window, self._store.query)
        return Answer(claims, faults)

    def chips(self, seconds: int) -> Answer:
        """The same of the view `chips`."""
        window = window_of(seconds, self._wall_ms())
        return self._kept("chips", window, {}) or Answer(self._of_chips(window, self._store.query), self._faults())

    def _kept(self, view: str, window: Window, wanted: Mapping[str, str]) -> Answer | None:
        """The kept rows of a window with these values; None where there are none, or old ones."""
        if window.seconds not in KEPT_S:
            return None
        tests = "".join(f" AND {name} = {{{name}:String}}" for name in wanted)
        sql = f"SELECT * FROM {PUBLIC_DATABASE}.{view} WHERE window = {{window:String}} AND computed_at >= fromUnixTimestamp64Milli({{since:Int64}}){tests}"  # noqa: S608, E501
        since_ms = self._wall_ms() - _FRESH_MS
        kept = self._store.query(sql, {"window": window.name, "since": since_ms, **wanted})
        return Answer(kept, self._faults()) if kept.num_rows else None

    def _faults(self) -> tuple[str, ...]:
        return tuple(fault for _, fault in (self._sources.claims(), self._sources.prices()) if fault)

    def _computed(self, window: Window, query: Query) -> tuple[pa.Table, pa.Table, tuple[str, ...]]:
        claims, claims_fault = self._sources.claims()
        prices, prices_fault = self._sources.prices()
        seen = self._store.query(statement("queries", "seen_chips")).to_pylist()
        fleet = Fleet(self._chips, prices, {row["chip"]: row["vendor"] for row in seen})
        # Planning the query for jobs takes longer than finding out that nothing trains.
        told = told_part(self._store, window)
        compared = compare_all(read_jobs(query, told), fleet) if told else []
        window = told or window
        now_ms = self._wall_ms()
        return (
            share_table(compared, fleet.vendors, window, now_ms),
            claim_table(judge_all(claims, compared, fleet), window, now_ms),
            tuple(fault for fault in (claims_fault, prices_fault) if fault),
        )

    def _of_chips(self, window: Window, query: Query) -> pa.Table:
        told = told_part(self._store, window) or window
        return query(*chip_figures(told.name, told.from_ms, told.to_ms, self._wall_ms()))


def _cut(table: pa.Table, wanted: Mapping[str, str]) -> pa.Table:
    for column, value in wanted.items():
        table = table.filter(pc.equal(table[column], pa.scalar(value)))
    return table
