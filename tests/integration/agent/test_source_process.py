"""A source of which too much hangs goes on in a process of its own, and what the guard says still holds there."""

import ctypes
import gc
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from steelyard_agent.devices.dcmi.source import DcmiSource
from steelyard_agent.devices.moving import MovingSource
from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.devices.registry import SourceRequest, open_sources
from steelyard_agent.model import Absent, Value
from steelyard_proto.metrics import MetricClass
from steelyard_proto.v1 import batch_pb2
from tests.integration.agent.test_unruly_source import counted
from tests.standins.agent_parts import until
from tests.standins.build import build
from tests.standins.ingest_server import Behaviour, IngestServer
from tests.standins.open_files import open_files
from tests.standins.plugin_package import ROOT, UnrulyPackage
from tests.standins.programs import Agent
from tests.standins.scenario import VARIABLE, Scenario
from tests.unit.agent.test_guard import Clock

NINE = [f"unruly-{number}" for number in range(9)]
EIGHT = NINE[:8]


@pytest.fixture
def unruly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnrulyPackage]:
    """Installed where this process and its children look for modules."""
    package = UnrulyPackage(tmp_path / "site")
    monkeypatch.syspath_prepend(package.site)
    monkeypatch.setenv("PYTHONPATH", str(package.site))
    yield package
    package.obey_no_more()
    sys.modules.pop("unruly_source", None)


class Fleet:
    """A guarded source with nine devices, its events and its time."""

    def __init__(self) -> None:
        self.clock = Clock()
        [source] = open_sources({"unruly": "9"}, "n1")
        self.guard = MovingSource(
            source,
            SourceRequest("unruly", "n1", "9"),
            deadline_s=0.1,
            monotonic=self.clock,
            wall_ms=lambda: 1_000,
        )
        self.codes: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def tick(self, *classes: MetricClass) -> dict[str, Sequence[Value]]:
        now_s = self.clock()
        self.guard.start_tick(classes or ("fast",), now_s, now_s + 0.5)
        values = {info.uid: row for info, metric_class, row in self.guard.collect(1.0) if metric_class == "fast"}
        for event in self.guard.events():
            self.codes.append((event.code, event.uid))
            self.texts.append(event.text)
        return values

    def present(self) -> set[str]:
        return {uid for uid, row in self.tick().items() if not any(isinstance(value, Absent) for value in row)}

    def reasons(self) -> set[str]:
        values = [value for row in self.tick().values() for value in row]
        return {value.reason for value in values if isinstance(value, Absent)}

    def pid(self) -> int:
        """The process that the source is asked in, as it says itself."""
        self.tick("fast", "processes")
        pids = {one.pid for _, held in self.guard.processes() if not isinstance(held, Absent) for one in held}
        return pids.pop() if pids else 0


@pytest.fixture
def fleet(unruly: UnrulyPackage) -> Iterator[Fleet]:
    fleet = Fleet()
    fleet.guard.discover(30.0)
    assert fleet.present() == set(NINE)
    assert fleet.pid() == os.getpid()
    yield fleet
    fleet.guard.close()


@pytest.fixture
def moved(fleet: Fleet, unruly: UnrulyPackage) -> Fleet:
    """Eight calls have hung, and hang no more."""
    for number in range(8):
        unruly.tell(str(number), "hang")
    until(lambda: ("source_moved", "") in fleet.codes or fleet.tick() is None, 60)
    return fleet


def well_again(fleet: Fleet, unruly: UnrulyPackage) -> None:
    for number in range(8):
        unruly.tell(str(number))
    # Also in this process, whose threads would obey the next order.
    until(lambda: fleet.present() == set(NINE) and not fleet.guard.stats().abandoned, 60)
    fleet.codes.clear()


def test_eight_hung_calls_move_the_source_and_its_devices_come_back(moved: Fleet, unruly: UnrulyPackage) -> None:
    assert moved.codes == [("device_quarantined", uid) for uid in EIGHT] + [("source_moved", "")]
    # The ninth, which this process could no longer ask, is read there; what hangs there too is known already.
    until(lambda: moved.present() == {"unruly-8"}, 60)
    assert moved.pid() not in (0, os.getpid())
    until(lambda: moved.guard.stats().quarantined == 8, 60)
    assert moved.guard.stats().abandoned == 16
    assert moved.reasons() == {"quarantined: fast has not returned within 0.1 s"}
    assert moved.codes[9:] == []
    for number in range(8):
        unruly.tell(str(number))
    until(lambda: moved.present() == set(NINE), 60)
    assert sorted(moved.codes[9:]) == [("device_back", uid) for uid in EIGHT]
    until(lambda: moved.tick() and not moved.guard.stats().abandoned, 60)
    assert moved.guard.stats().quarantined == 0


