"""The state of the NVLinks: how many are up, and the errors on them."""

import ctypes
from typing import Final

from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import VENDOR
from steelyard_agent.devices.nvml.fields import Field, link_count, sum_reading
from steelyard_agent.devices.nvml.reading import Reading
from steelyard_agent.model import Value
from steelyard_proto.errors import NotSupported

_STATE: Final = "nvmlDeviceGetNvLinkState"
_ACTIVE: Final = 1
_ERRORS, _UP = 58, 59

# Totals over all links up to NVLink 4: CRC errors of flits and of data, replays, recoveries.
_TOTALS: Final[list[Field]] = [(38, 0), (45, 0), (52, 0), (59, 0)]
# By link on NVLink 5: packets received with errors, local errors above the threshold, packets that were given up,
# recoveries. What else is counted there is a part of these.
_BY_LINK: Final = (208, 211, 212, 215)


def total_errors(calls: DeviceCalls) -> Reading:
    """Errors on the links up to NVLink 4, of the kinds that the device counts.

    Raises:
        NotSupported: it counts none.
        DeviceLost: it went away meanwhile.
    """
    return sum_reading(calls, _ERRORS, _TOTALS)


def errors_by_link(calls: DeviceCalls) -> Reading:
    """Errors on the links of NVLink 5; raises as `total_errors`."""
    return sum_reading(calls, _ERRORS, [(field, link) for field in _BY_LINK for link in range(link_count(calls))])


def links_up(calls: DeviceCalls) -> Reading:
    """How many links are up; raises as `total_errors`."""
    states: list[ctypes.c_uint] = []
    fills = []
    for link in range(link_count(calls)):
        state = ctypes.c_uint()
        fill = calls.filled(_STATE, state, link)
        try:
            fill()
        except NotSupported:
            continue  # not wired on this board
        states.append(state)
        fills.append(fill)
    if not fills:
        raise NotSupported("tells the state of no link", vendor=VENDOR, call=_STATE, device=calls.label)

    def read() -> tuple[Value, ...]:
        for fill in fills:
            fill()
        return (float(sum(state.value == _ACTIVE for state in states)),)

    return Reading((_UP,), read)
