"""The host's own figures: CPU, memory, disks, networks, pressure. Only procfs and sysfs, files kept open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.procfs import (
    CpuTimes,
    KeptFile,
    interface_names,
    parse_cpu_line,
    parse_diskstats,
    parse_meminfo,
    parse_net_dev,
    parse_pressure,
    shares,
)
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.errors import DeviceLost
from steelyard_proto.metrics import MetricClass

HOST_UID: Final = "host"

_FIRST: Final = Absent("needs two readings")
_NOT_PHYSICAL: Final = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd")
_MEMORY: Final = (b"MemTotal", b"MemAvailable", b"SwapTotal", b"SwapFree", b"Dirty")
_ACTIVE: Final = b"ACTIVE"
_RDMA_WORD_BYTES: Final = 4  # InfiniBand counts 32-bit words


@dataclass(frozen=True, slots=True)
class _Group:
    """Metrics that come out of one reading, in this order."""

    ids: tuple[int, ...]
    read: Callable[[], tuple[Value, ...]]


class HostSource:
    """This node as one pseudo-device; see devices/base.py for what each method promises."""

    def __init__(self, *, proc: Path = Path("/proc"), sys: Path = Path("/sys"), node: str = "") -> None:
        """Opens nothing yet.

        Args:
            proc: root of procfs.
            sys: root of sysfs.
            node: this node's name.
        """
        self._sys = sys
        self._node = node
        self._stat = KeptFile(proc / "stat", limit_bytes=256)
        self._load = KeptFile(proc / "loadavg")
        self._meminfo = KeptFile(proc / "meminfo")
        self._diskstats = KeptFile(proc / "diskstats")
        self._net = KeptFile(proc / "net/dev")
        self._pressure = {name: KeptFile(proc / "pressure" / name) for name in ("cpu", "memory", "io")}
        self._rdma: list[tuple[KeptFile, KeptFile]] = []
        self._rdma_states: list[KeptFile] = []
        self._before: CpuTimes | None = None
        self._disks: frozenset[bytes] = frozenset()
        self._interfaces: frozenset[bytes] = frozenset()
        self._groups: dict[MetricClass, tuple[_Group, ...]] = {}

    @property
    def name(self) -> str:
        """The registry's name."""
        return "host"

    @property
    def capabilities(self) -> Capabilities:
        """It describes the host and needs no polling."""
        return Capabilities(entity="host")

    def discover(self) -> Sequence[DeviceInfo]:
        """Looks which disks, interfaces and figures there are; what this kernel doesn't give is left out."""
        self._disks = self._physical_disks()
        self._interfaces = self._network_interfaces()
        self._open_rdma()
        candidates: dict[MetricClass, tuple[_Group, ...]] = {
            "fast": (
                _Group((100, 101), self._cpu),
                _Group((102,), self._load_average),
                _Group((103, 105, 106), self._memory),
                _Group((107, 108), self._disk_bytes),
                _Group((109, 110), self._network_bytes),
                _Group((111, 112), self._rdma_bytes),
                _Group((113,), lambda: self._waited("cpu")),
                _Group((114,), lambda: self._waited("memory")),
                _Group((115,), lambda: self._waited("io")),
            ),
            "slow": (_Group((104,), self._memory_total), _Group((116,), self._rdma_up)),
        }
        before = self._before
        self._groups = {
            metric_class: tuple(group for group in groups if _answers(group))
            for metric_class, groups in candidates.items()
        }
        # Trying the figures out must not shorten the window of the next sample.
        self._before = before if before is not None else self._before
        metrics = {name: tuple(i for group in groups for i in group.ids) for name, groups in self._groups.items()}
        info = DeviceInfo(uid=HOST_UID, vendor="host", kind="cpu", name=self._node, metrics=metrics)
        return [info]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading of the host."""
        if uid != HOST_UID:
            raise DeviceLost("is not on this node", vendor="host", device=uid, call="discover")
        values: list[Value] = []
        for group in self._groups.get(metric_class, ()):
            try:
                values.extend(group.read())
            except (OSError, ValueError, KeyError, IndexError) as error:
                values.extend((Absent(f"unreadable: {type(error).__name__}"),) * len(group.ids))
        return values

    def poll(self, uid: str) -> None:
        """Nothing: the kernel's counters need no reading in between."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """A host holds no device."""
        return Absent("the host is no device")

    def close(self) -> None:
        """Closes the files."""
        kept = [self._stat, self._load, self._meminfo, self._diskstats, self._net, *self._pressure.values()]
        for file in kept:
            file.close()
        self._close_rdma()

    def _cpu(self) -> tuple[Value, ...]:
        now = parse_cpu_line(self._stat.read().split(b"\n", 1)[0])
        before, self._before = self._before, now
        both = shares(before, now) if before is not None else None
        return both if both is not None else (_FIRST, _FIRST)

    def _load_average(self) -> tuple[Value, ...]:
        return (float(self._load.read().split(None, 1)[0]),)

    def _memory(self) -> tuple[Value, ...]:
        memory = parse_meminfo(self._meminfo.read(), _MEMORY)
        used = memory[b"MemTotal"] - memory[b"MemAvailable"]
        swap = memory.get(b"SwapTotal", 0) - memory.get(b"SwapFree", 0)
        return float(used), float(swap), float(memory[b"Dirty"])

    def _memory_total(self) -> tuple[Value, ...]:
        return (float(parse_meminfo(self._meminfo.read(), (b"MemTotal",))[b"MemTotal"]),)

    def _disk_bytes(self) -> tuple[Value, ...]:
        if not self._disks:
            raise ValueError("no disk")
        return parse_diskstats(self._diskstats.read(), self._disks)

    def _network_bytes(self) -> tuple[Value, ...]:
        if not self._interfaces:
            raise ValueError("no interface")
        return parse_net_dev(self._net.read(), self._interfaces)

    def _rdma_bytes(self) -> tuple[Value, ...]:
        if not self._rdma:
            raise ValueError("no RDMA port")
        received = sum(file.number() for file, _ in self._rdma)
        sent = sum(file.number() for _, file in self._rdma)
        return received * _RDMA_WORD_BYTES, sent * _RDMA_WORD_BYTES

    def _rdma_up(self) -> tuple[Value, ...]:
        if not self._rdma_states:
            raise ValueError("no RDMA port")
        return (float(sum(_ACTIVE in file.read() for file in self._rdma_states)),)

    def _waited(self, what: str) -> tuple[Value, ...]:
        return (parse_pressure(self._pressure[what].read()),)

    def _physical_disks(self) -> frozenset[bytes]:
        block = self._sys / "block"
        if block.is_dir():
            return frozenset(entry.name.encode() for entry in block.iterdir() if (entry / "device").exists())
        # A container may hide sysfs; the names then tell whole disks from what is laid over them.
        lines = _lines(self._diskstats)
        names = [words[2] for words in lines if len(words) > 2]
        physical = [name for name in names if not name.decode().startswith(_NOT_PHYSICAL)]
        return frozenset(name for name in physical if not _is_partition(name, physical))

    def _network_interfaces(self) -> frozenset[bytes]:
        try:
            names = [name for name in interface_names(self._net.read()) if name != b"lo"]
        except OSError:
            return frozenset()
        net = self._sys / "class/net"
        physical = [name for name in names if (net / name.decode() / "device").exists()]
        # Bridges and bonds carry the same bytes once more; a container has none but virtual ones.
        return frozenset(physical or names)

    def _open_rdma(self) -> None:
        self._close_rdma()
        root = self._sys / "class/infiniband"
        for counters in sorted(root.glob("*/ports/*/counters")):
            self._rdma.append((KeptFile(counters / "port_rcv_data"), KeptFile(counters / "port_xmit_data")))
            self._rdma_states.append(KeptFile(counters.parent / "state"))

    def _close_rdma(self) -> None:
        for file in (*(file for pair in self._rdma for file in pair), *self._rdma_states):
            file.close()
        self._rdma, self._rdma_states = [], []


def _answers(group: _Group) -> bool:
    try:
        group.read()
    except (OSError, ValueError, KeyError, IndexError):
        return False
    return True


def _lines(file: KeptFile) -> list[list[bytes]]:
    try:
        return [line.split() for line in file.read().splitlines()]
    except OSError:
        return []


def _is_partition(name: bytes, names: Sequence[bytes]) -> bool:
    return any(name != disk and name.startswith(disk) and name[len(disk) :].lstrip(b"p").isdigit() for disk in names)
