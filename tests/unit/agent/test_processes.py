import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from steelyard_agent.devices.cpu_trainers import CpuTrainers
from steelyard_agent.jobs.facts import ProcReader
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.jobs.process_files import ProcessFiles
from tests.standins.agent_parts import until
from tests.standins.fake_proc import BOOT_S, FakeProc

TORCH_MAP = "7f00-7f01 r-xp 0 08:01 1 /venv/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so\n"
TORCH_PAGES = 50_000


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


class Reading:
    """A reader on a clock that the test moves."""

    def __init__(self, proc: FakeProc) -> None:
        self.now_s = 0.0
        self.reader = ProcReader(proc.files(), node="n1", clock=lambda: self.now_s)


def test_everything_about_a_process(proc: FakeProc) -> None:
    ranks = {"RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "8", "SLURM_JOB_ID": "12", "SLURM_JOB_NAME": "llama"}
    container = "0123456789abcdef" * 4
    proc.add(50, "pt_main_thread", environ=ranks, cgroup=f"0::/docker/{container}")
    facts = Reading(proc).reader.read(50)
    assert facts is not None
    assert facts.start_ms == (BOOT_S + 50) * 1000
    assert (facts.command, facts.container, facts.threads) == ("python3", container[:12], 24)
    assert facts.rss_bytes == 100 * 4096
    assert (facts.job.id, facts.job.scheduler, facts.job.name) == ("12", "slurm", "llama")
    assert facts.ranks == Ranks(3, 3, 8)
    assert facts.user.startswith("user")
    assert facts.cpu_share is None


def test_what_a_process_has_waited_for(proc: FakeProc) -> None:
    proc.add(50)
    (proc.root / "50/status").write_text(
        "Threads:\t24\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n"
    )
    (proc.root / "50/io").write_text("rchar: 9\nread_bytes: 4096\nwrite_bytes: 1\ncancelled_write_bytes: 0\n")
    # Another user's process hides what it read.
    proc.add(51)
    first, second = (Reading(proc).reader.read(pid) for pid in (50, 51))
    assert first is not None
    assert second is not None
    assert (first.switches, first.read_bytes) == ((150, 7), 4096)
    assert (second.switches, second.read_bytes) == (None, None)


def test_the_kernels_own_files_tell_it_too() -> None:
    voluntary, _involuntary = ProcessFiles().switches(os.getpid()) or (0, 0)
    assert voluntary > 0
    # Some kernels are built without it.
    assert (ProcessFiles().read_bytes(os.getpid()) is not None) == Path("/proc/self/io").exists()


def test_cores_in_use_since_the_last_look(proc: FakeProc) -> None:
    reading = Reading(proc)
    proc.add(50, cpu=1000)
    reading.reader.read(50)
    proc.add(50, cpu=3500)
    reading.now_s = 10.0
    facts = reading.reader.read(50)
    assert facts is not None
    assert facts.cpu_share == pytest.approx(2.5)


def test_two_users_of_one_tick_are_told_the_same(proc: FakeProc) -> None:
    reading = Reading(proc)
    reader = reading.reader
    proc.add(50, cpu=1000)
    reader.read(50)
    reader.end_look()
    proc.add(50, cpu=3500)
    reading.now_s = 10.0
    first = reader.read(50)
    reader.end_look()
    assert reader.read(50) is first
    reader.end_look()
    assert first is not None
    assert first.cpu_share == pytest.approx(2.5)
    # One who asks between looks takes nothing from the next one's figure.
    reading.now_s = 11.0
    reader.read(50)
    proc.add(50, cpu=4500)
    reading.now_s = 20.0
    facts = reader.read(50)
    assert facts is not None
    assert facts.cpu_share == pytest.approx(1.0)


def test_a_reused_pid_is_another_process(proc: FakeProc) -> None:
    reading = Reading(proc)
    proc.add(50, environ={"STEELYARD_JOB": "first"}, cpu=1000)
    reading.reader.read(50)
    proc.add(50, environ={"STEELYARD_JOB": "second"}, start=9000)
    reading.now_s = 10.0
    facts = reading.reader.read(50)
    assert facts is not None
    assert facts.job.id == "second"
    assert facts.cpu_share is None


def test_a_process_that_has_ended_is_none(proc: FakeProc) -> None:
    reading = Reading(proc)
    proc.add(50)
    assert reading.reader.read(50) is not None
    proc.remove(50)
    reading.now_s = 1.0
    assert reading.reader.read(50) is None


def test_the_session_leader_names_a_job_without_another_name(proc: FakeProc) -> None:
    proc.add(40, "bash", start=100)
    proc.add(50, session=40, start=9000)
    proc.add(51, session=40, start=9100)
    proc.add(60, session=777, start=200)
    reader = Reading(proc).reader
    jobs = [facts.job.id if (facts := reader.read(pid)) else "" for pid in (50, 51, 60)]
    assert jobs == [f"n1:40:{BOOT_S + 1}", f"n1:40:{BOOT_S + 1}", f"n1:60:{BOOT_S + 2}"]


def test_torchrun_s_ranks_have_sessions_of_their_own_and_are_one_job(proc: FakeProc) -> None:
    elastic = {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    proc.add(20, "bash", start=100)
    proc.add(30, "torchrun", parent=20, session=20, start=9000)
    proc.add(31, "torchrun", parent=20, session=20, start=9000)
    proc.add(40, parent=30, start=9100, environ=elastic | {"RANK": "0"})
    proc.add(41, parent=30, start=9100, environ=elastic | {"RANK": "1"})
    # A worker of rank 1; a rank of another torchrun in the same shell; one whose torchrun was killed.
    proc.add(50, parent=41, session=41, start=9200, environ=elastic)
    proc.add(60, parent=31, start=9100, environ=elastic)
    proc.add(70, parent=1, start=9300, environ=elastic)
    reader = Reading(proc).reader
    jobs = [facts.job if (facts := reader.read(pid)) else None for pid in (40, 41, 50, 60, 70)]
    first = JobIdentity(f"n1:30:{BOOT_S + 90}", "torchrun")
    other = JobIdentity(f"n1:31:{BOOT_S + 90}", "torchrun")
    assert jobs == [first, first, first, other, JobIdentity(f"n1:70:{BOOT_S + 93}", "process")]


def test_names_may_hold_anything(proc: FakeProc) -> None:
    proc.add(50, "a) (b c")
    (proc.root / "50/cmdline").write_bytes(b"")
    facts = Reading(proc).reader.read(50)
    assert facts is not None
    assert facts.command == "a) (b c"


@pytest.mark.parametrize("text", ["", "50", "50 (x", "50 (x) S 1 2", "\0\0\0"])
def test_a_file_that_makes_no_sense_is_no_process(proc: FakeProc, text: str) -> None:
    proc.add(50)
    (proc.root / "50/stat").write_text(text)
    assert Reading(proc).reader.read(50) is None


def test_nothing_else_of_an_environment_is_read(proc: FakeProc) -> None:
    proc.add(50, environ={"RANK": "0"})
    assert proc.files().environ(50) == {"RANK": "0"}


def test_what_isnt_asked_for_is_forgotten(proc: FakeProc) -> None:
    reader = Reading(proc).reader
    proc.add(50)
    reader.read(50)
    for _ in range(7):
        reader.end_look()
    proc.add(50, environ={"STEELYARD_JOB": "changed"})
    facts = reader.read(50)
    assert facts is not None
    assert facts.job.id == "changed"


def test_what_trains_on_the_cpu(proc: FakeProc) -> None:
    proc.add(10, "bash")
    proc.add(11, "python3")
    proc.add(12, "python3", maps=TORCH_MAP, pages=TORCH_PAGES)
    proc.add(13, "firefox", maps=TORCH_MAP, pages=TORCH_PAGES)
    proc.add(14, "python3", environ={"TORCHELASTIC_RUN_ID": "none", "RANK": "0"})
    proc.add(15, "python3", maps=TORCH_MAP)  # too small to hold it: not asked what it has loaded
    assert CpuTrainers(proc.files()).find() == [12, 14]


def test_a_process_that_loads_torch_later_is_found_then(proc: FakeProc) -> None:
    trainers = CpuTrainers(proc.files())
    proc.add(12)
    assert trainers.find() == []
    proc.add(12, maps=TORCH_MAP, pages=TORCH_PAGES)
    assert trainers.find() == [12]
    proc.remove(12)
    assert trainers.find() == []


def test_launchers_and_data_workers_are_left_out(proc: FakeProc) -> None:
    rank = [{"TORCHELASTIC_RUN_ID": "r", "RANK": str(n)} for n in range(2)]
    proc.add(20, "python3", maps=TORCH_MAP, pages=TORCH_PAGES)  # torchrun itself
    proc.add(21, parent=20, environ=rank[0], maps=TORCH_MAP, pages=TORCH_PAGES)
    proc.add(22, parent=20, environ=rank[1], maps=TORCH_MAP, pages=TORCH_PAGES)
    proc.add(31, parent=21, environ=rank[0], maps=TORCH_MAP, pages=TORCH_PAGES)  # a DataLoader's worker
    proc.add(40, "python3", maps=TORCH_MAP, pages=TORCH_PAGES)
    proc.add(41, parent=40, maps=TORCH_MAP, pages=TORCH_PAGES)
    assert CpuTrainers(proc.files()).find() == [21, 22, 40]


def test_a_real_process() -> None:
    environ = {"STEELYARD_JOB": "real-job", "RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"}
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        files = ProcessFiles()
        reader = ProcReader(files, node="n", clock=time.monotonic)
        facts = reader.read(child.pid)
        assert facts is not None
        assert (facts.job.id, facts.ranks) == ("real-job", Ranks(1, None, 2))
        assert facts.command.startswith("python")
        assert (facts.rss_bytes or 0) > 1 << 20
        trainers = CpuTrainers(files)
        assert child.pid in trainers.find()
        child.communicate()
    until(lambda: reader.read(child.pid) is None)
    assert child.pid not in trainers.find()