def test_a_process_that_crashes_is_started_again_later(moved: Fleet, unruly: UnrulyPackage) -> None:
    well_again(moved, unruly)
    unruly.tell("3", "crash")
    until(lambda: moved.present() == set(), 60)
    assert moved.reasons() == {"its process ended by signal 9"}
    assert moved.codes == [("source_process_ended", "")]
    assert moved.guard.stats().quarantined == 9
    unruly.tell("3")
    moved.clock.ahead_s += 2.1
    until(lambda: moved.present() == set(NINE), 60)
    assert moved.codes == [("source_process_ended", "")], "no device was told to be lost"


def test_a_process_that_says_nothing_is_ended_and_one_that_cannot_be_is_counted(
    moved: Fleet, unruly: UnrulyPackage
) -> None:
    well_again(moved, unruly)
    stopped = moved.pid()
    os.kill(stopped, signal.SIGSTOP)
    assert moved.reasons() == {"not read in time"}
    moved.clock.ahead_s += 16
    assert moved.reasons() == {"its process has not answered for 15 s"}
    until(lambda: moved.tick() and not moved.guard.stats().abandoned, 60)
    with pytest.raises(ProcessLookupError):
        os.kill(stopped, 0)
    moved.clock.ahead_s += 2.1
    until(lambda: moved.present() == set(NINE), 60)


def test_closing_ends_the_process_also_while_it_hangs(moved: Fleet, unruly: UnrulyPackage) -> None:
    until(lambda: moved.present() == {"unruly-8"}, 60)
    pid = moved.pid()
    unruly.tell("close", "hang")
    moved.guard.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_ends_with_the_agent_even_if_it_is_stopped(unruly: UnrulyPackage) -> None:
    for number in range(8):
        unruly.tell(str(number), "hang")
    program = textwrap.dedent("""
        import threading
        from tests.integration.agent.test_source_process import Fleet
        fleet = Fleet()
        fleet.guard.discover(30.0)
        while not (pid := fleet.pid()) or pid == __import__("os").getpid():
            pass
        print(pid, flush=True)
        threading.Event().wait()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ
    ) as agent:
        assert agent.stdout is not None
        pid = int(agent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        agent.kill()
    until(lambda: is_gone(pid), 60)


def is_gone(pid: int) -> bool:
    """Nobody here may wait for it: it may be a zombie of whoever adopts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def test_an_agent_whose_devices_are_well_loads_nothing_of_it() -> None:
    code = "import sys, steelyard_agent.sampling.guards; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "steelyard_agent.devices.moving" in loaded
    assert not {"steelyard_agent.devices.outside", "steelyard_agent.devices.channel", "subprocess"} & set(loaded)


def test_a_vendors_devices_come_back_in_the_real_agent(tmp_path: Path) -> None:
    """A driver that is stuck for all GPUs of a node: what hangs in the agent's own process is not waited for."""
    build("nvml", tmp_path / "nvml")
    scenario = Scenario(tmp_path / "scenario", devices=8)
    environ = {"LD_LIBRARY_PATH": str(tmp_path / "nvml"), VARIABLE: str(scenario.path)}
    settings = ("sources.host=false", "sources.cpu=false", "sampling.call_deadline_ms=100")
    with IngestServer(Behaviour(flush_ms=200)) as server:
        agent = Agent(tmp_path, server.address, *settings, environ=environ)
        agent.start()
        try:
            until(lambda: min(counted(server).values(), default=0) >= 5 and len(counted(server)) == 8, 60)
            scenario.set({"hung": 600})
            until(lambda: "source_moved" in told(server), 60)
            assert told(server).count("device_quarantined") == 8
            scenario.drop("hung")
            until(lambda: told(server).count("device_back") == 8, 60)
            before = counted(server)
            until(lambda: min(count - before[uid] for uid, count in counted(server).items()) >= 10, 60)
            assert agent.terminate() < 5
            assert agent.code == 0, agent.said
        finally:
            agent.kill()
    assert server.seen.faults == []


@dataclass
class Gpus:
    """Eight stand-in GPUs, guarded as in the agent; a process of its own has the library by the loader's path."""

    guard: MovingSource
    scenario: Scenario
    library: Path
    codes: list[str] = field(default_factory=list)

    def present(self) -> int:
        """How many GPUs gave figures at a tick."""
        now_s = time.monotonic()
        self.guard.start_tick(("fast",), now_s, now_s + 0.5)
        rows = [values for _info, _class, values in self.guard.collect(5.0)]
        self.codes += [event.code for event in self.guard.events()]
        return sum(isinstance(values[0], float) for values in rows)

    def live_samples(self) -> int:
        """GPM's buffers that this process hasn't given back."""
        return int(ctypes.CDLL(str(self.library)).standin_live_samples())


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpus]:
    library = build("nvml", tmp_path / "nvml")
    scenario = Scenario(tmp_path / "scenario", devices=8, hangs_in=os.getpid())
    monkeypatch.setenv(VARIABLE, str(scenario.path))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    guard = MovingSource(
        NvmlSource(library_paths=[str(library)]),
        SourceRequest("nvml", "n1", ""),
        deadline_s=0.5,
        monotonic=time.monotonic,
        wall_ms=lambda: 1_000,
    )
    yield Gpus(guard, scenario, library)
    scenario.drop("hung")
    guard.close()


