from collections.abc import Mapping
from dataclasses import replace

from steelyard_agent.devices.guard import Holders
from steelyard_agent.jobs.allocation import Allocation, DeviceName
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.jobs.watch import JobWatch
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess
from steelyard_agent.sampling.holders import Sighting
from tests.standins.agent_parts import a_device

T0 = 1_700_000_000_000


class Known:
    """A reader of processes that the test makes up."""

    def __init__(self, **facts: ProcessFacts) -> None:
        self.facts: Mapping[int, ProcessFacts] = {one.pid: one for one in facts.values()}

    def read(self, pid: int) -> ProcessFacts | None:
        return self.facts.get(pid)

    def end_look(self) -> None:
        pass


def facts(pid: int, job: str, rank: int | None = None, start_ms: int = T0 - 5000) -> ProcessFacts:
    identity = JobIdentity(job, "slurm", f"name of {job}")
    return ProcessFacts(pid, start_ms, "python3", "ines", "", identity, Ranks(rank, rank, 8), 1.5, 1 << 30, 12)


class Looks:
    """A watch over devices that are numbered from 1."""

    def __init__(self, *known: ProcessFacts) -> None:
        self.given: list[Allocation] = []
        self.watch = JobWatch(Known(**{str(one.pid): one for one in known}), lambda: self.given)

    def see(self, at_s: int, *holders: Holders) -> Sighting:
        return self.watch.see(T0 + at_s * 1000, holders, lambda info: info.index + 1)


def held(number: int, *pids: int, kind: str = "gpu") -> Holders:
    info: DeviceInfo = a_device(number, kind=kind)
    return info, [DeviceProcess(pid, 1 << 20) for pid in pids]


def test_a_process_and_its_jobs_interval() -> None:
    seen = Looks(facts(50, "j", rank=3)).see(0, held(0, 50))
    [process] = seen.processes
    assert (process.ts_ms, process.device, process.pid, process.rank, process.job) == (T0, 1, 50, 3, "j")
    assert (process.hbm_used_bytes, process.rss_bytes, process.threads) == (1 << 20, 1 << 30, 12)
    [interval] = seen.intervals
    assert (interval.job, interval.device, interval.from_ms, interval.to_ms) == ("j", 1, T0 - 5000, T0)
    assert (interval.scheduler, interval.user, interval.name) == ("slurm", "ines", "name of j")
    assert (list(interval.ranks), interval.world_size, interval.closed) == ([3], 8, False)


def test_an_interval_grows_and_closes_when_it_was_last_seen() -> None:
    looks = Looks(facts(50, "j"))
    looks.see(0, held(0, 50))
    assert looks.see(10, held(0, 50)).intervals[0].to_ms == T0 + 10_000
    [closed] = looks.see(20, held(0)).intervals
    assert (closed.closed, closed.from_ms, closed.to_ms) == (True, T0 - 5000, T0 + 10_000)
    assert looks.see(30, held(0)) == Sighting([], [])


def test_unknown_holders_close_nothing() -> None:
    looks = Looks(facts(50, "j"))
    looks.see(0, held(0, 50))
    assert looks.see(10, (a_device(0), Absent("quarantined"))) == Sighting([], [])
    assert looks.see(20).intervals == []
    assert looks.see(30, held(0, 50)).intervals[0].from_ms == T0 - 5000


def test_one_job_after_another_and_two_at_once() -> None:
    looks = Looks(facts(50, "a"), facts(51, "b", start_ms=T0 + 4000), facts(52, "b", start_ms=T0 + 5000))
    looks.see(0, held(0, 50))
    both = looks.see(10, held(0, 50, 51, 52)).intervals
    assert [(row.job, row.closed, row.from_ms) for row in both] == [("a", False, T0 - 5000), ("b", False, T0 + 4000)]
    after = looks.see(20, held(0, 51)).intervals
    assert [(row.job, row.closed) for row in after] == [("a", True), ("b", False)]


def test_the_ranks_of_a_device_are_gathered() -> None:
    looks = Looks(facts(50, "j", rank=4), facts(51, "j", rank=1))
    looks.see(0, held(0, 50))
    assert list(looks.see(10, held(0, 51)).intervals[0].ranks) == [1, 4]


def test_devices_have_intervals_of_their_own() -> None:
    rows = Looks(facts(50, "j", rank=0), facts(51, "j", rank=1)).see(0, held(0, 50), held(1, 51)).intervals
    assert [(row.device, list(row.ranks)) for row in rows] == [(1, [0]), (2, [1])]


def test_a_process_that_has_just_ended_has_no_row() -> None:
    assert Looks().see(0, held(0, 50)) == Sighting([], [])


def test_the_cpu_side_of_an_accelerators_training_is_no_job_of_the_cpu() -> None:
    looks = Looks(facts(50, "gpu job"), facts(60, "cpu job"))
    seen = looks.see(0, held(7, 50, 60, kind="cpu"), held(0, 50))
    assert {(row.device, row.job) for row in seen.intervals} == {(1, "gpu job"), (8, "cpu job")}


def given(*numbers: int, job: str = "slurm's number") -> Allocation:
    return Allocation("slurm 7", JobIdentity(job, "slurm", "llama"), tuple(DeviceName(str(n)) for n in numbers), "ines")


def test_a_job_that_does_nothing_on_its_devices_is_seen_by_its_allocation() -> None:
    looks = Looks()
    looks.given = [given(0, 1)]
    seen = looks.see(0, held(0), held(1), held(2), held(9, kind="cpu"))
    assert seen.processes == []
    assert [(row.device, row.job, row.name, row.user) for row in seen.intervals] == [
        (1, "slurm's number", "llama", "ines"), (2, "slurm's number", "llama", "ines")
    ]  # fmt: skip
    assert [(row.from_ms, row.to_ms) for row in looks.see(600, held(0)).intervals] == [(T0, T0 + 600_000)]
    looks.given = []
    assert [(row.device, row.closed) for row in looks.see(610, held(0)).intervals] == [(1, True)]


def test_an_allocations_job_is_the_one_that_its_processes_say() -> None:
    looks = Looks(facts(50, "declared", rank=0))
    looks.given = [given(0, 1)]
    both = looks.see(0, held(1), held(0, 50)).intervals
    assert [(row.device, row.job) for row in both] == [(2, "declared"), (1, "declared")]
    # Its process has ended, and the devices are still its.
    assert {row.job for row in looks.see(10, held(0), held(1)).intervals} == {"declared"}
    assert {row.closed for row in looks.see(20, held(0), held(1)).intervals} == {False}


def test_a_process_that_nobody_scheduled_is_not_the_allocations() -> None:
    monitor = replace(facts(60, "n1:60:0"), job=JobIdentity("n1:60:0", "process"))
    looks = Looks(monitor)
    looks.given = [given(0, 1)]
    rows = looks.see(0, held(0, 60), held(1)).intervals
    assert [(row.device, row.job) for row in rows] == [(1, "n1:60:0"), (2, "slurm's number")]


def test_where_processes_cant_be_known_the_allocation_still_is() -> None:
    looks = Looks(facts(50, "j"))
    looks.given = [given(0)]
    unknown = (a_device(0), Absent("another pid namespace"))
    assert [row.job for row in looks.see(0, unknown).intervals] == ["slurm's number"]
    assert [row.job for row in looks.see(10, unknown).intervals] == ["slurm's number"]
    looks.see(20, held(0, 50))
    assert [row.job for row in looks.see(30, unknown).intervals] == ["j"]
