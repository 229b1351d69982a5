"""NVML when things go wrong: lost devices, reloaded drivers, hangs."""

import shutil
import time
from pathlib import Path

import pytest

from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.model import Absent
from steelyard_proto.errors import DeviceError, DeviceLost, NotPermitted
from tests.standins.agent_parts import until
from tests.standins.nvml_node import NvmlNode, named
from tests.standins.scenario import VARIABLE, Scenario

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


def test_device_that_fell_off_the_bus_harms_no_other(node: NvmlNode, source: NvmlSource) -> None:
    infos = source.discover()
    assert [info.uid for info in infos] == UIDS
    node.advance(1)
    node.scenario.set({"lost.1": 1})
    with pytest.raises(DeviceLost) as caught:
        source.sample(UIDS[1], "fast")
    assert caught.value.code == 15
    assert caught.value.device == UIDS[1]
    assert isinstance(named(source, infos[2])["core_active"], float)
    assert uids(source) == [UIDS[0], UIDS[2]]
    node.scenario.drop("lost.1")
    assert uids(source) == UIDS
    node.advance(1)
    assert isinstance(named(source, infos[1])["core_active"], float)


def test_known_devices_are_not_asked_again_by_a_look(node: NvmlNode, source: NvmlSource) -> None:
    before = source.discover()
    node.scenario.set({"error.nvmlDeviceGetUUID": 999, "error.nvmlDeviceGetName": 999})
    assert source.discover() == before


def test_library_starts_anew_where_a_new_handle_does_not_help(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    node.scenario.set({"needs_restart.1": 1})
    with pytest.raises(DeviceLost):
        source.sample(UIDS[1], "fast")
    assert uids(source) == [UIDS[0], UIDS[2]]
    node.advance(5)
    assert uids(source) == [UIDS[0], UIDS[2]]
    node.advance(RESTART_S)
    assert uids(source) == UIDS


@pytest.mark.parametrize("code", [1, 9, 18])
def test_driver_reloaded_under_the_agent(node: NvmlNode, source: NvmlSource, code: int) -> None:
    infos = source.discover()
    node.scenario.set({"driver_gone": code})
    with pytest.raises(DeviceLost):
        source.sample(UIDS[0], "fast")
    with pytest.raises(DeviceError) as caught:
        source.discover()
    assert caught.value.code == code
    node.scenario.set({"driver": "580.95.05"})
    node.scenario.drop("driver_gone")
    assert [info.driver_version for info in source.discover()] == ["580.95.05"] * 3
    node.advance(1)
    assert isinstance(named(source, infos[0])["core_active"], float)


def test_library_is_replaced_when_the_driver_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "scenario"))
    # A copy of its own: a library that anybody else has loaded is not let go of by the loader.
    own = tmp_path / "own" / library.name
    own.parent.mkdir()
    shutil.copy(library, own)
    node = NvmlNode(own, Scenario(tmp_path / "scenario", devices=2), tmp_path)
    source = node.source(hears_events=True)
    assert uids(source) == UIDS[:2]
    node.scenario.set({"release": 580, "driver": "580.95.05"})
    with pytest.raises(DeviceLost):
        source.sample(UIDS[0], "fast")
    with pytest.raises(DeviceLost) as caught:
        source.discover()
    assert caught.value.code == 18
    infos = source.discover()
    assert [(info.uid, info.driver_version) for info in infos] == [(uid, "580.95.05") for uid in UIDS[:2]]
    node.advance(1)
    assert isinstance(named(source, infos[1])["tensor_active"], float)
    source.close()


def test_what_a_driver_lacks_is_asked_again_only_of_the_next(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"error.field.82": 3})
    assert "hbm_temp_c" not in named(source, source.discover()[0])
    node.scenario.drop("error.field.82")
    assert "hbm_temp_c" not in named(source, source.discover()[0])
    node.scenario.set({"driver_gone": 9})
    with pytest.raises(DeviceLost):
        source.sample(UIDS[0], "fast")
    node.scenario.drop("driver_gone")
    assert isinstance(named(source, source.discover()[0])["hbm_temp_c"], float)


def test_permission_is_lost_and_comes_back(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set(dict.fromkeys(FAST_CALLS, 4))
    node.advance(1)
    with pytest.raises(NotPermitted):
        source.sample(info.uid, "fast")
    node.scenario.drop(*FAST_CALLS)
    assert isinstance(named(source, info)["power_w"], float)


def test_device_is_added_while_running(node: NvmlNode, source: NvmlSource) -> None:
    assert uids(source) == UIDS
    node.scenario.set({"devices": 4})
    infos = source.discover()
    assert [info.index for info in infos] == [0, 1, 2, 3]
    node.advance(1)
    assert isinstance(named(source, infos[3])["core_active"], float)


def test_device_that_may_not_be_opened_leaves_the_others(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"error.nvmlDeviceGetHandleByIndex_v2.0": 4})
    assert uids(source) == UIDS[1:]