def test_gpus_that_hang_in_the_agent_are_read_by_a_process_and_nothing_is_left_behind(gpus: Gpus) -> None:
    samples, threads, files = gpus.live_samples(), set(threading.enumerate()), open_files()
    gpus.guard.discover(30.0)
    until(lambda: gpus.present() == 8)
    gpus.codes.clear()
    gpus.scenario.set({"hung": 600})
    assert gpus.present() < 8
    until(lambda: gpus.present() == 8, 60)
    assert gpus.codes.count("device_quarantined") == 8
    assert gpus.codes.index("source_moved") == 8
    assert gpus.codes.count("device_back") == 8
    # They hang on in this process.
    until(lambda: gpus.guard.stats().abandoned == 8)
    [child] = psutil.Process().children()
    gpus.scenario.drop("hung")
    # What was held here is given back, and the figures go on.
    until(lambda: gpus.present() == 8 and gpus.live_samples() == samples, 60)
    until(lambda: not [one for one in set(threading.enumerate()) - threads if one.is_alive()])
    assert gpus.guard.stats().abandoned == 0
    before = child.num_fds(), child.num_threads()
    for _ in range(50):
        gpus.present()
    assert (child.num_fds(), child.num_threads()) == before
    gpus.guard.close()
    assert not child.is_running()
    gc.collect()
    assert not open_files() - files


def test_a_process_whose_gpus_hang_too_is_closed_all_the_same(gpus: Gpus) -> None:
    gpus.guard.discover(30.0)
    gpus.scenario.set({"hung": 600})
    assert gpus.present() < 8
    until(lambda: gpus.present() == 8, 60)
    [child] = psutil.Process().children()
    gpus.scenario.set({"hangs_in": child.pid})
    until(lambda: gpus.present() == 0, 60)
    gpus.guard.close()
    assert not child.is_running()


class Npus(Gpus):
    """Eight stand-in NPUs whose library can be replaced under the agent."""

    def upgrade(self, release: int) -> None:
        """Puts another file where the library is, after which the one that is loaded refuses."""
        newer = self.library.with_name("newer")
        shutil.copy(self.library, newer)
        self.scenario.set({"release": release})
        os.replace(newer, self.library)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def npus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Npus]:
    library = build("dcmi", tmp_path / "dcmi")
    scenario = Scenario(tmp_path / "scenario")
    monkeypatch.setenv(VARIABLE, str(scenario.path))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    guard = MovingSource(
        DcmiSource(library_paths=[str(library)], node="n1"),
        SourceRequest("dcmi", "n1", ""),
        deadline_s=0.5,
        monotonic=clock,
        wall_ms=lambda: 1_000,
    )
    yield Npus(guard, scenario, library)
    guard.close()
    assert psutil.Process().children() == []


def test_a_library_that_was_replaced_under_the_agent_is_loaded_by_a_new_process(npus: Npus, clock: Clock) -> None:
    """DCMI can't be ended, so its old library stays in the process that has loaded it."""

    def are_back() -> bool:
        # The next look for devices, which comes by itself after minutes.
        clock.ahead_s += 301
        return npus.present() == 8

    npus.guard.discover(30.0)
    until(lambda: npus.present() == 8)
    npus.scenario.set({"error.dcmi_get_card_list": -8012, "error.dcmi_init": -8012})
    until(lambda: "discover_failed" in npus.codes or are_back() is None, 60)
    npus.scenario.drop("error.dcmi_get_card_list", "error.dcmi_init")
    until(are_back, 60)
    assert "source_moved" not in npus.codes, "a driver that was reloaded with the same library needs no new process"
    npus.upgrade(2)
    until(lambda: are_back() is None or "source_moved" in npus.codes, 60)
    until(lambda: npus.present() == 8, 60)
    [first] = psutil.Process().children()
    npus.upgrade(3)
    until(lambda: npus.present() == 8 and not first.is_running(), 60)


def test_a_replaced_library_that_refuses_by_a_code_of_no_meaning_is_left_within_seconds(
    npus: Npus, clock: Clock
) -> None:
    npus.scenario.set({"refusal": -8999})
    npus.guard.discover(30.0)
    until(lambda: npus.present() == 8)
    # Longer than seconds, however slow this machine is, and less than until the look that comes by itself.
    npus.upgrade(2)
    npus.present()
    clock.ahead_s += 60
    until(lambda: npus.present() == 8, 60)
    assert "source_moved" in npus.codes
    assert npus.codes.count("device_lost") == 8


def told(server: IngestServer) -> list[str]:
    return [event.code for records in server.seen.records(batch_pb2.KIND_EVENT) for event in records.events]
