from collections.abc import Mapping

from steelyard_agent.devices.guard import Holders
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
        self.watch = JobWatch(Known(**{str(one.pid): one for one in known}))

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
