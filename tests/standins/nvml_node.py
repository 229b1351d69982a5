"""A node of stand-in GPUs for tests: the library, its scenario, a clock, and a source over them."""

import ctypes
import threading
from dataclasses import dataclass, field
from pathlib import Path

from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.model import DeviceInfo, Value
from steelyard_proto.metrics import MetricClass, catalogue
from tests.standins.scenario import Scenario


@dataclass
class NvmlNode:
    """The clock that is advanced is both the agent's and the scenario's."""

    library: Path
    scenario: Scenario
    root: Path
    now_s: float = 100.0
    _advancing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.scenario.set({"clock": self.now_s})

    def source(self, *, is_host: bool = True, hears_events: bool = False) -> NvmlSource:
        """A source over this node's library; in a container without the host's pids where `is_host` is False."""
        proc = Path("/proc") if is_host else self.root / "container"
        if not is_host:
            (proc / "self/ns").mkdir(parents=True, exist_ok=True)
            (proc / "self/ns/pid").touch()
        else:
            proc = self.root / "host"  # no namespace file: the kernel doesn't tell, as in the host's own
        return NvmlSource(
            library_paths=[str(self.library)],
            clock=lambda: self.now_s,
            sleep=self.advance,
            # However busy this machine is: none of the GPUs that the tests add hangs.
            later_look_s=3.0,
            hears_events=hears_events,
            proc=proc,
            sys=self.root / "sys",
        )

    def advance(self, seconds: float) -> None:
        """Lets time pass; called by the threads that look at GPUs too."""
        with self._advancing:
            self.now_s += seconds
            self.scenario.set({"clock": self.now_s})

    def live_samples(self) -> int:
        """GPM buffers that were not given back."""
        return int(ctypes.CDLL(str(self.library)).standin_live_samples())


def named(source: NvmlSource, info: DeviceInfo, metric_class: MetricClass = "fast") -> dict[str, Value]:
    """A sample by the metrics' names."""
    values = source.sample(info.uid, metric_class)
    ids = info.metrics[metric_class]
    return {catalogue().by_id[i].name: value for i, value in zip(ids, values, strict=True)}