def test_one_bad_gpu_of_eight_hides_no_other_and_is_an_event(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"devices": 8, "error.nvmlDeviceGetUUID.5": 999})
    guard = GuardedSource(source, deadline_s=10.0, monotonic=time.monotonic, wall_ms=lambda: 0)
    assert [info.index for info in guard.discover()] == [0, 1, 2, 3, 4, 6, 7]
    node.advance(1)
    guard.start_tick(["fast"])
    readings = guard.collect(30)
    assert len(readings) == 7
    assert all(isinstance(values[0], float) for _info, _class, values in readings)
    [event] = guard.events()
    assert (event.severity, event.code) == ("warning", "device_unreadable")
    assert "GPU 5" in event.text
    assert "nvmlDeviceGetUUID" in event.text
    guard.discover()
    assert guard.events() == [], "told once"
    node.scenario.drop("error.nvmlDeviceGetUUID.5")
    assert len(guard.discover()) == 8
    assert [event.code for event in guard.events()] == ["device_found"]
    guard.close()


def test_nothing_may_be_opened(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"error.nvmlDeviceGetHandleByIndex_v2": 4})
    with pytest.raises(DeviceError, match="not permitted"):
        source.discover()


def test_one_call_that_is_refused_is_absent_with_the_reason(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.advance(1)
    node.scenario.set({"error.nvmlDeviceGetUtilizationRates": 4, "error.nvmlDeviceGetClockInfo": 10})
    values = named(source, info)
    assert values["busy"] == values["memctl_busy"] == Absent("not permitted: nvmlDeviceGetUtilizationRates (4)")
    assert values["core_clock_mhz"] == Absent("timed out: nvmlDeviceGetClockInfo (10)")
    assert isinstance(values["power_w"], float)


def test_call_that_fails_at_first_comes_later(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"error.nvmlDeviceGetUtilizationRates": 999})
    info = source.discover()[0]
    node.scenario.drop("error.nvmlDeviceGetUtilizationRates")
    assert isinstance(named(source, info)["busy"], float)


def test_everything_fails_at_once(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set(dict.fromkeys(FAST_CALLS, 999))
    node.advance(1)
    with pytest.raises(DeviceError) as caught:
        source.sample(info.uid, "fast")
    assert not isinstance(caught.value, DeviceLost)


def test_a_gpu_that_hangs_at_the_first_look_hides_no_other(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"hung.1": 60})
    assert uids(source) == [UIDS[0], UIDS[2]]
    [complaint] = source.complaints
    assert (complaint.device, "hangs" in str(complaint)) == ("GPU 1", True)
    assert any(not isinstance(value, Absent) for value in source.sample(UIDS[2], "fast"))
    source.close()
    assert uids(source) == [UIDS[0], UIDS[2]], "it isn't asked twice, nor is the library ended under it"
    node.scenario.drop("hung.1")
    until(lambda: uids(source) == UIDS)


@pytest.mark.parametrize("call", ["GetMigMode", "GetName", "GetFieldValues", "GetComputeRunningProcesses_v3"])
def test_a_gpu_that_hangs_while_it_is_described_holds_no_other_up(
    node: NvmlNode, source: NvmlSource, call: str
) -> None:
    before = node.live_samples()
    node.scenario.set({"devices": 2})
    guard = GuardedSource(source, deadline_s=10.0, monotonic=time.monotonic, wall_ms=lambda: 0)
    guard.discover()
    node.scenario.set({"devices": 3, f"hang.nvmlDevice{call}.2": 600})
    # The look in which it is new, and one in which it is known to hang.
    until(lambda: guard.discover() and source.complaints)
    assert [info.uid for info in guard.discover()] == UIDS[:2]
    node.advance(1)
    guard.start_tick(["fast"])
    assert all(isinstance(values[0], float) for _info, _class, values in guard.collect(30))
    assert [event.code for event in guard.events()] == ["device_unreadable"], "no look has outlived its deadline"
    assert max(source.under_way_s(), default=0.0) > 0
    node.scenario.drop(f"hang.nvmlDevice{call}.2")
    until(lambda: len(guard.discover()) == 3)
    assert [event.code for event in guard.events()] == ["device_found"]
    assert not source.under_way_s()
    guard.close()
    assert node.live_samples() == before


