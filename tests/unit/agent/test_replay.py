import json
import zlib
from pathlib import Path

import pytest

from steelyard_agent.devices.replay import ReplaySource, open_replay
from steelyard_agent.devices.simulator.faults import Fault
from steelyard_agent.devices.simulator.source import SimulatorSource
from steelyard_agent.devices.simulator.workload import Workload
from steelyard_agent.jobs.facts import ProcessReader
from steelyard_agent.jobs.watch import JobWatch, open_reader, open_watch
from steelyard_agent.model import Absent
from steelyard_agent.sending.channel import Target
from steelyard_agent.simulate.node import SimulatedNode, Surroundings
from steelyard_agent.simulate.plan import JobPlan, NodePlan, NodeSpan, place
from steelyard_agent.simulate.truth import Truth
from steelyard_agent.spool.record import read_frames
from steelyard_proto.errors import ConfigError, DeviceLost, SpoolError

START_S = 1_700_000_000.0
SECONDS = 60


class Simulation:
    """A simulated node that spools a minute, and its spool as a recording."""

    def __init__(self, path: Path, *faults: Fault) -> None:
        self.at_s = 0.0
        job = JobPlan("48", "llama", (NodeSpan("n"),), user="ines", workload=Workload(from_s=-600.0))
        self.plan = place([NodePlan("n", "H100", 2)], [job], {"n": faults})
        node = self.plan.nodes[0]
        self.source = SimulatorSource(self.plan.groups(node), node="n", clock=lambda: self.at_s)
        self.truth = path / "truth.jsonl"
        self._told = Truth(self.truth, self.plan)
        around = Surroundings(path, Target("localhost:1"), self._told, 1, lambda: START_S + self.at_s)
        self.node = SimulatedNode(node, self.plan.jobs_on(node), self.source, around, int(START_S * 1000))
        self.node.ring.start()
        self.file = path / "minute.steelyard"
        self._spool = path / "n/spool"

    def record(self) -> Path:
        for number in range(SECONDS):
            self.at_s += 1.0
            ts_ms = int((START_S + self.at_s) * 1000)
            self.node.tick(ts_ms, is_slow=number == 0, is_own=number % 10 == 0)
            if number % 5 == 4:
                self.node.gatherer.flush()
        self.node.ring.close()
        self._told.close()
        segments = sorted(self._spool.glob("segment-*"))
        self.file.write_bytes(zlib.compress(b"".join(path.read_bytes() for path in segments)))
        return self.file


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return Simulation(tmp_path).record()


class Player:
    """A recording played on a clock that the test moves."""

    def __init__(self, path: Path, **options: object) -> None:
        self.now_s = 500.0
        self.source = ReplaySource(path, clock=lambda: self.now_s, wall_ms=lambda: 9_000_000_000, **options)  # type: ignore[arg-type]
        self.infos = self.source.discover()
        # It begins to play.
        self.source.processes(self.infos[0].uid)

    def sample(self, number: int = 0, metric_class: str = "fast") -> list[object]:
        return list(self.source.sample(self.infos[number].uid, metric_class))  # type: ignore[arg-type]


def test_devices_are_as_they_were_and_marked(recording: Path) -> None:
    player = Player(recording)
    assert [(info.uid, info.chip, info.origin) for info in player.infos] == [
        ("sim:n:0", "H100", "replayed"),
        ("sim:n:1", "H100", "replayed"),
    ]
    assert set(player.infos[0].metrics) == {"fast", "slow", "processes"}


