"""The compute partitions of a cut GPU (DPX, QPX, CPX of an MI300): devices of their own beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.amdgpu.accumulated import BusyShare
from steelyard_agent.devices.amdgpu.binding import DeviceFiles
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
    """What the driver tells of a GPU's partitions: in one read of the GPU's table a tick, else in a file of each."""

    def __init__(self, files: DeviceFiles, nodes: Sequence[KfdNode], sys: Path, clock: Callable[[], float]) -> None:
        """Args: the GPU; the compute driver's nodes of its partitions; root of sysfs; monotonic seconds."""
        self._files = files
        self._own = [sys / f"class/drm/renderD{node.render_minor}/device/xcp/xcp_metrics" for node in nodes]
        self._clock = clock
        self._read_s = float("-inf")
        self._time: Figures = {}
        self._figures: tuple[Figures, ...] = ()

    def of(self, number: int) -> Figures:
        """What it tells of a partition.

        Raises:
            DeviceError: it can't be read; NotSupported where it tells of no partitions.
        """
        now_s = self._clock()
        if now_s - self._read_s > _SAME_TICK_S:
            self._time, self._figures = self._files.partitions()
            self._read_s = now_s
        # A file of its own tells the firmware's time in later releases alone.
        is_in_table = number < len(self._figures)
        told = self._figures[number] if is_in_table else self._files.partition(self._own[number])
        return {**self._time, **told}


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
