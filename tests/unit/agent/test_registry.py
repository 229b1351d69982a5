from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from steelyard_agent.devices.registry import GROUP, SourceRequest, open_sources
from steelyard_agent.devices.simulator.source import SimulatorSource, open_simulator
from steelyard_proto.errors import ConfigError, DeviceError, LibraryMissing


def not_read() -> list[EntryPoint]:
    raise AssertionError("the entry points were read")


def from_outside(request: SourceRequest) -> SimulatorSource:
    """What another package's entry point names."""
    return open_simulator(request.argument, node=request.node)


HERE = EntryPoint(name="mychip", value=f"{__name__}:from_outside", group=GROUP)


def test_sources_come_in_the_registrys_order_and_no_entry_point_is_read() -> None:
    sources = open_sources({"host": "", "cpu": "", "nvml": "", "dcmi": ""}, "n", find=not_read)
    assert [source.name for source in sources] == ["nvml", "dcmi", "cpu", "host"]


def test_a_missing_library_is_found_out_by_the_first_look_only(tmp_path: Path) -> None:
    [dcmi] = open_sources({"dcmi": ""}, "n", find=not_read)
    with pytest.raises(LibraryMissing):
        dcmi.discover()


def test_a_source_is_told_what_it_needs() -> None:
    [source] = open_sources({"simulate": "3xH20"}, "n7", find=not_read)
    assert [info.uid for info in source.discover()] == ["sim:n7:0", "sim:n7:1", "sim:n7:2"]


def test_other_packages_sources_come_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    [cpu, mine] = open_sources({"mychip": "2xH100", "cpu": ""}, "n", find=lambda: [HERE])
    assert cpu.name == "cpu"
    assert len(mine.discover()) == 2


def test_a_source_that_nobody_has_is_named() -> None:
    with pytest.raises(ConfigError, match=r"known are nvml, .*, mychip") as caught:
        open_sources({"nobody": ""}, "n", find=lambda: [HERE])
    assert "plugins.nobody" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module_anywhere:source", "No module named"),
        ("steelyard_agent.devices.registry:nothing", "has no attribute"),
        ("steelyard_agent.devices.registry:GROUP", "not callable"),
        ("steelyard_agent.devices.registry:LOADERS", "not callable"),
    ],
)
def test_a_source_that_cant_be_loaded_says_so_when_it_is_looked_for(value: str, message: str) -> None:
    point = EntryPoint(name="mychip", value=value, group=GROUP)
    [cpu, mine] = open_sources({"mychip": "", "cpu": ""}, "n", find=lambda: [point])
    assert cpu.discover()
    with pytest.raises(DeviceError, match=message) as caught:
        mine.discover()
    assert caught.value.vendor == "mychip"


@pytest.mark.parametrize("name", ["replay", "replay_host"])
def test_a_recording_that_isnt_there_is_told_at_once(name: str) -> None:
    with pytest.raises(ConfigError, match="no file"):
        open_sources({name: "/nowhere.steelyard"}, "n", find=not_read)
