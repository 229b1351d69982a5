"""The files of the amdgpu driver, below a root of their own: what a node with AMD GPUs shows in sysfs."""

import os
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.standins.build import build_program


@dataclass(frozen=True)
class Board:
    """A kind of GPU: what its driver shows."""

    device: str
    version: str
    product: str
    power_w: int
    gcds: int = 1
    partitions: int = 1


BOARDS: Final[Mapping[str, Board]] = {
    "MI100": Board("0x738c", "1.2", "", 250),
    "MI250X": Board("0x7408", "1.3", "AMD Instinct MI250X", 480, gcds=2),
    "MI300X": Board("0x74a1", "1.6", "AMD Instinct MI300X OAM", 700),
    "MI300X-new": Board("0x74a1", "1.8", "AMD Instinct MI300X OAM", 700),
    "MI300X-cut": Board("0x74a1", "1.7", "AMD Instinct MI300X OAM", 700, partitions=2),
    "MI300X-early": Board("0x74a1", "1.4", "", 700),
}
_TICKS_PER_J: Final = 65536
_SIMDS: Final = 1216
_MEMORY_PER_SIMD: Final = 1 << 26


@dataclass
class AmdTree:
    """A sysfs and procfs with some GPUs; `tick` lets time pass for all of them.

    Attributes:
        busy_percent: of all GPUs.
        table: fields of gpu_metrics that are set apart from what `tick` makes of them, by device.
    """

    root: Path
    board: Board
    count: int = 2
    busy_percent: int = 90
    energy_factor: float = 1.0
    table: dict[int, dict[str, object]] = field(default_factory=dict)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self._program = build_program("amdgpu", self.root)
        (self.sys / "module/amdgpu").mkdir(parents=True)
        self._put(self.sys / "module/amdgpu/version", "6.10.5")
        for index in range(self.count):
            self._make(index)
        self.tick(1000.0)

    @property
    def sys(self) -> Path:
        """The root of sysfs."""
        return self.root / "sys"

    def folder(self, index: int) -> Path:
        """A GPU's folder."""
        return self.sys / f"devices/pci0000:00/{self.address(index)}"

    def address(self, index: int) -> str:
        """A GPU's PCI address."""
        return f"0000:{0x41 + index:02x}:00.0"

    def put(self, index: int, name: str, text: object) -> None:
        """Writes a file of a GPU."""
        self._put(self.folder(index) / name, text)

    def drop(self, index: int, name: str) -> None:
        """Takes a file of a GPU away."""
        (self.folder(index) / name).unlink()

    def lose(self, index: int) -> None:
        """Takes a GPU away, as a driver does that is unloaded."""
        (self.sys / f"class/drm/card{index}/device").unlink()
        self.folder(index).rename(self.root / f"gone-{index}")

    def find(self, index: int) -> None:
        """Brings it back, its counters from before."""
        (self.root / f"gone-{index}").rename(self.folder(index))
        (self.sys / f"class/drm/card{index}/device").symlink_to(self.folder(index))

    def add(self) -> None:
        """One more GPU."""
        self._make(self.count)
        self.count += 1
        self.tick(self.now_s)

    def tick(self, now_s: float) -> None:
        """Writes every table anew."""
        self.now_s = now_s
        for index in range(self.count):
            if self.folder(index).exists():
                self.put_table(index)

    def put_table(self, index: int, version: str = "") -> None:
        """Writes a GPU's table."""
        power_w = self._power_w(index)
        milliseconds = int(self.now_s * 1000)
        accumulated = milliseconds * self.busy_percent % 2**32
        fields: dict[str, object] = {
            "hotspot": 61, "mem": 55, "power": power_w, "gfx": self.busy_percent, "umc": 35,
            "energy": int(power_w * self.now_s * _TICKS_PER_J * self.energy_factor),
            "gfx_acc": accumulated, "gfxclk": 1700, "uclk": 1300,
            "fw_time": milliseconds * 100_000, "xgmi_read": f"{milliseconds},7", "xgmi_write": f"{2 * milliseconds},9",
            "xgmi_up": "1,1,1,1,1,1,1", "cycles": milliseconds % 2**32, "ppt": milliseconds // 10,
            "prochot": 0, "socket_thermal": 0, "vr_thermal": 0, "hbm_thermal": 0, "replays": 0, "throttle": 0,
            "pcie_width": 16, "pcie_speed": 320,
            "indep_throttle": 4,
            "busy0": self.busy_percent, "busy_acc0": accumulated, "busy1": "0,50", "busy_acc1": "7,9", "busy7": 12,
            "busy_acc7": 2**40 + 12 * milliseconds,
        }  # fmt: skip
        fields |= self.table.get(index, {})
        words = [f"{name}={value}" for name, value in fields.items()]
        command = [str(self._program), version or self.board.version, *words]
        table = subprocess.run(command, capture_output=True, check=True).stdout
        # In place and in one go: the driver's file keeps its inode, and is never seen half written.
        fd = os.open(self.folder(index) / "gpu_metrics", os.O_WRONLY | os.O_CREAT)
        try:
            os.pwrite(fd, table, 0)
            os.ftruncate(fd, len(table))
        finally:
            os.close(fd)

    def hold(
        self, pid: int, index: int, used_bytes: int, *, partition: int = 0, filled_units: int | None = None
    ) -> None:
        """Lets a process have memory on a GPU, or on a partition of it; it has opened all of them.

        Args:
            pid: the process.
            index: the GPU.
            used_bytes: its memory there.
            partition: where the GPU is cut.
            filled_units: of the GPU's 304 compute units; None where the chip doesn't tell.
        """
        folder = self.sys / f"class/kfd/kfd/proc/{pid}"
        for each in range(self.count):
            self._put(folder / f"vram_{self._kfd_id(each)}", 0)
        kfd_id = self._kfd_id(index, partition)
        self._put(folder / f"vram_{kfd_id}", used_bytes)
        if filled_units is not None:
            self._put(folder / f"stats_{kfd_id}/cu_occupancy", filled_units)

    def cut(self, index: int, mode: str, partitions: int, *, bit: int) -> None:
        """Cuts a GPU into compute partitions, as one writes to current_compute_partition.

        Args:
            index: the GPU.
            mode: DPX, QPX or CPX.
            partitions: how many that gives.
            bit: from which on the compute driver adds the partition's number to the place: 0, or 28 in some releases.
        """
        self.put(index, "current_compute_partition", mode)
        for partition in range(partitions):
            self._put_node(index, partition, partition << bit, simds=_SIMDS // partitions)

    def put_partition(self, index: int, partition: int, table: bytes | str) -> None:
        """Writes the file that tells of one partition alone.

        Args:
            index: the GPU.
            partition: of it.
            table: its content, or the fields of its first version as words.
        """
        if isinstance(table, str):
            command = [str(self._program), "partition", *table.split()]
            table = subprocess.run(command, capture_output=True, check=True).stdout
        path = self.sys / f"class/drm/renderD{self._render_minor(index, partition)}/device/xcp/xcp_metrics"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(table)

    def _make(self, index: int) -> None:
        folder = self.folder(index)
        card = self.sys / f"class/drm/card{index}"
        card.mkdir(parents=True)
        (card / "device").symlink_to(folder)
        # A connector is no card of its own.
        (self.sys / f"class/drm/card{index}-DP-1").mkdir()
        texts: dict[str, object] = {
            "vendor": "0x1002", "device": self.board.device, "numa_node": index % 2,
            "unique_id": f"{0xABCD000 + index:016x}",
            "product_name": self.board.product, "serial_number": f"SN{index // self.board.gcds}",
            "mem_info_vram_total": 64 << 30, "mem_info_vram_used": 20 << 30, "gpu_busy_percent": self.busy_percent,
            "mem_busy_percent": 35, "pcie_replay_count": 3, "power/runtime_status": "active",
            "pp_dpm_sclk": "0: 500Mhz\n1: 2100Mhz *", "hwmon/hwmon3/power1_cap": 750_000_000,
            "hwmon/hwmon3/power1_input": self._power_w(index) * 1_000_000, "hwmon/hwmon3/temp2_label": "junction",
            "hwmon/hwmon3/temp2_input": 61_000, "hwmon/hwmon3/temp3_label": "mem", "hwmon/hwmon3/temp3_input": 55_000,
            "hwmon/hwmon3/freq1_label": "sclk", "hwmon/hwmon3/freq1_input": 1_700_000_000,
            "ras/umc_err_count": "ue: 1\nce: 4", "ras/gfx_err_count": "ue: 0\nce: 2\nde: 0",
            "ras/xgmi_wafl_err_count": "ue: 2\nce: 5",
            "ras/gpu_vram_bad_pages": "0x00001000 : 0x00001000 : R\n0x00002000 : 0x00001000 : P",
        }  # fmt: skip
        for name, text in texts.items():
            self.put(index, name, text)
        self._put_node(index)
        if self.board.partitions > 1:
            self.cut(index, "DPX", self.board.partitions, bit=28)

    def _put_node(self, index: int, partition: int = 0, further: int = 0, *, simds: int = _SIMDS) -> None:
        node = self.sys / f"class/kfd/kfd/topology/nodes/{index + 1 + 100 * partition}"
        self._put(node / "gpu_id", self._kfd_id(index, partition))
        self._put(node / "mem_banks/0/properties", f"heap_type 1\nsize_in_bytes {simds * _MEMORY_PER_SIMD}")
        self._put(
            node / "properties",
            f"simd_count {simds}\nsimd_per_cu 4\nlocation_id {(0x41 + index << 8) + further}\ndomain 0\n"
            f"drm_render_minor {self._render_minor(index, partition)}",
        )

    def _power_w(self, index: int) -> int:
        """The second GCD of a package says 0."""
        return 0 if self.board.gcds == 2 and index % 2 else self.board.power_w

    def _render_minor(self, index: int, partition: int) -> int:
        return 128 + index + 10 * partition

    def _kfd_id(self, index: int, partition: int = 0) -> int:
        return 41_000 + index + 100 * partition

    def _put(self, path: Path, text: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="ascii")


def attribute(number: int, unit: int, kind: int, *values: int) -> bytes:
    """One attribute of a table of version 1.9, as the kernel's AMDGPU_METRICS_ENC_ATTR packs it."""
    encoding = unit << 24 | kind << 20 | number << 10 | len(values)
    return struct.pack(f"<Q{len(values)}{'BbHhIiQq'[kind]}", encoding, *values)


def attributes(*told: bytes, version: int = 9) -> bytes:
    body = b"".join(told)
    return struct.pack("<HBBi", 8 + len(body), 1, version, len(told)) + body
