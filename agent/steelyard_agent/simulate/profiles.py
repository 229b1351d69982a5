"""The windows in which a simulated node's trainers are profiled: one rank of each job in turn, every ten minutes."""

import random
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelyard_agent.devices.simulator.device import own_factor
from steelyard_agent.devices.simulator.faults import FaultKind
from steelyard_agent.devices.simulator.workload import compute_share_at, slowdown_at
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.model import DeviceInfo
from steelyard_agent.simulate.plan import NodeJob
from steelyard_agent.simulate.profile_work import Work, simulated_work
from steelyard_agent.simulate.steps import End
from steelyard_proto.v1 import batch_pb2

PERIOD_MS: Final = 600_000
_STEPS: Final = 3
# Of what a step doesn't compute: exposed communication, copies, waiting for data; the rest is idle.
_EXPOSED, _COPIES, _DATA = 0.72, 0.02, 0.08
# What tensor groups call, and what gradients are summed by, in which ranks wait for one another.
_TENSOR_KIND, _GRADIENT_KIND = "all-reduce", "reduce-scatter"
# As much communication again is hidden behind compute.
_HIDDEN: Final = 1.0
_NOISE: Final = 0.04
_SAMPLED_HZ: Final = 50.0


@dataclass(frozen=True, slots=True)
class Window:
    """One profile with all that belongs to it."""

    profile: batch_pb2.Profile
    rows: list[batch_pb2.ProfileRow]
    stacks: list[batch_pb2.Stack]


@dataclass(frozen=True, slots=True)
class Split:
    """How a device spends a step: shares of it.

    Attributes:
        lost: what the step takes longer than its work.
        lost_in: waiting for data, or a kind of collective.
    """

    compute: float
    lost: float
    lost_in: str


class SimulatedProfiler:
    """Profiles the jobs of one node."""

    def __init__(self, node: str, seed: int, faults_of: Callable[[DeviceInfo], Collection[FaultKind]]) -> None:
        """Args: the node's name, the seed of the noise, what is wrong with a device now."""
        self._faults_of = faults_of
        self._random = random.Random(f"{seed}/{node}/profiles")
        self._due_ms: dict[str, int] = {}
        self._turn: dict[str, int] = {}

    def window(
        self,
        job: NodeJob,
        ends: Sequence[End],
        processes: Sequence[tuple[DeviceInfo, ProcessFacts]],
        end_ms: int,
        key_of: Callable[[DeviceInfo], int],
    ) -> Window | None:
        """The window that ended with the newest step; None where none is due.

        Args:
            job: whose trainers.
            ends: its newest steps; a checkpoint is not profiled.
            processes: its trainers on this node, with their devices.
            end_ms: Unix time of the newest step's end.
            key_of: the agent's number of a device.
        """
        name = job.plan.id
        if end_ms < self._due_ms.get(name, 0) or ends[-1].is_checkpoint or not processes:
            return None
        # Nodes and jobs are not profiled all at once, but the first time: who looks on doesn't wait.
        self._due_ms[name] = end_ms + int(PERIOD_MS * self._random.uniform(0.9, 1.1))
        turn = self._turn[name] = self._turn.get(name, -1) + 1
        info, who = processes[turn % len(processes)]
        faults, at_s = self._faults_of(info), ends[-1].at_s
        compute = compute_share_at(job.workload, at_s, own_factor(faults))
        # What a step has beyond its work is a wait for whoever holds it up, or is how it is held up.
        lost = max(0.0, 1 - compute - (1 - job.workload.compute_share) / slowdown_at(job.workload, at_s))
        if "slow_host" in faults:
            split = Split(compute, lost, "data wait")
        elif self._has_slow_link(job, processes, who):
            split = Split(compute, lost, _TENSOR_KIND)
        else:
            split = Split(compute, lost, _GRADIENT_KIND)
        return _window(job, info, who, key_of(info), end_ms, ends[-1].took_s, split, self._random)

    def _has_slow_link(
        self, job: NodeJob, processes: Sequence[tuple[DeviceInfo, ProcessFacts]], who: ProcessFacts
    ) -> bool:
        """Whether a rank of its tensor group has one; groups don't go beyond a node."""
        size = job.plan.tensor_parallel
        if size < 1 or who.ranks.rank is None:
            return False
        group = who.ranks.rank // size
        return any(
            other.ranks.rank is not None and other.ranks.rank // size == group and "slow_link" in self._faults_of(info)
            for info, other in processes
        )


