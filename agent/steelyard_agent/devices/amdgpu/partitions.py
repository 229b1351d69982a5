"""The compute partitions of a cut GPU (DPX, QPX, CPX of an MI300): devices of their own beside it."""

from collections.abc import Callable
from typing import Final

from steelyard_agent.devices.amdgpu.accumulated import BusyShare
from steelyard_agent.devices.amdgpu.binding import DeviceFiles
from steelyard_agent.devices.amdgpu.errors import VENDOR
from steelyard_agent.devices.amdgpu.gpu_metrics import Figures
from steelyard_agent.devices.amdgpu.kfd import KfdNode
from steelyard_agent.devices.amdgpu.readings import BUSY, CORE_ACTIVE, HBM_TOTAL, Reading, percent
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

# So old a table still counts as one of the same tick: the partitions are read one after another.
_SAME_TICK_S: Final = 0.5
_NOT_TOLD: Final = Absent("the table tells nothing of this partition")


class PartitionTable:
    """One read of the GPU's table a tick, for all its partitions."""

    def __init__(self, files: DeviceFiles, clock: Callable[[], float]) -> None:
        """Args: the GPU; monotonic seconds."""
        self._files = files
        self._clock = clock
        self._read_s = float("-inf")
        self._figures: tuple[Figures, ...] = ()

    def of(self, number: int) -> Figures:
        """What it tells of a partition.

        Raises:
            DeviceError: it can't be read; NotSupported where it tells of no partitions.
        """
        now_s = self._clock()
        if now_s - self._read_s > _SAME_TICK_S:
            self._figures = self._files.partitions()
            self._read_s = now_s
        if number >= len(self._figures):
            raise NotSupported("tells of no partitions", vendor=VENDOR, call="gpu_metrics", device=self._files.address)
        return self._figures[number]


class PartitionReading:
    """The means over a partition's compute dies."""

    IDS: Final = (BUSY, CORE_ACTIVE)

    def __init__(self, table: PartitionTable, number: int) -> None:
        """Args: of the GPU; the partition, from 0."""
        self._table = table
        self._number = number
        self._busy = BusyShare()

    def read(self) -> tuple[Value, ...]:
        """Both figures."""
        figures = self._table.of(self._number)
        dies, accumulated = figures.get("busy_percent"), figures.get("busy_acc")
        busy = percent(sum(dies) / len(dies)) if dies else _NOT_TOLD
        if not accumulated:
            return busy, _NOT_TOLD
        mean = sum(accumulated) // len(accumulated)
        return busy, self._busy.read({"gfx_acc": (mean,), "time_10ns": figures.get("time_10ns", (0,))})


def plan_partition(table: PartitionTable, number: int, node: KfdNode) -> dict[MetricClass, tuple[Reading, ...]]:
    """The readings of one partition.

    Args:
        table: of its GPU.
        number: from 0.
        node: the compute driver's.

    Raises:
        DeviceLost: the GPU went away meanwhile.
    """
    fast: tuple[Reading, ...] = (Reading(PartitionReading.IDS, PartitionReading(table, number).read),)
    try:
        # Some releases of the firmware tell of no single dies.
        told = PartitionReading(table, number).read()
    except DeviceLost:
        raise
    except NotSupported:
        fast = ()
    except DeviceError:
        pass
    else:
        fast = fast if _NOT_TOLD not in told else ()
    slow = (Reading((HBM_TOTAL,), lambda: (float(node.memory_bytes),)),) if node.memory_bytes else ()
    return {"fast": fast, "slow": slow}
