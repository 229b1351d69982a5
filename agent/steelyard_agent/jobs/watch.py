"""Turns who holds the devices into rows: a process row each look, and the interval in which a job holds a device."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from steelyard_agent.devices.guard import Holders
from steelyard_agent.jobs.facts import ProcessFacts, ProcessReader, ProcReader
from steelyard_agent.jobs.process_files import ProcessFiles
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess
from steelyard_agent.sampling.holders import Sighting
from steelyard_proto.v1 import batch_pb2


@dataclass(slots=True)
class _Interval:
    """A job on a device, so far."""

    facts: ProcessFacts
    from_ms: int
    to_ms: int
    ranks: set[int] = field(default_factory=set)


class JobWatch:
    """Remembers which job held which device at the last look. Used by the sampling thread alone."""

    def __init__(self, reader: ProcessReader) -> None:
        """Args: who tells about processes."""
        self._reader = reader
        self._open: dict[int, dict[str, _Interval]] = {}

    def see(self, ts_ms: int, holders: Sequence[Holders], key_of: Callable[[DeviceInfo], int]) -> Sighting:
        """Takes one look; devices whose holders can't be known keep their intervals as they were.

        Args:
            ts_ms: Unix time of the look.
            holders: the processes of each device, or why they can't be known.
            key_of: a device's key in the rows.
        """
        processes: list[batch_pb2.Process] = []
        intervals: list[batch_pb2.JobInterval] = []
        looked = [(info, found) for info, found in holders if not isinstance(found, Absent)]
        # What trains on an accelerator has its CPU side too; the job is the accelerator's.
        elsewhere = {process.pid for info, found in looked if info.kind != "cpu" for process in found}
        for info, found in looked:
            facts = [
                (device, self._reader.read(device.pid))
                for device in found
                if info.kind != "cpu" or device.pid not in elsewhere
            ]
            present = [(device, process) for device, process in facts if process is not None]
            key = key_of(info)
            processes += [_process_row(key, ts_ms, device, process) for device, process in present]
            intervals += self._advance(key, ts_ms, [process for _, process in present])
        self._reader.end_look()
        return Sighting(processes, intervals)

    def _advance(self, key: int, ts_ms: int, present: Sequence[ProcessFacts]) -> Iterable[batch_pb2.JobInterval]:
        held = self._open.setdefault(key, {})
        by_job: dict[str, list[ProcessFacts]] = {}
        for process in present:
            by_job.setdefault(process.job.id, []).append(process)
        for job in [job for job in held if job not in by_job]:
            yield _interval_row(key, ts_ms, held.pop(job), closed=True)
        for job, members in by_job.items():
            # The start of its processes, not of our looking: the same interval after a restart of the agent.
            first_ms = min(member.start_ms for member in members)
            interval = held.setdefault(job, _Interval(members[0], min(first_ms, ts_ms), ts_ms))
            interval.to_ms = max(interval.to_ms, ts_ms)
            interval.ranks |= {member.ranks.rank for member in members if member.ranks.rank is not None}
            yield _interval_row(key, ts_ms, interval, closed=False)


def _process_row(key: int, ts_ms: int, device: DeviceProcess, facts: ProcessFacts) -> batch_pb2.Process:
    return batch_pb2.Process(
        ts_ms=ts_ms,
        device=key,
        pid=facts.pid,
        start_ms=facts.start_ms,
        hbm_used_bytes=device.hbm_used_bytes,
        rank=facts.ranks.rank,
        local_rank=facts.ranks.local_rank,
        world_size=facts.ranks.world_size,
        job=facts.job.id,
        user=facts.user,
        container=facts.container,
        command=facts.command,
        cpu_share=facts.cpu_share,
        rss_bytes=facts.rss_bytes,
        threads=facts.threads,
    )


def _interval_row(key: int, ts_ms: int, interval: _Interval, *, closed: bool) -> batch_pb2.JobInterval:
    facts = interval.facts
    return batch_pb2.JobInterval(
        ts_ms=ts_ms,
        device=key,
        job=facts.job.id,
        from_ms=interval.from_ms,
        to_ms=interval.to_ms,
        closed=closed,
        scheduler=facts.job.scheduler,
        user=facts.user,
        name=facts.job.name,
        world_size=facts.ranks.world_size,
        ranks=sorted(interval.ranks),
    )


def open_watch(node: str, sources: Iterable[object] = ()) -> JobWatch:
    """The watch over the processes that the sources tell.

    Args:
        node: this node's name in the fleet; part of a job's id where nothing else names the job.
        sources: one that knows its processes itself, as a recording does, is asked in place of this machine's /proc.
    """
    for source in sources:
        if isinstance(source, ProcessReader):
            return JobWatch(source)
    return JobWatch(open_reader(node))


def open_reader(node: str) -> ProcessReader:
    """A reader of this machine's processes, for one user: it remembers when each was asked about last."""
    return ProcReader(ProcessFiles(), node=node, clock=time.monotonic)
