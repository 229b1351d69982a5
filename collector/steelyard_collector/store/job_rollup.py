"""Rolls a job's steps, allocation and energy up by minute: the sums that every figure of efficiency is made of.

As with the devices' rollups the same again gives the same. A minute is rolled up while it is open, so that what is live
and what is history are one, and again whenever something of it comes late.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steelyard_collector.store.base import Store
from steelyard_collector.store.dirty import MINUTE_MS, Devices, DirtyMinutes, Work, plan
from steelyard_collector.store.job_facts import put_all_facts, put_facts
from steelyard_collector.store.job_sums import job_sums, job_totals, live_efficiency
from steelyard_collector.store.raw_days import DAY_MS, changed_days, dropped_days, is_kept
from steelyard_collector.store.rollup import GRACE_MS, ROLL_SETTINGS, numbers, stale_hours
from steelyard_collector.store.statements import statement
from steelyard_efficiency.within import FIRST_S, FIRST_STEPS
from steelyard_proto.errors import StoreError

# A device counts as held, and a counter as read, over a whole minute from so many seconds on.
_WHOLE_S: Final = 54
_HOUR_MINUTES: Final = 60
_LIVE_MINUTES: Final = 5
# An open minute is rolled up this often: a statement's planning costs more than its rows.
_LIVE_EVERY_MS: Final = 20_000
# What a killed process may have left without energy or allocation.
_OVERLAP_MS: Final = 10 * MINUTE_MS


class JobRoller:
    """Owns which agents' minutes are dirty; used by one thread, after the devices' rollups have run."""

    def __init__(self, store: Store, rolled: DirtyMinutes, *, raw_days: int = 7) -> None:
        """Args: the store; the device minutes that were rolled up (`Roller.rolled`); days that raw rows live."""
        self._store = store
        self._dirty = store.dirty_jobs
        self._hours = DirtyMinutes()
        self._rolled = rolled
        self._raw_days = raw_days
        self._agents: npt.NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._ver = 0
        self._live_ms = 0
        self._newest_minute = 0

    def recover(self, now_ms: int) -> int:
        """Finds what a former process left undone; to be called once, before the first `run_once`.

        Returns:
            The minutes that will be rolled up again, counted by agent.

        Raises:
            StoreError: the store can't be read.
        """
        hint_ms = int(self._store.query(statement("queries", "roll_state")).to_pylist()[0]["ver"] or 0)
        self._ver = hint_ms + MINUTE_MS if hint_ms else 0
        found = 0
        queries: list[tuple[str, dict[str, str | int]]] = [
            ("job_minutes_recent", {"from_ms": max(hint_ms - _OVERLAP_MS, now_ms - self._raw_days * DAY_MS)})
        ]
        if days := changed_days(self._store, "step", hint_ms):
            queries.append(("job_minutes_undone", {"days": days}))
        for name, values in queries:
            undone = self._store.query(statement("queries", name, **values))
            self._dirty.add(numbers(undone, "agent"), numbers(undone, "minute"))
            found += undone.num_rows
        # What a killed process was told and hadn't written; and an older version may have defined it otherwise.
        put_all_facts(self._store, max(self._ver, now_ms))
        stale = stale_hours(self._store, "job_minute", "job_hour", key="job", who="agent", now_ms=now_ms)
        self._hours.add(numbers(stale, "who"), numbers(stale, "hour"))
        return found

    def run_once(self, now_ms: int) -> int:
        """Rolls up all minutes that are dirty, of which those that are still open stay so; then closed hours.

        Returns:
            How many minutes it did, counted by agent.

        Raises:
            StoreError: ClickHouse refused; what was not done stays dirty and the call may be repeated.
        """
        self._ver = max(self._ver + 1, now_ms)
        self._follow_devices()
        closed_minute = (now_ms - GRACE_MS) // MINUTE_MS
        is_live = not 0 <= now_ms - self._live_ms < _LIVE_EVERY_MS
        if is_live:
            self._learn()
        taken = self._dirty.take(now_ms // MINUTE_MS + 1 if is_live else closed_minute)
        try:
            dropped = dropped_days(self._store) if taken else {}
            due = {m: a for m, a in taken.items() if is_kept(m * MINUTE_MS, now_ms, self._raw_days, dropped)}
            for work in plan(_filled(due)):
                self._roll(work)
        except StoreError:
            self._dirty.give_back(taken)
            raise
        self._dirty.give_back({minute: agents for minute, agents in taken.items() if minute >= closed_minute})
        for minute, agents in due.items():
            self._hours.add(agents, np.full(len(agents), minute // _HOUR_MINUTES))
        self._roll_hours(closed_minute // _HOUR_MINUTES)
        self._newest_minute = max(self._newest_minute, *due) if due else self._newest_minute
        # Also once there is nothing new: what is shown of a job that has ended is of fewer minutes each time.
        if (due or is_live) and self._newest_minute >= closed_minute - _LIVE_MINUTES:
            self._store.command(live_efficiency(now_ms // 1000, self._ver, ROLL_SETTINGS))
            self._live_ms = now_ms
        if due:
            self._store.command(job_totals(now_ms // 1000, self._jobs(), self._ver, ROLL_SETTINGS))
        return sum(len(agents) for agents in due.values())

    def _roll(self, work: Work) -> None:
        self._store.command(
            statement(
                "queries",
                "roll_job_minute",
                agents=work.condition("agent"),
                from_ms=work.from_minute * MINUTE_MS,
                to_ms=work.to_minute * MINUTE_MS,
                first_steps=FIRST_STEPS,
                first_s=FIRST_S,
                whole_s=_WHOLE_S,
                ver=self._ver,
                settings=ROLL_SETTINGS,
            )
        )

    def _learn(self) -> None:
        """What jobs train, where their processes have told it."""
        told = self._store.told_jobs.take()
        if told:
            try:
                put_facts(self._store, told, self._ver)
            except StoreError:
                self._store.told_jobs.add(told)
                raise

    def _jobs(self) -> str:
        """Those of this rollup, as a query."""
        return f"SELECT job FROM steelyard_store.job_minute WHERE ver = {self._ver} AND n > 0"  # noqa: S608

    def _roll_hours(self, closed_hour: int) -> None:
        taken = self._hours.take(closed_hour)
        try:
            for work in plan(taken):
                span = {"from_s": work.from_minute * 3600, "to_s": work.to_minute * 3600}
                sums = job_sums(statement("queries", "job_hour_range", agents=work.condition("agent"), **span))
                values: dict[str, str | int] = {"job_sums": sums, "ver": self._ver, "settings": ROLL_SETTINGS}
                self._store.command(statement("queries", "roll_job_hour", **values))
        except StoreError:
            self._hours.give_back(taken)
            raise

    def _follow_devices(self) -> None:
        """Energy comes out of the devices' minutes: those that were done are their agents' to do, where jobs are.

        A step or an interval that comes later is noted by itself.
        """
        done = self._rolled.take(1 << 31)
        if not done:
            return
        try:
            span = {"from_ms": min(done) * MINUTE_MS, "to_ms": (max(done) + 1) * MINUTE_MS}
            busy = numbers(self._store.query(statement("queries", "agents_with_jobs", **span)), "agent")
            for minute, devices in done.items():
                agents = np.intersect1d(self._agents_of(devices), busy)
                self._dirty.add(agents, np.full(len(agents), minute))
        except StoreError:
            self._rolled.give_back(done)
            raise

    def _agents_of(self, devices: npt.NDArray[np.uint32]) -> Any:
        if int(devices[-1]) >= len(self._agents):
            rows = self._store.query("SELECT device_id, agent FROM steelyard_store.device FINAL")
            ids = numbers(rows, "device_id")
            self._agents = np.zeros(int(max(ids.max(initial=0), devices[-1])) + 1, np.uint32)
            self._agents[ids] = numbers(rows, "agent")
        return np.unique(self._agents[devices])


def _filled(due: dict[int, Devices]) -> dict[int, Devices]:
    """Scattered minutes of an hour as one piece: a statement costs more than the minutes that it does in vain."""
    hours: dict[int, list[int]] = {}
    for minute in due:
        hours.setdefault(minute // _HOUR_MINUTES, []).append(minute)
    filled: dict[int, Devices] = {}
    for minutes in hours.values():
        agents = np.unique(np.concatenate([due[minute] for minute in minutes]))
        filled |= dict.fromkeys(range(min(minutes), max(minutes) + 1), agents)
    return filled