def test_what_is_told_too_late_of_a_gpu_that_was_lost_meanwhile_is_not_believed(node: NvmlNode) -> None:
    before = node.live_samples()
    source = node.source()
    assert uids(source) == UIDS
    node.scenario.set({"hang.nvmlDeviceGetMigMode.1": 600})
    until(lambda: source.discover() and source.complaints)
    assert uids(source) == UIDS, "the ticks find out for themselves whether it answers"
    node.scenario.set({"lost.1": 1})
    with pytest.raises(DeviceLost):
        source.sample(UIDS[1], "fast")
    assert uids(source) == [UIDS[0], UIDS[2]]
    node.scenario.drop("lost.1", "hang.nvmlDeviceGetMigMode.1")
    until(lambda: uids(source) == UIDS)
    node.advance(1)
    assert any(not isinstance(value, Absent) for value in source.sample(UIDS[1], "fast"))
    source.close()
    assert node.live_samples() == before


def test_a_gpu_whose_events_hang_costs_the_events_alone(node: NvmlNode) -> None:
    source = node.source(hears_events=True)
    node.scenario.set({"hang.nvmlDeviceRegisterEvents.1": 600})
    assert uids(source) == UIDS
    [complaint] = source.complaints
    assert complaint.call == "nvmlDeviceRegisterEvents"
    guard = GuardedSource(source, deadline_s=0.3, monotonic=time.monotonic, wall_ms=lambda: 0)
    until(lambda: guard.stats().abandoned == 1)
    node.scenario.drop("hang.nvmlDeviceRegisterEvents.1")
    until(lambda: guard.stats().abandoned == 0)

    def is_heard() -> bool:
        node.scenario.set({"xid.1": 48})
        found = source.events()
        node.scenario.set({"xid.1": 0})
        return bool(found)

    until(is_heard)
    source.close()


def test_hang_costs_one_device(node: NvmlNode, source: NvmlSource) -> None:
    guard = GuardedSource(source, deadline_s=0.5, monotonic=time.monotonic, wall_ms=lambda: 0)
    guard.discover()
    node.advance(1)
    node.scenario.set({"hang.nvmlDeviceGetUtilizationRates.1": 1.5})
    guard.start_tick(["fast"])
    readings = {info.uid: values for info, _class, values in guard.collect(10)}
    assert isinstance(readings[UIDS[0]][0], float)
    assert isinstance(readings[UIDS[1]][0], Absent)
    assert isinstance(readings[UIDS[2]][0], float)
    # A look meanwhile leaves the device alone that hangs, and keeps it.
    assert len(guard.discover()) == 3
    assert guard.stats().quarantined == 1
    node.scenario.drop("hang.nvmlDeviceGetUtilizationRates.1")
    deadline_s = time.monotonic() + 30
    while guard.stats().quarantined and time.monotonic() < deadline_s:
        time.sleep(0.01)
    node.advance(1)
    guard.start_tick(["fast"])
    assert all(isinstance(values[0], float) for _info, _class, values in guard.collect(10))
    guard.close()


def test_buffers_are_given_back(node: NvmlNode) -> None:
    before = node.live_samples()
    source = node.source()
    source.discover()
    assert node.live_samples() == before + 6
    for _ in range(5):
        node.scenario.set({"lost.2": 1})
        with pytest.raises(DeviceLost):
            source.sample(UIDS[2], "fast")
        source.discover()
        assert node.live_samples() == before + 4
        node.scenario.drop("lost.2")
        source.discover()
        assert node.live_samples() == before + 6
    source.close()
    assert node.live_samples() == before


def test_device_lost_while_it_is_described_keeps_no_buffer(node: NvmlNode, source: NvmlSource) -> None:
    before = node.live_samples()
    node.scenario.set({"error.nvmlDeviceGetComputeRunningProcesses_v3.1": 15})
    assert uids(source) == [UIDS[0], UIDS[2]]
    assert node.live_samples() == before + 4


def test_new_gpm_buffers_that_are_refused_are_asked_for_again(node: NvmlNode, source: NvmlSource) -> None:
    before = node.live_samples()
    info = source.discover()[0]
    node.scenario.set({"gpm_frozen": 1, "gpm.20": 300, "gpm.21": 300, "error.nvmlGpmSampleAlloc": 20})
    for _ in range(33):
        node.advance(1)
        values = named(source, info)
    assert values["core_active"] == Absent("failed: nvmlGpmSampleAlloc (20)")
    node.scenario.drop("error.nvmlGpmSampleAlloc")
    node.scenario.set({"gpm_frozen": 0})
    for _ in range(2):
        node.advance(1)
        values = named(source, info)
    assert isinstance(values["core_active"], float)
    source.close()
    assert node.live_samples() == before


def test_closed_source_opens_again(node: NvmlNode) -> None:
    source = node.source()
    assert uids(source) == UIDS
    source.close()
    assert uids(source) == UIDS
    source.close()
