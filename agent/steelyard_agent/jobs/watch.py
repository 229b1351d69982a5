"""Turns who holds the devices into rows: a process row each look, and the interval in which a job holds a device.

A job holds a device by a process of its own, or, where there is none, by what a scheduler has given to it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from steelyard_agent.devices.guard import Holders
from steelyard_agent.jobs.allocation import Allocation, Allocations
from steelyard_agent.jobs.facts import ProcessFacts, ProcessReader, ProcReader
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.jobs.pod_allocation import PodAllocations
from steelyard_agent.jobs.process_files import ProcessFiles
from steelyard_agent.jobs.slurm_allocation import SlurmAllocations
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess
from steelyard_agent.sampling.holders import Sighting
from steelyard_proto.v1 import batch_pb2


@dataclass(frozen=True, slots=True)
class _Claim:
    """A job on a device: by a process of it, or by what the scheduler has given to it."""

    job: JobIdentity
    user: str
    ranks: Ranks
    start_ms: int


@dataclass(slots=True)
class _Interval:
    """A claim, so far."""

    claim: _Claim
    from_ms: int
    to_ms: int
    ranks: set[int] = field(default_factory=set)


class JobWatch:
    """Remembers which job held which device at the last look. Used by the sampling thread alone."""

    def __init__(self, reader: ProcessReader, allocated: Callable[[], Sequence[Allocation]] = tuple) -> None:
        """Args: who tells about processes; what schedulers have given to jobs."""
        self._reader = reader
        self._allocated = allocated
        self._open: dict[int, dict[str, _Interval]] = {}
        # By allocation.
        self._jobs: dict[str, JobIdentity] = {}

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
        claims: dict[int, list[_Claim]] = {}
        for info, found in looked:
            facts = [
                (device, self._reader.read(device.pid))
                for device in found
                if info.kind != "cpu" or device.pid not in elsewhere
            ]
            present = [(device, process) for device, process in facts if process is not None]
            key = key_of(info)
            processes += [_process_row(key, ts_ms, device, process) for device, process in present]
            claims[key] = [_Claim(who.job, who.user, who.ranks, who.start_ms) for _, who in present]
        given = self._given(holders, claims, key_of)
        for info, told in holders:
            key = key_of(info)
            held = claims.get(key) or [_Claim(self._jobs[one.key], one.user, Ranks(), ts_ms) for one in given[key]]
            if not isinstance(told, Absent) or self._open.get(key, {}).keys() <= {claim.job.id for claim in held}:
                intervals += self._advance(key, ts_ms, held)
        self._reader.end_look()
        return Sighting(processes, intervals)

    def _given(
        self, holders: Sequence[Holders], claims: Mapping[int, Sequence[_Claim]], key_of: Callable[[DeviceInfo], int]
    ) -> Mapping[int, Sequence[Allocation]]:
        """What schedulers have given, by device; and which job that is, which its processes know best."""
        allocations = self._allocated()
        given = {key_of(info): [one for one in allocations if one.holds(info)] for info, _ in holders}
        known, self._jobs = self._jobs, {one.key: one.job for one in allocations}
        self._jobs |= {key: job for key, job in known.items() if key in self._jobs}
        for key, found in given.items():
            # A process that nobody has scheduled is somebody else's.
            jobs = [claim.job for claim in claims.get(key, ()) if claim.job.scheduler != "process"]
            self._jobs |= {one.key: jobs[0] for one in found if jobs}
        return given

    def _advance(self, key: int, ts_ms: int, present: Sequence[_Claim]) -> Iterable[batch_pb2.JobInterval]:
        held = self._open.setdefault(key, {})
        by_job: dict[str, list[_Claim]] = {}
        for claim in present:
            by_job.setdefault(claim.job.id, []).append(claim)
        for job in [job for job in held if job not in by_job]:
            yield _interval_row(key, ts_ms, held.pop(job), closed=True)
        for job, members in by_job.items():
            # The start of its processes, not of our looking: the same interval after a restart of the agent.
            first_ms = min(member.start_ms for member in members)
            interval = held.setdefault(job, _Interval(members[0], min(first_ms, ts_ms), ts_ms))
            if interval.claim.ranks.world_size is None:
                interval.claim = members[0]
            interval.to_ms = max(interval.to_ms, ts_ms)
            interval.ranks |= {member.ranks.rank for member in members if member.ranks.rank is not None}
            yield _interval_row(key, ts_ms, interval, closed=False)


def _process_row(key: int, ts_ms: int, device: DeviceProcess, facts: ProcessFacts) -> batch_pb2.Process:
    voluntary, involuntary = facts.switches or (None, None)
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
        voluntary_switches=voluntary,
        involuntary_switches=involuntary,
        read_bytes=facts.read_bytes,
    )


def _interval_row(key: int, ts_ms: int, interval: _Interval, *, closed: bool) -> batch_pb2.JobInterval:
    claim = interval.claim
    return batch_pb2.JobInterval(
        ts_ms=ts_ms,
        device=key,
        job=claim.job.id,
        from_ms=interval.from_ms,
        to_ms=interval.to_ms,
        closed=closed,
        scheduler=claim.job.scheduler,
        user=claim.user,
        name=claim.job.name,
        world_size=claim.ranks.world_size,
        ranks=sorted(interval.ranks),
    )


def open_watch(
    reader: ProcessReader, sources: Iterable[object] = (), allocated: Callable[[], Sequence[Allocation]] = tuple
) -> JobWatch:
    """The watch over the processes that the sources tell.

    Args:
        reader: of this machine's processes.
        sources: one that knows its processes itself, as a recording does, is asked in place of this machine's /proc.
        allocated: what schedulers have given to jobs on this machine.
    """
    for source in sources:
        if isinstance(source, ProcessReader):
            return JobWatch(source)
    return JobWatch(reader, allocated)


def open_allocations(node: str) -> Allocations:
    """What the schedulers of this machine tell; not yet started."""
    files = ProcessFiles()
    return Allocations([SlurmAllocations(files, node=node), PodAllocations(files, node=node)])


def open_reader(node: str) -> ProcessReader:
    """A reader of this machine's processes, for one thread.

    Args:
        node: this node's name in the fleet; part of a job's id where nothing else names the job.
    """
    return ProcReader(ProcessFiles(), node=node, clock=time.monotonic)
