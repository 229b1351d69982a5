"""One simulated node: an agent's own spool, directory, gatherer and sender, over devices that don't exist."""

import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.guard import Holders
from steelyard_agent.devices.simulator.source import SimulatorSource
from steelyard_agent.directory import Directory, Identity
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.watch import JobWatch
from steelyard_agent.model import Absent, DeviceInfo, Event, Value
from steelyard_agent.node import agent_id
from steelyard_agent.sampling.gather import Gatherer, Row
from steelyard_agent.sampling.records import event_rows
from steelyard_agent.sending.channel import Target
from steelyard_agent.sending.sender import Sender
from steelyard_agent.simulate.events import moments, state_event
from steelyard_agent.simulate.host import CPUS, FAST, MEMORY_BYTES, SLOW, SimulatedHost
from steelyard_agent.simulate.plan import NodeJob, NodePlan
from steelyard_agent.simulate.profiles import SimulatedProfiler, Window
from steelyard_agent.simulate.steps import JobSteps, by_minute, step_rows, training_rows
from steelyard_agent.simulate.trainers import SimulatedTrainers
from steelyard_agent.simulate.truth import Truth, TruthfulSink
from steelyard_agent.spool.ring import Ring
from steelyard_agent.version import VERSION
from steelyard_proto.errors import DeviceLost
from steelyard_proto.metrics import MetricClass, catalogue
from steelyard_proto.v1 import batch_pb2, ingest_pb2

