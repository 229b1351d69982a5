"""Which device a training process has: what its framework says, else what the driver says, else nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from steelyard_agent.devices.guard import Holders
from steelyard_agent.model import Absent, DeviceInfo


class Places:
    """The devices of this node, and who held them at the last look."""

    def __init__(self) -> None:
        """Begins without a look."""
        self._devices: Mapping[str, DeviceInfo] = {}
        self._held: dict[int, list[DeviceInfo]] = {}

    def look(self, holders: Sequence[Holders]) -> None:
        """Takes who holds each device now."""
        self._devices = {info.uid: info for info, _ in holders}
        self._held = {}
        for info, found in holders:
            for process in () if isinstance(found, Absent) else found:
                self._held.setdefault(process.pid, []).append(info)

    def device_of(self, pid: int, device_type: str, uuid: str) -> DeviceInfo | None:
        """The process's one device; None where there is none, several, or no telling.

        Args:
            pid: in the agent's pid namespace.
            device_type: as the framework says: cpu, cuda, npu; empty where it says nothing.
            uuid: of the device, as the framework says.
        """
        if uuid:
            # CUDA says the bare UUID, NVML says GPU- before it.
            return _only(info for info in self._devices.values() if info.uid.lower().endswith(uuid.lower()))
        cpu = [info for info in self._devices.values() if info.kind == "cpu"]
        if device_type == "cpu":
            return _only(cpu)
        accelerators = [info for info in self._held.get(pid, []) if info.kind != "cpu"]
        if accelerators:
            return _only(accelerators)
        # Where a node has nothing but CPUs there is no doubt.
        return _only(cpu) if not device_type and len(cpu) == len(self._devices) else None


def _only(devices: Iterable[DeviceInfo]) -> DeviceInfo | None:
    found = list(devices)
    return found[0] if len(found) == 1 else None


def shares(devices: Iterable[DeviceInfo | None]) -> Callable[[DeviceInfo | None], float | None]:
    """How much of its device each of several processes has: ranks that share one have a part of it."""
    users: dict[str, int] = {}
    for info in devices:
        if info is not None:
            users[info.uid] = users.get(info.uid, 0) + 1
    return lambda info: None if info is None else 1 / max(1, users.get(info.uid, 1))
