"""The host's CPU as a device, so that any machine shows something true."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.cpu_identity import cpu_name, temperature_files
from steelyard_agent.devices.cpu_trainers import CpuTrainers
from steelyard_agent.devices.procfs import CpuTimes, KeptFile, parse_cores, parse_cpu_line, parse_meminfo, shares
from steelyard_agent.devices.rapl import Rapl
from steelyard_agent.jobs.process_files import ProcessFiles
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.errors import DeviceLost
from steelyard_proto.metrics import MetricClass

# Reading a core's clock interrupts it: some of them speak for all.
MOST_CLOCKS: Final = 16

_FIRST: Final = Absent("needs two readings")
_BUSY_NOTE: Final = "the busiest core's share: some core had work at least so long"
_ENERGY_NOTE: Final = "RAPL, all packages, since the agent started"
_CLOCK: Final = re.compile(rb"^cpu MHz\s*:\s*([\d.]+)", re.MULTILINE)
_STAT_BYTES: Final = 1 << 18  # 1,000 cores and their interrupts


@dataclass(frozen=True, slots=True)
class _Group:
    """Metrics that come out of one reading, in this order."""

    ids: tuple[int, ...]
    read: Callable[[], tuple[Value, ...]]


class CpuSource:
    """All CPUs of this node as one device; see devices/base.py for what each method promises."""

    def __init__(
        self,
        *,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        node: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet.

        Args:
            proc: root of procfs.
            sys: root of sysfs.
            node: this node's name; the device's uid is made of it.
            clock: monotonic seconds.
        """
        self._proc = proc
        self._sys = sys
        self._uid = f"cpu:{node}"
        self._stat = KeptFile(proc / "stat", limit_bytes=_STAT_BYTES)
        self._cpuinfo = KeptFile(proc / "cpuinfo")
        self._meminfo = KeptFile(proc / "meminfo")
        self._rapl = Rapl(sys, clock)
        self._trainers = CpuTrainers(ProcessFiles(proc))
        self._before: tuple[CpuTimes, tuple[CpuTimes, ...]] | None = None
        self._clocks: tuple[KeptFile, ...] = ()
        self._temperatures: tuple[KeptFile, ...] = ()
        self._info: DeviceInfo | None = None
        self._groups: dict[MetricClass, tuple[_Group, ...]] = {}

    @property
    def name(self) -> str:
        """The registry's name."""
        return "cpu"

    @property
    def capabilities(self) -> Capabilities:
        """RAPL counts by itself: no polling. Processes that train are told."""
        return Capabilities(has_processes=True)

    def discover(self) -> Sequence[DeviceInfo]:
        """The one device; the figures that this machine doesn't give are left out, once."""
        if self._info is None:
            self._open_clocks()
            self._temperatures = tuple(KeptFile(path) for path in temperature_files(self._sys))
            self._groups = {
                "fast": _answering(
                    _Group((1, 2), self._activity),
                    _Group((20,), self._clock_mhz),
                    _Group((23, 25), self._power),
                    _Group((40,), self._memory_used),
                    _Group((44,), self._temperature),
                ),
                "slow": _answering(
                    _Group((21,), self._clock_max_mhz),
                    _Group((24,), lambda: (self._rapl.limit_w(),) if self._rapl.is_there else _none("RAPL")),
                    _Group((41,), lambda: (float(self._memory()[b"MemTotal"]),)),
                ),
            }
            self._info = self._describe()
        return [self._info]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading of the CPU."""
        if uid != self._uid:
            raise DeviceLost("is not on this node", vendor="cpu", device=uid, call="discover")
        values: list[Value] = []
        for group in self._groups.get(metric_class, ()):
            try:
                values.extend(group.read())
            except (OSError, ValueError, KeyError) as error:
                values.extend((Absent(f"unreadable: {type(error).__name__}"),) * len(group.ids))
        return values

    def poll(self, uid: str) -> None:
        """Nothing: see `capabilities`."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """Every process runs on the CPU; those are told that train, with their memory left to /proc."""
        return [DeviceProcess(pid, None) for pid in self._trainers.find()]

    def close(self) -> None:
        """Closes the files."""
        for file in (self._stat, self._cpuinfo, self._meminfo, *self._clocks, *self._temperatures):
            file.close()
        self._rapl.close()

    def _describe(self) -> DeviceInfo:
        metrics = {name: tuple(i for group in groups for i in group.ids) for name, groups in self._groups.items()}
        notes = {"busy": _BUSY_NOTE}
        has_power = 23 in metrics["fast"]
        if has_power:
            notes["energy_mj"] = _ENERGY_NOTE
        try:
            name = cpu_name(self._cpuinfo.read().decode("utf-8", "replace"))
            memory_bytes = self._memory().get(b"MemTotal", 0)
        except OSError:
            name, memory_bytes = "", 0
        return DeviceInfo(
            uid=self._uid,
            vendor="cpu",
            kind="cpu",
            name=name or "CPU",
            metrics=metrics,
            memory_bytes=memory_bytes,
            power_scope="package" if has_power else "",
            notes=notes,
        )

    def _activity(self) -> tuple[Value, ...]:
        text = self._stat.read()
        now = parse_cpu_line(text.split(b"\n", 1)[0]), parse_cores(text)
        before, self._before = self._before, now
        if before is None:
            return _FIRST, _FIRST
        mean = shares(before[0], now[0])
        # A core that went offline or came back makes the lists differ: the next reading compares again.
        pairs = zip(before[1], now[1], strict=True) if len(before[1]) == len(now[1]) else ()
        cores = [both[0] for both in (shares(was, now_is) for was, now_is in pairs) if both is not None]
        if mean is None or not cores:
            return _FIRST, _FIRST
        return max(cores), mean[0]

    def _clock_mhz(self) -> tuple[Value, ...]:
        if self._clocks:
            return (sum(file.number() for file in self._clocks) / len(self._clocks) / 1e3,)
        clocks = [float(word) for word in _CLOCK.findall(self._cpuinfo.read())]
        if not clocks:
            return _none("clock")
        return (sum(clocks) / len(clocks),)

    def _clock_max_mhz(self) -> tuple[Value, ...]:
        files = sorted(self._sys.glob("devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq"))[:MOST_CLOCKS]
        if not files:
            return _none("cpufreq")
        return (max(int(path.read_text()) for path in files) / 1e3,)

    def _power(self) -> tuple[Value, ...]:
        if not self._rapl.is_there:
            return _none("RAPL")
        power_w, energy_mj = self._rapl.read()
        return _FIRST if power_w is None else power_w, energy_mj

    def _memory(self) -> dict[bytes, int]:
        return parse_meminfo(self._meminfo.read(), (b"MemTotal", b"MemAvailable"))

    def _memory_used(self) -> tuple[Value, ...]:
        memory = self._memory()
        return (float(memory[b"MemTotal"] - memory[b"MemAvailable"]),)

    def _temperature(self) -> tuple[Value, ...]:
        if not self._temperatures:
            return _none("sensor")
        return (max(file.number() for file in self._temperatures) / 1e3,)

    def _open_clocks(self) -> None:
        files = sorted(self._sys.glob("devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
        step = max(1, -(-len(files) // MOST_CLOCKS))
        self._clocks = tuple(KeptFile(path) for path in files[::step])


def _none(what: str) -> tuple[Value, ...]:
    raise ValueError(f"this machine has no {what}")


def _answering(*groups: _Group) -> tuple[_Group, ...]:
    return tuple(group for group in groups if _answers(group))


def _answers(group: _Group) -> bool:
    try:
        group.read()
    except (OSError, ValueError, KeyError):
        return False
    return True
