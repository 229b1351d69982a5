"""Lays profiles beside the steps that the training watch tells, so that both go to the spool by one way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from steelyard_agent.devices.guard import Holders
from steelyard_agent.model import Absent, DeviceInfo
from steelyard_agent.profiling.rows import Result
from steelyard_agent.profiling.service import Gathered
from steelyard_agent.training.watch import Teller, Told
from steelyard_proto.v1 import batch_pb2


class Profiles(Protocol):
    """Gives profiles; see service.py."""

    def note_steps(self, steps: Sequence[batch_pb2.Step]) -> None:
        """Takes steps that processes told."""
        ...

    def note_holders(self, devices: Mapping[int, tuple[DeviceInfo, ...]]) -> None:
        """Takes the processes that hold devices now."""
        ...

    def take(self) -> Gathered:
        """What has come since the last call."""
        ...


class ProfilingTeller:
    """A teller of steps and of profiles. Used by the sampling thread alone."""

    def __init__(self, inner: Teller | None, profiles: Profiles) -> None:
        """Args: who tells steps, if anybody does; who gives profiles."""
        self._inner = inner
        self._profiles = profiles
        # By process: the device that it said it trains on, else the first that it holds.
        self._told: dict[int, int] = {}
        self._held: dict[int, DeviceInfo] = {}

    def look(self, holders: Sequence[Holders]) -> None:
        """Takes who holds the devices now."""
        if self._inner is not None:
            self._inner.look(holders)
        looked = [(info, found) for info, found in holders if not isinstance(found, Absent)]
        # What trains on an accelerator has its CPU side too.
        looked.sort(key=lambda pair: pair[0].kind != "cpu")
        self._held = {process.pid: info for info, found in looked for process in found}
        held: dict[int, tuple[DeviceInfo, ...]] = {}
        for info, found in looked:
            for process in found:
                held[process.pid] = (*held.get(process.pid, ()), info)
        self._profiles.note_holders(held)
        self._told = {pid: key for pid, key in self._told.items() if pid in self._held}

    def take(self, now_ms: int, key_of: Callable[[DeviceInfo], int]) -> Told:
        """What came since the last call, oldest first."""
        told = Told() if self._inner is None else self._inner.take(now_ms, key_of)
        if told.steps:
            self._told |= {step.pid: step.device for step in told.steps if step.HasField("device")}
            self._profiles.note_steps(told.steps)
        gathered = self._profiles.take()
        if not gathered.results and not gathered.events:
            return told
        for result in gathered.results:
            self._place(result, key_of)
        return replace(
            told,
            events=[*told.events, *gathered.events],
            profiles=[result.profile for result in gathered.results],
            profile_rows=[row for result in gathered.results for row in result.rows],
            stacks=[stack for result in gathered.results for stack in result.stacks],
        )

    def _place(self, result: Result, key_of: Callable[[DeviceInfo], int]) -> None:
        pid = result.profile.pid
        key = self._told.get(pid)
        if key is None and pid in self._held:
            key = key_of(self._held[pid])
        if key is not None:
            result.profile.device = key
            for row in result.rows:
                row.device = key
            for stack in result.stacks:
                stack.device = key
