"""Asks every source once, as the daemon would: devices, each class of figures, processes; with how long it took.

A vendor's call may hang, so each source is asked by a daemon thread that is left behind at the deadline: what was
answered until then stands, and the probe says at which step it stuck.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from steelyard_agent.devices.base import ComplaintSource, LatencySource, PatientSource, Source
from steelyard_agent.devices.errand import Call, Outcome, attempt
from steelyard_agent.model import DeviceInfo
from steelyard_proto.errors import DeviceError

# Shares of time and rates need two readings, as far apart as the daemon's.
PAUSE_S: Final = 1.0
DEADLINE_S: Final = 15.0


@dataclass(slots=True)
class Probe:
    """What one source answered.

    Attributes:
        look: the search for devices; None while it hasn't ended.
        answers: by uid and class of figures, of the second of two readings.
        latencies_us: by uid and metric, how long the driver took, where it says so.
        holders: by uid, the processes.
        step: what is being asked; empty at the end.
        complaints: why devices that are there could not be described.
        abandoned: threads of the source's own that hang in a call.
    """

    source: str
    look: Outcome | None = None
    devices: Sequence[DeviceInfo] = ()
    answers: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    latencies_us: dict[str, Mapping[int, float]] = field(default_factory=dict)
    holders: dict[str, Outcome] = field(default_factory=dict)
    step: str = "discover"
    complaints: Sequence[DeviceError] = ()
    abandoned: int = 0


def probe_all(
    sources: Sequence[Source],
    *,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
    deadline_s: float = DEADLINE_S,
) -> list[Probe]:
    """Asks all sources at once and waits for them, at most so long."""
    pairs = [(Probe(source.name), source) for source in sources]
    threads = [
        threading.Thread(target=_ask, args=(probe, source, monotonic, sleep), name=f"doctor-{source.name}", daemon=True)
        for probe, source in pairs
    ]
    for thread in threads:
        thread.start()
    until_s = monotonic() + deadline_s
    for thread in threads:
        thread.join(max(0.0, until_s - monotonic()))
    return [probe for probe, _source in pairs]


def _ask(probe: Probe, source: Source, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
    def call(what: str, uid: str, function: Callable[[], object]) -> Outcome:
        probe.step = f"{what} of {uid}" if uid else what
        return attempt(Call(uid, what, function, DEADLINE_S), monotonic)

    look = call("discover", "", source.discover)
    if isinstance(source, ComplaintSource):
        probe.complaints = source.complaints
    if look.error is None:
        probe.devices = cast(Sequence[DeviceInfo], look.value)
    probe.look = look
    for pass_number in range(2):
        if pass_number and probe.devices:
            sleep(PAUSE_S)
        for info in probe.devices:
            for metric_class in info.metrics:
                outcome = call(metric_class, info.uid, lambda i=info, c=metric_class: source.sample(i.uid, c))  # type: ignore[misc]
                probe.answers[info.uid, metric_class] = outcome
    probe.latencies_us = {info.uid: _latencies_us(source, info.uid) for info in probe.devices}
    if source.capabilities.has_processes:
        for info in probe.devices:
            probe.holders[info.uid] = call("processes", info.uid, lambda i=info: source.processes(i.uid))  # type: ignore[misc]
    probe.abandoned = _abandoned(source)
    call("close", "", source.close)
    probe.step = ""


def _abandoned(source: Source) -> int:
    return len(source.under_way_s()) if isinstance(source, PatientSource) else 0


def _latencies_us(source: Source, uid: str) -> Mapping[int, float]:
    try:
        return source.latencies_us(uid) if isinstance(source, LatencySource) else {}
    except DeviceError:
        # A device that is gone has said so in its answers.
        return {}
