"""NVML's field values: which a driver has, in which type, and what is made of them; the links."""

import pytest

from steelyard_agent.devices.nvml.source import NvmlSource
from steelyard_agent.model import Absent
from tests.standins.nvml_node import NvmlNode, named

MIB = 1 << 20


def test_unsupported_fields_are_left_out_and_others_tried(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"error.field.186": 3, "error.field.83": 3, "error.field.82": 3, "power_w": 300, "energy_mj": 5})
    values = named(source, source.discover()[0])
    assert values["power_w"] == 300  # nvmlDeviceGetPowerUsage
    assert values["energy_mj"] == 5  # nvmlDeviceGetTotalEnergyConsumption
    assert "hbm_temp_c" not in values


def test_field_failing_alone_is_absent_alone(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set({"error.field.271": 999, "error.field.253": 999, "error.field.74": 4})
    values = named(source, info)
    assert values["throttle_hw_ns"] == Absent("failed: nvmlDeviceGetFieldValues (999)")
    assert values["throttle_power_ns"] == Absent("not permitted: nvmlDeviceGetFieldValues (4)")
    assert isinstance(values["energy_mj"], int)


def test_fields_change_their_type_while_running(node: NvmlNode, source: NvmlSource) -> None:
    info = source.discover()[0]
    node.scenario.set({"field.186": 450250, "field_type.186": 3, "field.82": 71, "field_type.82": 0})
    values = named(source, info)
    assert (values["power_w"], values["hbm_temp_c"]) == (450.25, 71)
    node.scenario.set({"field_type.186": 42})
    assert named(source, info)["power_w"] == Absent("field of an unknown type")


def test_driver_that_refuses_the_whole_call_for_one_field(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"highest_field": 200, "power_w": 250})
    values = named(source, source.discover()[0])
    assert values["power_w"] == 250
    assert "energy_mj" in values
    assert "throttle_thermal_ns" not in values


@pytest.mark.parametrize("first", [251, 269])
def test_slowdown_counters_by_either_numbering(node: NvmlNode, source: NvmlSource, first: int) -> None:
    node.scenario.set({"throttle_field": first, "power_smoothing": 1, "slow_thermal_ns": 11, "slow_hw_thermal_ns": 20})
    node.scenario.set({"slow_brake_ns": 3})
    values = named(source, source.discover()[0])
    assert (values["throttle_thermal_ns"], values["throttle_hw_ns"]) == (11, 23)


def test_no_slowdown_counters_where_the_numbers_mean_power_smoothing(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"throttle_field": 900, "power_smoothing": 1})
    assert not {"throttle_thermal_ns", "throttle_hw_ns"} & named(source, source.discover()[0]).keys()


@pytest.mark.parametrize(("generation", "has_links"), [(0, False), (4, True), (5, True)])
def test_links_of_every_generation(node: NvmlNode, source: NvmlSource, generation: int, has_links: bool) -> None:
    node.scenario.set({"nvlink": generation, "clock": 100})
    values = named(source, source.discover()[0])
    assert ("link_tx_bytes" in values) is has_links
    if has_links:
        sent = values["link_tx_bytes"]
        assert isinstance(sent, int)
        assert sent == pytest.approx(1.1e11 * node.now_s + 1e12, rel=1e-6)


def test_errors_of_links_are_of_all_kinds_that_are_counted(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"link_errors": 5})
    assert named(source, source.discover()[0], "slow")["link_errors"] == 4 * 5 + 1
    node.scenario.set({"error.field.45": 3})
    source.close()
    assert named(source, source.discover()[0], "slow")["link_errors"] == 3 * 5 + 1
    node.scenario.set({"nvlink": 0})
    source.close()
    assert "link_errors" not in named(source, source.discover()[0], "slow")


def test_errors_of_nvlink_5_are_counted_by_link(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"nvlink": 5, "link_errors": 2})
    info = source.discover()[0]
    assert named(source, info, "slow")["link_errors"] == 18 * 4 * 2
    node.scenario.set({"error.field.212": 3})
    assert isinstance(named(source, info, "slow")["link_errors"], Absent), "a part of the sum is missing"
    source.close()
    assert named(source, source.discover()[0], "slow")["link_errors"] == 18 * 3 * 2


def test_links_that_are_up_are_counted(node: NvmlNode, source: NvmlSource) -> None:
    # Of an A100 with 12 of the driver's 18 links wired, two are down.
    node.scenario.set({"links_wired.0": 12, "links_down.0": 2, "nvlink.1": 0})
    first, second = source.discover()
    assert named(source, first, "slow")["link_up"] == 10
    assert "link_up" not in named(source, second, "slow"), "it has no links"
    node.scenario.set({"links_down.0": 12})
    assert named(source, first, "slow")["link_up"] == 0
    node.scenario.set({"error.nvmlDeviceGetNvLinkState.0": 999})
    assert isinstance(named(source, first, "slow")["link_up"], Absent)


def test_a_link_that_does_not_answer_makes_the_sum_absent(node: NvmlNode, source: NvmlSource) -> None:
    node.scenario.set({"nvlink": 5})
    info = source.discover()[0]
    node.scenario.set({"error.field.204": 3})
    values = named(source, info)
    assert isinstance(values["link_rx_bytes"], Absent)
    assert isinstance(values["link_tx_bytes"], int)
