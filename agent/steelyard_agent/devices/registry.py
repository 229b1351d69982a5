"""The sources that an agent may ask, by name. Each is imported only where it is wanted.

A source whose library is missing from this node is opened all the same: its first look for devices finds that out,
the guard notes it, and it is asked again every ten minutes. Other vendors' sources come by the entry point group
`steelyard.sources`, which is read only where a name is wanted that isn't ours: reading it costs a walk over every
installed package. Such an entry point names a function like the loaders here; it is loaded by the source's first look
for devices, behind the guard (plugin.py).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from steelyard_agent.devices.base import Source
from steelyard_proto.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "steelyard.sources"


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A source that is wanted.

    Attributes:
        name: its name in the registry.
        node: this node's name in the fleet.
        argument: what the source needs to be told: the file of a recording, what to simulate. Empty for most.
    """

    name: str
    node: str
    argument: str = ""


def _installed() -> "Iterable[EntryPoint]":
    # Imported here: with all that it brings along it would cost every agent 5 MB.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


Loader = Callable[[SourceRequest], Source]


def _cpu(request: SourceRequest) -> Source:
    from steelyard_agent.devices.cpu import CpuSource

    return CpuSource(node=request.node)


def _host(request: SourceRequest) -> Source:
    from steelyard_agent.devices.host import HostSource

    return HostSource(node=request.node)


def _nvml(request: SourceRequest) -> Source:
    from steelyard_agent.devices.nvml.source import NvmlSource

    return NvmlSource()


def _dcmi(request: SourceRequest) -> Source:
    from steelyard_agent.devices.dcmi.source import DcmiSource

    return DcmiSource(node=request.node)


def _amdgpu(request: SourceRequest) -> Source:
    from steelyard_agent.devices.amdgpu.source import AmdgpuSource

    return AmdgpuSource(node=request.node)


def _scrape(request: SourceRequest) -> Source:
    from steelyard_agent.devices.scrape.source import open_scrape

    return open_scrape(request.argument, node=request.node)


def _replay(request: SourceRequest) -> Source:
    from steelyard_agent.devices.replay import open_replay

    return open_replay(request.argument)


def _replay_host(request: SourceRequest) -> Source:
    from steelyard_agent.devices.replay import open_replay

    return open_replay(request.argument, "host")


def _simulate(request: SourceRequest) -> Source:
    from steelyard_agent.devices.simulator.source import open_simulator

    return open_simulator(request.argument, node=request.node)


# In the order in which they are asked at a tick.
LOADERS: Final[Mapping[str, Loader]] = {
    "nvml": _nvml,
    "dcmi": _dcmi,
    "amdgpu": _amdgpu,
    "scrape": _scrape,
    "cpu": _cpu,
    "host": _host,
    "replay": _replay,
    "replay_host": _replay_host,
    "simulate": _simulate,
}


def open_sources(
    wanted: Mapping[str, str],
    node: str,
    *,
    find: "Callable[[], Iterable[EntryPoint]]" = _installed,
) -> list[Source]:
    """Makes the sources that are wanted; nothing of a vendor's is opened before their first look for devices.

    Args:
        wanted: by name, what to tell the source; empty text where it needs nothing.
        node: this node's name in the fleet.
        find: the installed entry points of the group.

    Raises:
        ConfigError: no source has the name, or what one of ours was told makes no sense.
    """
    ours = [name for name in LOADERS if name in wanted]
    others = [name for name in wanted if name not in LOADERS]
    sources = [LOADERS[name](SourceRequest(name, node, wanted[name])) for name in ours]
    return sources + _plugins([SourceRequest(name, node, wanted[name]) for name in others], find)


def _plugins(requests: list[SourceRequest], find: "Callable[[], Iterable[EntryPoint]]") -> list[Source]:
    if not requests:
        return []
    from steelyard_agent.devices.plugin import PluginSource

    found = {point.name: point for point in find()}
    for request in requests:
        if request.name not in found:
            known = ", ".join((*LOADERS, *sorted(found)))
            raise ConfigError(f"there is no source of this name; known are {known}", key=f"plugins.{request.name}")
    return [PluginSource(request.name, partial(_load, found[request.name], request)) for request in requests]


def _load(point: "EntryPoint", request: SourceRequest) -> Source:
    loader: Loader = point.load()
    return loader(request)
