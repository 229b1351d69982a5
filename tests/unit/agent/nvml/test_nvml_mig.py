"""MIG: instances are devices of their own, which come and go."""

import pytest

from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_proto.errors import DeviceLost
from tests.standins.nvml_node import NvmlNode, named

DEVICES = 3
UIDS = [f"GPU-5eed000{index}-0000-4000-8000-000000000{index}00" for index in range(3)]
# A device that is lost needs the library to be started anew where a new handle doesn't help; not more often than this.
RESTART_S = 600
FAST_CALLS = [
    *(
        f"error.nvmlDeviceGet{call}"
        for call in (
            "FieldValues",
            "UtilizationRates",
            "ClockInfo",
            "CurrentClocksEventReasons",
            "MemoryInfo_v2",
            "TemperatureV",
        )
    ),
    "error.nvmlGpmSampleGet",
]


def uids(source: NvmlSource) -> list[str]:
    return [info.uid for info in source.discover()]


def test_instances_are_devices_of_their_own(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"mig.1": 3, "mig_hole.1": 1, "pids.1": "77:5"})
    infos = source.discover()
    parent, *parts = [info for info in infos if info.index == 1]
    assert len(infos) == 5
    assert [part.uid for part in parts] == [
        "MIG-5eed0001-0000-4000-8000-000000000101",
        "MIG-5eed0001-0000-4000-8000-000000000103",
    ]
    assert {(part.part, part.package_uid, part.chip, part.power_scope) for part in parts} == {("mig", UIDS[1], "", "")}
    assert parts[0].memory_bytes == (81559 // 8) << 20
    assert (parent.part, parent.chip) == ("package", "H100")
    node.advance(1)
    values = named(source, parts[0])
    assert isinstance(values["tensor_active"], float)
    assert isinstance(values["hbm_used_bytes"], float)
    assert not {"busy", "power_w", "energy_mj", "core_clock_mhz"} & values.keys()
    assert "busy" not in named(source, parent)
    assert "remapped_rows" not in named(source, parent, "slow")
    assert "MIG" in parent.notes["remapped_rows"]
    assert isinstance(named(source, parent)["power_w"], float)
    assert named(source, parts[1], "processes") == {"processes": 1}


def test_mig_is_switched_on_and_off_while_running(node: NvmlNode, source: NvmlSource) -> None:
    assert uids(source) == UIDS
    node.scenario.set({"mig.0": 2})
    infos = source.discover()
    assert len(infos) == 5
    part = infos[1]
    node.scenario.set({"mig.0": 0, "error.nvmlDeviceGetMemoryInfo_v2": 2})
    with pytest.raises(DeviceLost, match="the MIG instance is gone"):
        source.sample(part.uid, "fast")
    node.scenario.drop("error.nvmlDeviceGetMemoryInfo_v2")
    infos = source.discover()
    assert [info.uid for info in infos] == UIDS
    assert "busy" in named(source, infos[0])


def test_another_instance_behind_a_known_handle(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"mig.0": 1})
    first = source.discover()[1].uid
    node.scenario.set({"mig_uuid.0": "MIG-other"})
    assert first not in uids(source)
    assert "MIG-other" in uids(source)
