"""The program of a source's own process: `python -m steelyard_agent.devices.child`, started by outside.py alone.

It guards the source as the agent does, so that a call that hangs costs its device only, and answers one report a tick.
Here a thread may hang for each device: the process is ended when that no longer helps. It ends with the agent, however
that ends.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from steelyard_agent.devices.channel import Channel, Report, Task, Tick
from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.devices.registry import open_sources
from steelyard_agent.model import Absent, DeviceInfo
from steelyard_proto.errors import SteelyardError

# Of linux/prctl.h.
_PR_SET_PDEATHSIG: Final = 1
_MANY: Final = 4096
# Of the time between two ticks: what a tick waits for its devices.
_BUDGET_SHARE: Final = 0.85


def main(words: Sequence[str]) -> int:
    """Answers ticks until the agent closes its end or ends.

    Args:
        words: the number of the socket's file, the agent's process, and a name for those who list processes.
    """
    _end_with(int(words[1]))
    channel = Channel(socket.socket(fileno=int(words[0])))
    task = channel.receive()
    assert isinstance(task, Task)
    try:
        [source] = open_sources({task.name: task.argument}, task.node)
    except SteelyardError as error:
        sys.stderr.write(f"steelyard-agent: {error}\n")
        return error.exit_code
    guard = GuardedSource(
        source,
        deadline_s=task.deadline_s,
        monotonic=time.monotonic,
        wall_ms=lambda: time.time_ns() // 1_000_000,
        max_abandoned=_MANY,
    )
    try:
        _serve(channel, guard, task.deadline_s)
    except OSError:
        guard.close()
    # The agent starts another.
    return 0


def _end_with(agent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != agent:
        # It ended before it could be asked for.
        os._exit(0)


def _serve(channel: Channel, guard: GuardedSource, deadline_s: float) -> None:
    told: list[DeviceInfo] = []
    while not guard.why_outdated():
        tick = channel.receive()
        assert isinstance(tick, Tick)
        now_s = time.monotonic()
        guard.start_tick(tick.metric_classes, now_s + tick.in_s, now_s + tick.again_in_s)
        budget_s = max(deadline_s, (tick.again_in_s - tick.in_s) * _BUDGET_SHARE)
        readings = guard.collect(tick.in_s + budget_s)
        devices = list(guard.devices())
        report = Report(
            number=tick.number,
            capabilities=guard.capabilities,
            devices=None if devices == told else devices,
            values={(info.uid, metric_class): tuple(values) for info, metric_class, values in readings},
            holders={
                info.uid: holders if isinstance(holders, Absent) else list(holders)
                for info, holders in (guard.processes() if "processes" in tick.metric_classes else ())
            },
            events=guard.events(),
            # The agent counts what is absent, also while there is no process.
            stats=replace(guard.stats(), absences=0, absences_by_reason={}),
            hangs_for_s=max(guard.hangs_for_s(), default=0.0),
        )
        told = devices
        channel.send(report)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Without waiting for a thread that hangs, or for what a vendor's library does at the end.
    sys.stderr.flush()
    os._exit(code)