def test_the_minutes_sums_are_those_of_the_simulation(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    player = Player(simulation.record())
    lines = [json.loads(line) for line in simulation.truth.read_text().splitlines()]
    power = player.infos[0].metrics["fast"].index(23)
    total = 0.0
    for second in range(SECONDS):
        player.now_s = 500.0 + second
        values = [player.sample(number)[power] for number in (0, 1)]
        total += sum(values)  # type: ignore[arg-type]
    told = [line["values"]["23"] for line in lines if "23" in line.get("values", ())]
    assert sum(count for count, _ in told) == 2 * SECONDS
    assert total == pytest.approx(sum(value for _, value in told), rel=1e-9)


def test_counters_rise_as_they_did(recording: Path) -> None:
    player = Player(recording)
    place_ = player.infos[0].metrics["fast"].index(25)
    energies = []
    for second in range(0, SECONDS, 10):
        player.now_s = 500.0 + second
        energies.append(player.sample()[place_])
    assert energies == sorted(energies)  # type: ignore[type-var]
    assert len(set(energies)) == len(energies)


def test_twice_as_fast_is_over_in_half_the_time(recording: Path) -> None:
    once, twice = Player(recording), Player(recording, speed=2.0)
    once.now_s = 520.0
    twice.now_s = 510.0
    assert once.sample() == twice.sample()
    twice.now_s = 530.4
    assert twice.sample(), "a tick that is late is no loss of the device"
    twice.now_s = 531.0
    with pytest.raises(DeviceLost, match="ended"):
        twice.sample()
    assert twice.source.discover() == []
    waiting = ReplaySource(recording, clock=lambda: twice.now_s)
    waiting.discover()
    twice.now_s = 9999.0
    assert waiting.sample(waiting.discover()[0].uid, "fast"), "it begins with the first reading, however late"
    assert once.sample()


def test_what_was_absent_is_absent_again(tmp_path: Path) -> None:
    player = Player(Simulation(tmp_path, Fault("lost", 1, 20.0, 40.0)).record())
    player.now_s = 530.0
    assert all(isinstance(value, Absent) for value in player.sample(1))
    assert not any(isinstance(value, Absent) for value in player.sample(0))
    player.now_s = 545.0
    assert not any(isinstance(value, Absent) for value in player.sample(1))


def test_the_host_is_a_source_of_its_own(recording: Path) -> None:
    player = Player(recording, entity="host")
    [info] = player.infos
    assert (info.uid, player.source.capabilities.entity) == ("host", "host")
    assert 0 < player.sample()[0] < 1  # type: ignore[operator]


def test_processes_and_jobs_are_those_of_the_recording(recording: Path) -> None:
    player = Player(recording)
    assert isinstance(player.source, ProcessReader)
    player.now_s = 505.0
    uid = player.infos[1].uid
    player.sample(1)
    held = player.source.processes(uid)
    watch: JobWatch = open_watch(open_reader("other"), [object(), player.source])
    seen = watch.see(0, [(player.infos[1], held)], lambda info: info.index)
    [interval] = seen.intervals
    assert (interval.job, interval.name, interval.scheduler, interval.user) == ("48", "llama", "slurm", "ines")
    assert (list(interval.ranks), interval.world_size) == ([1], 2)
    [process] = seen.processes
    # Ten minutes before the recording began, as then.
    assert process.start_ms == pytest.approx(9_000_000_000 - 600_000, abs=2_000)


def test_a_speed_may_follow_the_path(recording: Path) -> None:
    assert open_replay(f"{recording}@10x").name == "replay"
    for wrong in ("@0x", "@99999x", "@fastx"):
        with pytest.raises(ConfigError):
            open_replay(f"{recording}{wrong}")


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_file_is_told(recording: Path, damage: str) -> None:
    data = recording.read_bytes()
    recording.write_bytes({"cut": data[: len(data) // 2], "text": b"no recording", "empty": b""}[damage])
    with pytest.raises(SpoolError, match="minute"):
        ReplaySource(recording).discover()


def test_a_recording_without_samples_is_told(recording: Path) -> None:
    raw = zlib.decompress(recording.read_bytes())
    segment = recording.with_name("segment")
    segment.write_bytes(raw)
    with segment.open("rb") as file:
        first = next(read_frames(file))
    recording.write_bytes(zlib.compress(raw[: first.end]))
    with pytest.raises(SpoolError, match="no samples"):
        ReplaySource(recording).discover()
