"""Which processes hold memory of a GPU, by the compute driver's files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.amdgpu.kfd import FOLDER, KfdNode
from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.model import Absent, DeviceProcess, Value

_NOT_LISTED: Final = Absent("the compute driver (kfd) does not list this device's processes")
_OTHER_PIDS: Final = Absent("the agent's container does not see the host's pids")


class Holders:
    """The processes that have memory on one GPU; a process opens all that it sees and uses perhaps one.

    Source: /sys/class/kfd/kfd/proc/PID/vram_ID, in bytes; PID is the host's.
    """

    def __init__(self, nodes: Sequence[KfdNode], sys: Path, proc: Path) -> None:
        """Reads nothing yet.

        Args:
            nodes: of the GPU: several where it is cut into partitions.
            sys: root of sysfs.
            proc: root of procfs.
        """
        self._ids = tuple(node.gpu_id for node in nodes)
        self._folder = sys / FOLDER / "proc"
        self._proc = proc

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

    def _used_bytes(self) -> dict[int, int]:
        """By pid."""
        found: dict[int, int] = {}
        for process in self._folder.iterdir():
            if process.name.isdigit():
                used = sum(_number(process / f"vram_{number}") for number in self._ids)
                if used:
                    found[int(process.name)] = used
        return found


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        # The process ended meanwhile, or has never touched this device.
        return 0
