"""Which processes hold memory of a GPU, and how much of it their waves fill, by the compute driver's files."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.amdgpu.kfd import FOLDER, KfdNode
from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.model import Absent, DeviceProcess, Value

_NOT_LISTED: Final = Absent("the compute driver (kfd) does not list this device's processes")
_OTHER_PIDS: Final = Absent("the agent's container does not see the host's pids")
_UNTOLD: Final = Absent("no process on the device tells its occupancy")
_OCCUPANCY_PERIOD_S: Final = 10.0

OCCUPANCY_NOTE: Final = "of the compute processes, at a moment in the last 10 s"


class Holders:
    """The processes that have memory on one GPU or partition; a process opens all that it sees and uses perhaps one.

    Source: /sys/class/kfd/kfd/proc/PID/vram_ID, in bytes, and PID/stats_ID/cu_occupancy, in compute units that its
    waves would fill (refused where the chip can't tell); PID is the host's.
    """

    def __init__(self, nodes: tuple[KfdNode, ...], sys: Path, proc: Path, clock: Callable[[], float]) -> None:
        """Reads nothing yet.

        Args:
            nodes: the compute driver's of it.
            sys: root of sysfs.
            proc: root of procfs.
            clock: monotonic seconds.
        """
        self._ids = tuple(node.gpu_id for node in nodes)
        self._compute_units = sum(node.compute_units for node in nodes)
        self._folder = sys / FOLDER / "proc"
        self._proc = proc
        self._clock = clock
        self._occupancy: Value = _UNTOLD
        self._next_s = float("-inf")

    def read(self) -> Sequence[DeviceProcess] | Absent:
        """Those that have memory on the device."""
        if not self._ids or not self._folder.is_dir():
            return _NOT_LISTED
        if not sees_host_pids(self._proc):
            return _OTHER_PIDS
        return [DeviceProcess(pid, used) for pid, used in sorted(self._used_bytes().items())]

    def count(self) -> tuple[Value]:
        """How many there are, which does not hang on whose pids the agent sees."""
        return (float(len(self._used_bytes())) if self._folder.is_dir() else _NOT_LISTED,)

    @property
    def has_occupancy(self) -> bool:
        """Whether it is known how many compute units there are to fill."""
        return self._compute_units > 0

    def occupancy(self) -> tuple[Value]:
        """The waves of all processes against those that fit, at a moment in the last ten seconds.

        The driver asks the shader engines for it one by one: too much for each tick.
        """
        now_s = self._clock()
        if now_s >= self._next_s:
            told = list(self._filled_units()) if self._folder.is_dir() else []
            self._occupancy = min(sum(told) / self._compute_units, 1.0) if told else _UNTOLD
            self._next_s = now_s + _OCCUPANCY_PERIOD_S
        return (self._occupancy,)

    def _filled_units(self) -> Iterator[int]:
        """Of each process that tells it."""
        for process in self._folder.iterdir():
            for number in self._ids:
                units = _number(process / f"stats_{number}/cu_occupancy")
                if units is not None:
                    yield units

    def _used_bytes(self) -> dict[int, int]:
        """By pid."""
        found: dict[int, int] = {}
        for process in self._folder.iterdir():
            if process.name.isdigit():
                used = sum(_number(process / f"vram_{number}") or 0 for number in self._ids)
                if used:
                    found[int(process.name)] = used
        return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        # The process ended meanwhile, or has never touched this device, or the chip doesn't tell.
        return None
