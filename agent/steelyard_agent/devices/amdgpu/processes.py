"""Which processes hold memory of a GPU, by the compute driver's files."""

from collections.abc import Sequence
from pathlib import Path

from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.model import Absent, DeviceProcess


def holders(sys: Path, proc: Path, kfd_id: int) -> Sequence[DeviceProcess] | Absent:
    """The processes that have memory on a GPU; a process opens all that it sees and uses perhaps one.

    Args:
        sys: root of sysfs.
        proc: root of procfs.
        kfd_id: the compute driver's number of the GPU.

    Source: /sys/class/kfd/kfd/proc/PID/vram_ID, in bytes; PID is the host's.
    """
    folder = sys / "class/kfd/kfd/proc"
    if not kfd_id or not folder.is_dir():
        return Absent("the compute driver (kfd) does not list this device's processes")
    if not sees_host_pids(proc):
        return Absent("the agent's container does not see the host's pids")
    found: list[DeviceProcess] = []
    for process in folder.iterdir():
        if not process.name.isdigit():
            continue
        try:
            used_bytes = int((process / f"vram_{kfd_id}").read_text(encoding="ascii"))
        except (OSError, ValueError):
            # It ended meanwhile, or has never touched this device.
            continue
        if used_bytes > 0:
            found.append(DeviceProcess(int(process.name), used_bytes))
    return sorted(found, key=lambda holder: holder.pid)
