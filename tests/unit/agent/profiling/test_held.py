"""One profiler at a time in a process and on a device."""

from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks
from steelyard_agent.profiling.held import Held
from steelyard_agent.profiling.request import WindowSpec
from steelyard_agent.profiling.roster import Trainer
from steelyard_agent.profiling.window import Tool, Window


def window(pid: int, tool: Tool = "kineto") -> Window:
    who = ProcessFacts(pid, 5, "python", "u", "", JobIdentity("job-1", "slurm", ""), Ranks(None, None, None))
    return Window(f"{pid}", "", "asked", Trainer(pid, 0, pid, "kineto", 0, 0, pid), who, WindowSpec(), 0, 0, tool=tool)


def test_processes_that_share_a_device_have_their_windows_one_after_another() -> None:
    devices = {1: ["a", "b"], 2: ["b"], 3: ["c"]}
    held = Held(lambda pid: devices.get(pid, ()))
    first, second, third = window(1, "msprof"), window(2), window(3)
    assert held.take(first) == held.take(third) == held.take(first) == ""
    assert held.take(second) == "waits until msprof has ended on its device, in process 1"
    assert held.take(window(1)) == "waits until msprof has ended in the process"
    # What it holds is known anew meanwhile.
    devices.clear()
    held.give_back(first)
    devices[2] = ["b"]
    assert held.take(second) == ""


def test_of_a_process_whose_devices_are_not_known_the_process_counts() -> None:
    held, first = Held(), window(1)
    assert held.take(first) == held.take(window(2)) == ""
    assert held.take(window(1)) == "waits until kineto has ended in the process"
    held.give_back(window(1))
    assert held.take(window(1)), "one that has not begun gives nothing back"