FAST_MS: Final = 1000
SLOW_MS: Final = 60_000
_OWN_MS: Final = 10_000
# Messages spooled, sent, acknowledged and lost, the spool's bytes, reconnects, clock offset: what a simulated agent
# knows of itself. Its CPU and memory are the whole simulation's, so it doesn't tell them.
_OWN: Final = (209, 210, 211, 212, 213, 214, 215)
_SPOOL_BYTES: Final = 64_000_000
# Nodes don't sample in the same millisecond.
_MOST_SKEW_MS: Final = 40


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of a simulation share.

    Attributes:
        state_dir: a directory of its own in it for each node.
        now_s: Unix time.
        spool_bytes: what one node's spool may take.
    """

    state_dir: Path
    target: Target
    truth: Truth | None
    seed: int
    now_s: Callable[[], float]
    spool_bytes: int = _SPOOL_BYTES


@dataclass(slots=True)
class _Teller:
    """Tells the steps of one job, once its facts are told."""

    job: NodeJob
    steps: JobSteps
    has_told_facts: bool = False


class SimulatedNode:
    """Ticked by one thread; its sender has a thread of its own, as in the agent."""

    def __init__(
        self, plan: NodePlan, jobs: Sequence[NodeJob], source: SimulatorSource, around: Surroundings, zero_ms: int
    ) -> None:
        """Opens the node's spool; nothing is sent before `start`.

        Args:
            plan: the node.
            jobs: those on it.
            source: its devices, on a clock that may begin in the past.
            around: what all nodes share.
            zero_ms: the Unix time at which the simulation's clock begins.

        Raises:
            SpoolError: the state directory can't be used.
        """
        self.plan = plan
        self.source = source
        state_dir = around.state_dir / plan.name
        self.ring = Ring(state_dir / "spool", around.spool_bytes, self._hello, around.now_s)
        self._now_s = around.now_s
        self._truth = around.truth
        identity = Identity(agent_id(state_dir), f"{VERSION} simulated", _node(plan, source))
        self.directory = Directory(identity)
        self.directory.restore(self.ring.left_hello)
        sink = TruthfulSink(self.ring, around.truth, node=plan.name, agent_id=identity.agent_id)
        sink.learn(self.ring.left_hello)
        self.gatherer = Gatherer(self.directory, catalogue(), sink)
        draw = random.Random(f"{around.seed}/{plan.name}/backoff").random
        self.sender = Sender(self.ring, self.directory, around.target, around.now_s, draw)
        self._zero_ms = zero_ms
        self._trainers = SimulatedTrainers(plan.name, jobs, zero_ms=zero_ms, seed=around.seed)
        self._watch = JobWatch(self._trainers)
        self._tellers = [
            _Teller(job, JobSteps(job.workload, source.now_s())) for job in jobs if job.plan.tokens_per_step
        ]
        self._profiler = SimulatedProfiler(plan.name, around.seed, lambda info: source.faults_of(info.uid))
        self._host = SimulatedHost(f"{around.seed}/{plan.name}")
        self._skew_ms = zlib.crc32(plan.name.encode()) % _MOST_SKEW_MS
        self._infos: list[DeviceInfo] = source.all_devices()
        self._missing: dict[str, str] = {}
        # The fleet's clock began some milliseconds before this node was made.
        self._looked_s = min(0.0, source.now_s())

    def start(self) -> None:
        """Begins to send."""
        self.ring.start()
        self.sender.start()

    def tick(self, ts_ms: int, *, is_slow: bool, is_own: bool, is_past: bool = False) -> None:
        """Samples once.

        Args:
            ts_ms: Unix time.
            is_slow: the slow class too.
            is_own: processes and the agent's own figures too.
            is_past: ticks lie far apart; steps are told with the agent's own figures, those of a minute in one row.
        """
        at_ms = ts_ms + self._skew_ms
        present = self._present(at_ms)
        self._sample("fast", FAST_MS, at_ms, present)
        if is_slow:
            self._sample("slow", SLOW_MS, at_ms, present)
        self._sample_host(at_ms, len(present), is_slow=is_slow)
        if is_own or not is_past:
            self._tell_steps(at_ms, is_past=is_past)
        if is_own:
            self._sample("processes", _OWN_MS, at_ms, present)
            holders: list[Holders] = [(info, self.source.processes(info.uid)) for info in present]
            seen = self._watch.see(at_ms, holders, self.gatherer.key_of)
            self.gatherer.put_records(batch_pb2.KIND_PROCESS, seen.processes)
            self.gatherer.put_records(batch_pb2.KIND_JOB_INTERVAL, seen.intervals)
            self.gatherer.add_node("agent", "slow", _OWN_MS, at_ms, _OWN, self._own_values())

    def flush(self) -> None:
        """Spools what was gathered and has it sent."""
        self.gatherer.flush()
        self.sender.wake()

    def stop(self, timeout_s: float) -> None:
        """Ends the sender, which gets so long for what is unsent, and closes the spool."""
        self.sender.stop(timeout_s)
        self.ring.close()

    @property
    def unacknowledged(self) -> int:
        """Messages in the spool that the collector hasn't acknowledged."""
        return self.ring.waiting()

    def _sample(self, metric_class: MetricClass, period_ms: int, at_ms: int, present: Iterable[DeviceInfo]) -> None:
        rows: list[Row] = []
        for info in present:
            try:
                rows.append((info, self.source.sample(info.uid, metric_class)))
            except DeviceLost:
                # Lost between the look at the faults and now; the next tick notes it.
                continue
        self.gatherer.add_devices(self.source.name, metric_class, period_ms, at_ms, rows)

    def _sample_host(self, at_ms: int, present: int, *, is_slow: bool) -> None:
        load = self.source.running_share() if present else 0.0
        is_late = any("slow_host" in self.source.faults_of(info.uid) for info in self._infos)
        values = self._host.fast(FAST_MS / 1000, load, is_slow=is_late)
        self.gatherer.add_node("host", "fast", FAST_MS, at_ms, FAST, values)
        if is_slow:
            self.gatherer.add_node("host", "slow", SLOW_MS, at_ms, SLOW, self._host.slow())

    def _tell_steps(self, at_ms: int, *, is_past: bool) -> None:
        for teller in self._tellers:
            job = teller.job
            ends = list(teller.steps.until(self.source.now_s()))
            # A process tells its steps whether the driver answers or not.
            held = [info for info in self._infos if job.place.holds(info.index)]
            processes = [(info, who) for info in held if (who := self._process_on(info)) is not None]
            if not ends or not processes:
                continue
            if self._truth is not None and job.place.first_rank == 0:
                self._truth.count(job.plan.id, ends)
            if not teller.has_told_facts:
                teller.has_told_facts = True
                facts = training_rows(job.plan, processes, at_ms, self.gatherer.key_of)
                self.gatherer.put_records(batch_pb2.KIND_TRAINING, facts)
            told = by_minute(ends, self._zero_ms) if is_past else ends
            steps = step_rows(job.plan, told, processes, self._zero_ms, self.gatherer.key_of)
            self.gatherer.put_records(batch_pb2.KIND_STEP, steps)
            end_ms = self._zero_ms + int(ends[-1].at_s * 1000)
            self._tell_profile(self._profiler.window(job, ends, processes, end_ms, self.gatherer.key_of))

    def _tell_profile(self, window: Window | None) -> None:
        if window is not None:
            self.gatherer.put_records(batch_pb2.KIND_PROFILE, [window.profile])
            self.gatherer.put_records(batch_pb2.KIND_PROFILE_ROW, window.rows)
            self.gatherer.put_records(batch_pb2.KIND_STACK, window.stacks)

    def _process_on(self, info: DeviceInfo) -> ProcessFacts | None:
        found = self.source.processes(info.uid)
        return self._trainers.read(found[0].pid) if not isinstance(found, Absent) and found else None

    def _own_values(self) -> tuple[Value, ...]:
        counts, state = self.ring.counts, self.sender.state
        offset = Absent("no collector has answered yet") if state.offset_ms is None else state.offset_ms
        spooled = (counts.spooled, state.sent, state.acked, counts.lost)
        return (*spooled, float(self.ring.bytes_on_disk()), state.reconnects, offset)

    def _present(self, at_ms: int) -> list[DeviceInfo]:
        """The devices that answer; what a guard would note about the others is noted."""
        present: list[DeviceInfo] = []
        events: list[Event] = []
        for info in self._infos:
            faults = self.source.faults_of(info.uid)
            state = "lost" if "lost" in faults else "hung" if "hung" in faults else ""
            if not state:
                present.append(info)
            if state != self._missing.get(info.uid, ""):
                self._missing[info.uid] = state
                events.append(state_event(at_ms, info.uid, state))
        looked_s, self._looked_s = self._looked_s, self.source.now_s()
        events += moments(self.plan.faults, present, looked_s, self._looked_s, self._zero_ms)
        if events:
            keys = {info.uid: self.gatherer.key_of(info) for info in self._infos}
            self.gatherer.put_records(batch_pb2.KIND_EVENT, event_rows(events, keys.get))
        return present

    def _hello(self) -> ingest_pb2.Hello:
        return self.directory.hello(self.ring.epoch, int(self._now_s() * 1000))


def _node(plan: NodePlan, source: SimulatorSource) -> ingest_pb2.Node:
    is_arm = any(info.vendor == "huawei" for info in source.all_devices())
    return ingest_pb2.Node(
        name=plan.name,
        os="simulated",
        kernel="simulated",
        arch="aarch64" if is_arm else "x86_64",
        cpus=CPUS,
        memory_bytes=MEMORY_BYTES,
        origin=batch_pb2.ORIGIN_SIMULATED,
    )
