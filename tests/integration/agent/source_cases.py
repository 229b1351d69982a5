"""The sources that the contract is held against, each in the situations that its devices can be in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.amdgpu.source import AmdgpuSource
from steelyard_agent.devices.base import Source
from steelyard_agent.devices.cpu import CpuSource
from steelyard_agent.devices.dcmi.source import DcmiSource
from steelyard_agent.devices.host import HostSource
from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.devices.registry import open_sources
from steelyard_agent.devices.replay import ReplaySource
from steelyard_agent.devices.scrape.source import ScrapeSource
from steelyard_agent.devices.simulator.source import SimulatedGroup, SimulatorSource
from steelyard_agent.model import Origin
from tests.standins.amdgpu_tree import AmdTree
from tests.standins.exporter import ExporterServer, amd_page, dcgm_page, npu_page
from tests.standins.plugin_package import make_cards
from tests.standins.scenario import Scenario


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Case:
    """A source in a situation: how it is made, given a folder, a clock and a scenario file.

    Attributes:
        scenario: the stand-in's; empty for none.
        changes: keys that change between the ticks.
        standin: which library is built.
        without: symbols that the library lacks.
        board: the AMD board whose driver's files are made; empty for none.
        page: what an exporter writes at a time; the source reads the address out of the file `exporter`.
        is_example: it is the package of docs/sources.md, which is installed.
        ticks: in which nothing may grow; fewer where each is an exchange over HTTP, a millisecond rather than a tenth.
        tick_s: the source's time between them; short where a recording ends.
        origin: what the source shall say of its figures.
    """

    make: Callable[[Path, Clock], Source]
    scenario: Mapping[str, object]
    standin: str = ""
    without: tuple[str, ...] = ()
    origin: Origin = "measured"
    board: str = ""
    page: Callable[[float], str] | None = None
    is_example: bool = False
    ticks: int = 10_000
    tick_s: float = 1.0


@dataclass
class Rig:
    """A source, how time passes for it, and what it stands on.

    Attributes:
        advance: lets seconds pass for the source and for its devices.
        clock: the source's own time.
        folder: all files of the case.
        origin: what the source shall say of its figures.
    """

    source: Source
    advance: Callable[[float], None]
    clock: Clock
    folder: Path
    origin: Origin = "measured"
    scenario: Scenario | None = None
    tree: AmdTree | None = None
    exporter: ExporterServer | None = None


def _nvml(folder: Path, clock: Clock) -> Source:
    path = str(folder / "libnvidia-ml.so.1")
    return NvmlSource(library_paths=[path], clock=clock, sleep=clock.advance, proc=folder / "proc")


def _dcmi(folder: Path, clock: Clock) -> Source:
    return DcmiSource(library_paths=[str(folder / "libdcmi.so")], clock=clock, node="n1", proc=folder / "proc")


def _amdgpu(folder: Path, clock: Clock) -> Source:
    return AmdgpuSource(node="n1", clock=clock, proc=folder / "proc", sys=folder / "sys")


def _scrape(folder: Path, clock: Clock) -> Source:
    return ScrapeSource([(folder / "exporter").read_text(encoding="ascii")], node="n1", clock=clock)


def _cpu(_folder: Path, clock: Clock) -> Source:
    return CpuSource(node="n1", clock=clock)


def _host(_folder: Path, _clock: Clock) -> Source:
    return HostSource(node="n1")


def _simulate(_folder: Path, clock: Clock) -> Source:
    groups = [SimulatedGroup("H20", 2), SimulatedGroup("910C", 2), SimulatedGroup("MI300X", 2)]
    return SimulatorSource(groups, node="n1", clock=clock, sleep=clock.advance)


def _replay(folder: Path, clock: Clock) -> Source:
    return ReplaySource(folder / "recording", speed=0.1, clock=clock)


def _example(folder: Path, _clock: Clock) -> Source:
    make_cards(folder / "cards", 4)
    [source] = open_sources({"mychip": str(folder / "cards")}, "n1")
    return source


_OLD_DRIVER: Final = (
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlGpmQueryDeviceSupport",
)

CASES: Final[Mapping[str, Case]] = {
    "cpu": Case(_cpu, {}),
    "host": Case(_host, {}),
    "nvml-h100": Case(_nvml, {"pids.0": "4711:1024"}, "nvml"),
    "nvml-a100": Case(_nvml, {"gpm": 0, "power_w": 372, "name": "NVIDIA A100-SXM4-80GB"}, "nvml"),
    "nvml-b200": Case(_nvml, {"nvlink": 5, "name": "NVIDIA B200", "throttle_field": 269}, "nvml"),
    "nvml-gb10": Case(_nvml, {"unified": 1, "nvlink": 0, "name": "NVIDIA GB10"}, "nvml"),
    "nvml-mig": Case(_nvml, {"mig.0": 3, "mig_hole.0": 1}, "nvml"),
    "nvml-vgpu": Case(_nvml, {"vgpu": 1, "name": "NVIDIA H100-40C"}, "nvml"),
    "nvml-old": Case(_nvml, {"driver": "470.82.01", "throttle_field": 0}, "nvml", _OLD_DRIVER),
    "simulate": Case(_simulate, {}, origin="simulated"),
    "replay": Case(_replay, {}, origin="replayed", tick_s=0.001),
    "dcmi-910b": Case(_dcmi, {"chip": "910B2", "pids.0": "4711:1024"}, "dcmi"),
    "dcmi-910c": Case(_dcmi, {"chip": "910C"}, "dcmi"),
    "amdgpu-mi100": Case(_amdgpu, {}, board="MI100"),
    "amdgpu-mi250x": Case(_amdgpu, {}, board="MI250X"),
    "amdgpu-mi300x": Case(_amdgpu, {}, board="MI300X"),
    "amdgpu-mi300x-cut": Case(_amdgpu, {}, board="MI300X-cut"),
    "amdgpu-mi300x-early": Case(_amdgpu, {}, board="MI300X-early"),
    "scrape-dcgm": Case(_scrape, {}, page=dcgm_page, ticks=2_000),
    "scrape-npu": Case(_scrape, {}, page=lambda _now_s: npu_page(), ticks=2_000),
    "scrape-amd": Case(_scrape, {}, page=amd_page, ticks=2_000),
    "dcmi-910a": Case(_dcmi, {"chip": "910A"}, "dcmi"),
    "dcmi-950": Case(_dcmi, {"chip": "950PR"}, "dcmi"),
    "example": Case(_example, {}, is_example=True),
}
