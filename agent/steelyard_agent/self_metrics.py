"""The agent's figures about itself: metrics 200 to 216 of the catalogue."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.tally import GuardStats
from steelyard_agent.model import Absent, Value
from steelyard_agent.sampling.schedule import TickCounts
from steelyard_agent.sending.state import SenderState
from steelyard_agent.spool.ring import RingCounts

METRICS: Final = tuple(range(200, 217))
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_NEVER_MET: Final = Absent("no collector has answered yet")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the agent's parts tell about themselves."""

    guards: Sequence[GuardStats]
    ticks: TickCounts
    ring: RingCounts
    spool_bytes: int
    sender: SenderState


def self_values(
    seen: Observed, *, cpu_s: Callable[[], float] = time.process_time, proc: Path = Path("/proc")
) -> tuple[Value, ...]:
    """The values of `METRICS`, in their order.

    Source: the process's CPU clock, /proc/self/statm, and the counts of the agent's parts.
    """
    guards = seen.guards
    return (
        cpu_s(),
        _resident_bytes(proc),
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
    )


def _sum(counts: Iterable[int]) -> int:
    return sum(counts)


def _resident_bytes(proc: Path) -> Value:
    try:
        return float(int((proc / "self/statm").read_text().split()[1]) * _PAGE_BYTES)
    except (OSError, ValueError, IndexError) as error:
        return Absent(f"unreadable: {type(error).__name__}")
