"""Who is on the fabric: the kernel's word against what is said, containers, and silence."""

from pathlib import Path

import pytest

from steelyard_agent.profiling.frames import Request
from steelyard_agent.profiling.roster import SILENT_S, Refused, Roster, Sender


def proc_with(root: Path, pid: int, numbers: str) -> Path:
    (root / str(pid)).mkdir(parents=True)
    (root / str(pid) / "status").write_text(f"Name:\tpython\nPid:\t{pid}\nNSpid:\t{numbers}\nThreads:\t8\n")
    return root


def test_a_process_in_a_container_is_known_by_the_hosts_pid_and_names_its_files_by_its_own(tmp_path: Path) -> None:
    roster = Roster(lambda: 0.0, proc_with(tmp_path, 4711, "4711\t17"))
    trainer = roster.note(Sender(4711, 1000, ""), Request(3, 17), "kineto")
    assert (trainer.pid, trainer.own_pid, trainer.uid, trainer.is_free) == (4711, 17, 1000, True)
    assert roster.get(4711) is trainer
    assert roster.get(17) is None


@pytest.mark.parametrize("claimed", [1, 16, 47])
def test_a_number_that_is_none_of_its_own_is_refused(tmp_path: Path, claimed: int) -> None:
    roster = Roster(lambda: 0.0, proc_with(tmp_path, 4711, "4711\t17"))
    with pytest.raises(Refused, match=f"speaks for process {claimed}"):
        roster.note(Sender(4711, 1000, ""), Request(3, claimed), "kineto")
    assert not roster.all()


def test_one_that_the_agent_can_not_see_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="run the agent in the host's"):
        Roster(lambda: 0.0, tmp_path).note(Sender(0, 65534, ""), Request(3, 17), "kineto")


def test_one_that_falls_silent_is_dropped(tmp_path: Path) -> None:
    now_s = [0.0]
    roster = Roster(lambda: now_s[0], tmp_path)
    roster.note(Sender(5, 0, ""), Request(3, 5), "kineto")
    now_s[0] = SILENT_S
    roster.note(Sender(6, 0, ""), Request(1, 6), "npu")
    assert [trainer.pid for trainer in roster.all()] == [5, 6]
    now_s[0] = SILENT_S + 1
    assert roster.get(5) is None
    assert [(trainer.pid, trainer.is_free) for trainer in roster.all()] == [(6, False)]


def test_many_processes_are_a_bound_and_not_a_leak(tmp_path: Path) -> None:
    roster = Roster(lambda: 0.0, tmp_path)
    for pid in range(1, 1025):
        roster.note(Sender(pid, 0, ""), Request(3, pid), "kineto")
    with pytest.raises(Refused, match="one process too many"):
        roster.note(Sender(1025, 0, ""), Request(3, 1025), "kineto")
    roster.note(Sender(7, 0, ""), Request(3, 7), "kineto")
