"""XIDs and ECC errors: told once, with the device and what they mean, until the source is closed."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.model import Event
from steelyard_proto.errors import DeviceLost
from tests.standins.nvml_node import NvmlNode

FIRST, SECOND = (f"GPU-5eed000{index}-0000-4000-8000-000000000{index}00" for index in range(2))


@pytest.fixture
def source(node: NvmlNode) -> Iterator[NvmlSource]:
    source = node.source(hears_events=True)
    yield source
    source.close()
    until(lambda: not listeners())


def listeners() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nvml-events"]


def until(happened: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline_s, "it did not happen within 60 s"
        time.sleep(0.005)


def told(source: NvmlSource | GuardedSource, count: int) -> list[Event]:
    found: list[Event] = []

    def has_enough() -> bool:
        found.extend(source.events())
        return len(found) >= count

    until(has_enough)
    return found


def test_xid_comes_with_its_device_and_meaning(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    node.scenario.set({"xid.1": 79})
    (event,) = told(source, 1)
    assert (event.uid, event.code, event.severity, event.source) == (SECOND, "xid_79", "error", "nvml")
    assert event.text == "XID 79: the GPU fell off the bus"
    assert abs(event.ts_ms - time.time() * 1000) < 5000
    assert source.events() == []


def test_program_faults_are_warnings_and_unknown_numbers_errors(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    node.scenario.set({"xid.0": 31, "xid.1": 4242})
    events = sorted(told(source, 2), key=lambda event: event.uid)
    assert [(event.uid, event.severity) for event in events] == [(FIRST, "warning"), (SECOND, "error")]


def test_ecc_error_is_an_event(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    node.scenario.set({"ecc_event.0": 1})
    (event,) = told(source, 1)
    assert (event.uid, event.code) == (FIRST, "ecc_uncorrected")


def test_the_guard_hands_them_on(node: NvmlNode, source: NvmlSource) -> None:
    guard = GuardedSource(source, deadline_s=0.5, monotonic=time.monotonic, wall_ms=lambda: 0)
    guard.discover()
    node.scenario.set({"xid.0": 48})
    assert [event.code for event in told(guard, 1)] == ["xid_48"]
    guard.close()


def test_instances_that_are_made_are_seen_at_once(node: NvmlNode, source: NvmlSource) -> None:
    guard = GuardedSource(source, deadline_s=5.0, monotonic=time.monotonic, wall_ms=lambda: 0)
    assert len(guard.discover()) == 2
    node.scenario.set({"mig.1": 3, "mig_event.1": 1})
    (event,) = told(guard, 1)
    assert (event.uid, event.code, event.severity) == (SECOND, "devices_changed", "info")
    guard.start_tick(())
    until(lambda: len(guard.devices()) == 5)
    guard.close()


def test_gpus_without_events_need_no_thread(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"events": 0})
    assert len(source.discover()) == 2
    until(lambda: not listeners())


def test_one_thread_however_often_devices_are_looked_for(node: NvmlNode, source: NvmlSource) -> None:
    for _ in range(3):
        source.discover()
    assert len(listeners()) == 1


def test_a_new_device_tells_too_and_nothing_is_told_twice(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    node.scenario.set({"devices": 3})
    source.discover()
    node.scenario.set({"xid.2": 63})
    events = told(source, 1)
    until(lambda: len(listeners()) == 1)
    assert [event.code for event in [*events, *source.events()]] == ["xid_63"]


def test_events_come_again_after_the_driver_was_reloaded(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    node.scenario.set({"driver_gone": 9})
    with pytest.raises(DeviceLost):
        source.sample(FIRST, "fast")
    node.scenario.drop("driver_gone")
    source.discover()
    node.scenario.set({"xid.0": 94})
    assert [event.code for event in told(source, 1)] == ["xid_94"]
    assert len(listeners()) == 1


def test_events_that_nobody_fetches_are_bounded(node: NvmlNode, source: NvmlSource) -> None:
    source.discover()
    for number in range(1000, 1010):
        node.scenario.set({"xid.0": number})
        until(lambda: True)
    told(source, 1)
    for number in range(300):
        source._sink.put(8, number, FIRST)
    assert len(source.events()) == 256


def test_a_gpu_that_spoils_the_set_costs_the_others_nothing(node: NvmlNode, source: NvmlSource) -> None:
    # After NVML_ERROR_UNKNOWN the set is undefined: a new one has to be made for the others.
    node.scenario.set({"error.nvmlDeviceRegisterEvents.1": 999})
    source.discover()
    node.scenario.set({"xid.1": 79})
    node.scenario.set({"xid.0": 48})
    assert [(event.uid, event.code) for event in told(source, 1)] == [(FIRST, "xid_48")]


def test_recovery_is_told_at_once_with_what_to_do(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"recovery": 0})
    source.discover()
    node.scenario.set({"recovery.1": 2, "recovery_event.1": 1})
    (event,) = told(source, 1)
    assert (event.uid, event.code, event.severity) == (SECOND, "recovery_action", "error")
    assert event.text == "the GPU asks for recovery: reboot the node"
    source.sample(SECOND, "slow")
    assert source.events() == [], "told once"


def test_recovery_is_seen_where_the_driver_tells_no_event(node: NvmlNode) -> None:
    source = node.source()
    node.scenario.set({"recovery": 0})
    source.discover()
    source.sample(FIRST, "slow")
    assert source.events() == []
    node.scenario.set({"recovery.0": 4, "remap_failed.0": 1})
    source.sample(FIRST, "slow")
    assert [(event.uid, event.code, event.severity) for event in source.events()] == [
        (FIRST, "recovery_action", "error"),
        (FIRST, "remap_failed", "error"),
    ]
    source.sample(FIRST, "slow")
    assert source.events() == []
    node.scenario.set({"recovery.0": 0})
    source.sample(FIRST, "slow")
    assert [(event.code, event.severity, event.text) for event in source.events()] == [
        ("recovery_action", "info", "recovered")
    ]
    source.close()


def test_a_gpu_that_needs_help_when_the_agent_starts_says_so(node: NvmlNode) -> None:
    source = node.source()
    node.scenario.set({"recovery.1": 1})
    source.discover()
    assert [(event.uid, event.text) for event in source.events()] == [(SECOND, "the GPU asks for recovery: reset it")]
    source.close()
