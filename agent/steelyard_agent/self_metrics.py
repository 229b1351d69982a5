"""The agent's figures about itself: metrics 200 to 257 of the catalogue.

What each source takes and misses stands apart for each kind of source; one that isn't asked is absent.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.absence import Counted, counted_as
from steelyard_agent.devices.tally import GuardStats, added
from steelyard_agent.model import Absent, Value
from steelyard_agent.sampling.schedule import TickCounts
from steelyard_agent.sending.state import SenderState
from steelyard_agent.spool.ring import RingCounts

METRICS: Final = (*range(200, 218), *range(220, 227), *range(230, 258))
# In the order of their metrics; all the rest are `others`.
_SOURCES: Final = ("nvml", "dcmi", "amdgpu", "scrape", "cpu", "host")
# In the order of their metrics.
_COUNTS: Final[tuple[Counted, ...]] = ("hung", "lost", "refused", "failed")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_NEVER_MET: Final = Absent("no collector has answered yet")
_NOT_ASKED: Final = Absent("no such source is asked")
_NO_CALLS: Final = Absent("no call since the figure before")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the agent's parts tell about themselves; the guards by their sources' names."""

    guards: Mapping[str, GuardStats]
    ticks: TickCounts
    ring: RingCounts
    spool_bytes: int
    sender: SenderState


class SelfMetrics:
    """Makes the values; remembers the counts that the next ones are told since."""

    def __init__(self, *, cpu_s: Callable[[], float] = time.process_time, proc: Path = Path("/proc")) -> None:
        self._cpu_s = cpu_s
        self._proc = proc
        self._before: dict[str, GuardStats] = {}

    def values(self, seen: Observed) -> tuple[Value, ...]:
        """The values of `METRICS`, in their order.

        Source: the process's CPU clock, /proc/self/statm, and the counts of the agent's parts.
        """
        guards = seen.guards.values()
        by_source = _by_source(seen.guards)
        values = (
            self._cpu_s(),
            _resident_bytes(self._proc),
            seen.ticks.late,
            seen.ticks.missed,
            _sum(g.calls for g in guards),
            _sum(g.errors for g in guards),
            _sum(g.timeouts for g in guards),
            float(_sum(g.quarantined for g in guards)),
            _sum(g.absences for g in guards),
            seen.ring.spooled,
            seen.sender.sent,
            seen.sender.acked,
            seen.ring.lost,
            float(seen.spool_bytes),
            seen.sender.reconnects,
            _NEVER_MET if seen.sender.offset_ms is None else seen.sender.offset_ms,
            float(sum(g.sample_s for g in guards)),
            float(_sum(g.abandoned for g in guards)),
            *(_read_ms(stats, self._before.get(name)) for name, stats in by_source.items()),
            *(count for stats in by_source.values() for count in _absent(stats)),
        )
        self._before = {name: stats for name, stats in by_source.items() if stats is not None}
        return values


def _by_source(guards: Mapping[str, GuardStats]) -> dict[str, GuardStats | None]:
    others = [stats for name, stats in guards.items() if name not in _SOURCES]
    return {**{name: guards.get(name) for name in _SOURCES}, "others": added(*others) if others else None}


def _read_ms(stats: GuardStats | None, before: GuardStats | None) -> Value:
    if stats is None:
        return _NOT_ASKED
    calls = stats.calls - (before.calls if before else 0)
    seconds = stats.sample_s - (before.sample_s if before else 0.0)
    return seconds / calls * 1000 if calls > 0 else _NO_CALLS


def _absent(stats: GuardStats | None) -> tuple[Value, ...]:
    if stats is None:
        return (_NOT_ASKED,) * len(_COUNTS)
    counts = dict.fromkeys(_COUNTS, 0)
    for absent, count in stats.absences_by_reason.items():
        counts[counted_as(absent)] += count
    return tuple(counts.values())


def _sum(counts: Iterable[int]) -> int:
    return sum(counts)


def _resident_bytes(proc: Path) -> Value:
    try:
        return float(int((proc / "self/statm").read_text().split()[1]) * _PAGE_BYTES)
    except (OSError, ValueError, IndexError) as error:
        return Absent(f"unreadable: {type(error).__name__}")