def _window(
    job: NodeJob,
    info: DeviceInfo,
    who: ProcessFacts,
    key: int,
    end_ms: int,
    step_s: float,
    split: Split,
    chance: random.Random,
) -> Window:
    window_ns = int(_STEPS * step_s * 1e9)
    ts_ms = end_ms - int(_STEPS * step_s * 1000)
    tag: dict[str, Any] = {
        "ts_ms": ts_ms, "device": key, "job": who.job.id, "rank": who.ranks.rank,
        "profile": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    }  # fmt: skip
    compute_ns = int(window_ns * min(0.98, split.compute * _near(chance)))
    lost_ns = min(window_ns - compute_ns, int(window_ns * split.lost))
    rest_ns = window_ns - compute_ns - lost_ns
    exposed_ns, copies_ns, data_ns = (int(rest_ns * share * _near(chance)) for share in (_EXPOSED, _COPIES, _DATA))
    exposed = list(_shared("communication", exposed_ns, info.vendor, chance))
    if split.lost_in == "data wait":
        data_ns += lost_ns
    else:
        exposed = [(work, ns + lost_ns * (work.class_name == split.lost_in)) for work, ns in exposed]
        exposed_ns += lost_ns
    idle_ns = window_ns - compute_ns - exposed_ns - copies_ns
    overlapped_ns = min(compute_ns, int(exposed_ns * _HIDDEN * _near(chance)))
    pieces = list(_shared("compute", compute_ns, info.vendor, chance))
    others = [
        ("memory copy", "memory copy", copies_ns),
        ("idle", "data wait", data_ns),
        ("idle", "idle", idle_ns - data_ns),
    ]
    parts = [*_by_class(pieces), *_by_class(exposed), *others]
    whole = [*pieces, *((work, ns + overlapped_ns * ns // max(exposed_ns, 1)) for work, ns in exposed)]
    flops = 6 * job.plan.parameters * job.plan.tokens_per_step / max(who.ranks.world_size or 1, 1) * _STEPS
    calls = {work.operator: work.calls * _STEPS for work, _ in whole}
    profile = batch_pb2.Profile(
        ts_ms=ts_ms, device=key, id=tag["profile"], written_ms=end_ms, pid=who.pid, start_ms=who.start_ms,
        job=who.job.id, run=who.job.id, rank=who.ranks.rank, world_size=who.ranks.world_size,
        profiler="npu_trace" if info.vendor == "huawei" else "kineto", cause="continuous", state="stored", to_ms=end_ms,
        format="Ascend" if info.vendor == "huawei" else "torch.profiler", chip=info.name, devices=1, steps=_STEPS,
        window_ns=window_ns, compute_ns=compute_ns, communication_ns=exposed_ns + overlapped_ns,
        overlapped_ns=overlapped_ns, memory_copy_ns=copies_ns, idle_ns=idle_ns, data_wait_ns=data_ns,
        kernels=sum(calls.values()), kernels_ns=sum(ns for _, ns in whole), gaps=sum(calls.values()) // 20,
        longest_gap_ns=max(idle_ns // 6, 1), loss_s=0.04 * step_s * _near(chance), loss_low_s=0.0,
        loss_high_s=0.09 * step_s, with_stacks=True, with_shapes=True,
        samples=int(_STEPS * step_s * _SAMPLED_HZ), sampled_hz=_SAMPLED_HZ,
    )  # fmt: skip
    rows = [
        *(batch_pb2.ProfileRow(by="part", layer=layer, name=name, total_ns=ns, **tag) for layer, name, ns in parts),
        *(row for work, ns in whole for row in _rows(work, ns, info.vendor, flops, tag)),
    ]
    seen = [*_device_stacks(whole, info.vendor, tag), *_sampled_stacks(profile, tag)]
    return Window(profile, rows, seen)


def _near(chance: random.Random) -> float:
    return chance.uniform(1 - _NOISE, 1 + _NOISE)


def _shared(layer: str, total_ns: int, vendor: str, chance: random.Random) -> Iterator[tuple[Work, int]]:
    """The layer's time over its operators; the largest has what rounding leaves."""
    known = [work for work in simulated_work() if work.layer == layer and vendor in work.kernels]
    weights = [work.share * _near(chance) for work in known]
    times = [int(total_ns * weight / sum(weights)) for weight in weights]
    times[0] += total_ns - sum(times)
    yield from zip(known, times, strict=True)


def _by_class(pieces: Sequence[tuple[Work, int]]) -> list[tuple[str, str, int]]:
    sums: dict[tuple[str, str], int] = {}
    for work, ns in pieces:
        key = (work.layer, work.class_name)
        sums[key] = sums.get(key, 0) + ns
    return [(layer, name, ns) for (layer, name), ns in sums.items()]


def _rows(work: Work, ns: int, vendor: str, flops: float, tag: dict[str, Any]) -> Iterator[batch_pb2.ProfileRow]:
    count = work.calls * _STEPS
    mean_ns = ns // count
    times: dict[str, Any] = {"total_ns": ns, "min_ns": mean_ns * 7 // 10, "max_ns": mean_ns * 16 // 10}
    both: dict[str, Any] = {"class_name": work.class_name, "count": count, **tag}
    core = "AI_CORE" if vendor == "huawei" else "stream 7" if work.layer == "compute" else "stream 20"
    done = flops * work.share if work.class_name == "matmul" and flops else None
    yield batch_pb2.ProfileRow(by="operator", name=work.operator, core=core, flops=done, **times, **both)
    yield batch_pb2.ProfileRow(by="type", name=work.kernels[vendor], core=core, **times, **both)
    host_ns = 9_000 * count
    yield batch_pb2.ProfileRow(
        by="call", name=work.operator, core="cpu_op", total_ns=host_ns, self_ns=host_ns * 2 // 3, min_ns=6_000,
        max_ns=31_000, **both,
    )  # fmt: skip


def _device_stacks(pieces: Sequence[tuple[Work, int]], vendor: str, tag: dict[str, Any]) -> Iterator[batch_pb2.Stack]:
    for work, ns in pieces:
        frames = [*work.callers, work.operator, work.kernels[vendor]]
        yield batch_pb2.Stack(kind="device", frames=frames, duration_ns=ns, **tag)


def _sampled_stacks(profile: batch_pb2.Profile, tag: dict[str, Any]) -> Iterator[batch_pb2.Stack]:
    data = profile.samples * profile.data_wait_ns // profile.window_ns
    for frames, samples, waits in (
        (["train.py(88): main", "train.py(37): batches", "dataloader.py: _next_data", "queue.py: get"], data, "data"),
        (["train.py(88): main", "train.py(49): step", "Tensor.item"], profile.samples * 6 // 10, "device"),
        (["train.py(88): main", "train.py(41): step", "model.py(130): Block.forward"],
         profile.samples - data - profile.samples * 6 // 10, ""),
    ):  # fmt: skip
        if samples:
            yield batch_pb2.Stack(
                kind="sampled", frames=frames, samples=samples, waits=waits, thread="MainThread", **tag
            )
