"""The sources that the settings ask for, in the order of the registry."""

from collections.abc import Callable, Mapping
from typing import Final

from steelyard_agent.config import Config
from steelyard_agent.devices.base import Source


def _cpu(node: str) -> Source:
    from steelyard_agent.devices.cpu import CpuSource

    return CpuSource(node=node)


def _host(node: str) -> Source:
    from steelyard_agent.devices.host import HostSource

    return HostSource(node=node)


def _dcmi(node: str) -> Source:
    from steelyard_agent.devices.dcmi.source import DcmiSource

    return DcmiSource(node=node)


_LOADERS: Final[Mapping[str, Callable[[str], Source]]] = {"cpu": _cpu, "host": _host, "dcmi": _dcmi}


def open_sources(config: Config) -> list[Source]:
    """One source for each name; nothing is opened before its first look for devices."""
    return [_LOADERS[name](config.node) for name in config.sources if name in _LOADERS]
