"""What takes long: bandwidths of links, which block for their window, and the network's figures, which block at times.

A device's slow figures are read by a thread of their own (aside.py) and laid on its shelf, from which a tick takes
them without a call.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.dcmi import structs
from steelyard_agent.devices.dcmi.errors import ARGUMENT_REFUSED, VENDOR, out_of_range
from steelyard_agent.devices.dcmi.readings import DeviceCalls, Reading, absent_for
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported
from steelyard_proto.metrics import MetricClass

# A sixtieth of a step's time would tell nothing of it, a second would keep a node of 16 devices busy for half a minute.
WINDOW_MS: Final = 100
# Enough to learn whether the call is answered.
_FIRST_WINDOW_MS: Final = 10
PERIOD_S: Final = 10.0
_MAX_AGE_S: Final = 3.5 * PERIOD_S

NOTE: Final = f"a window of {WINDOW_MS} ms every {PERIOD_S:g} s, repeated until the next"

# The rates that are measured in windows, by id.
IN_WINDOWS: Final[Mapping[int, str]] = {
    52: "link_tx_bytes_per_s",
    53: "link_rx_bytes_per_s",
    54: "pcie_tx_bytes_per_s",
    55: "pcie_rx_bytes_per_s",
}

_GIB: Final = 1 << 30
_MB_PER_MS: Final = 1e9
# Above what the links of any NPU carry.
_MAX_BYTES_PER_S: Final = 1e13
_MEAN: Final = 2
_SET_UP: Final = 1
_LANES_AT: Final = 9
_LANES: Final = 3
_NETWORK_UNKNOWN: Final = 0xFF
_UNKNOWN: Final = Absent("not measured yet")
_OLD: Final = Absent(f"not measured for {_MAX_AGE_S:g} s")
_OUT_OF_RANGE: Final = Absent("out of range")


@dataclass(frozen=True, slots=True)
class SlowReading:
    """A slow call and the metrics, by id, that it gives in this order.

    Attributes:
        what: a word for it.
        read: makes the call, given the length of its window in ms.
    """

    what: str
    metric_class: MetricClass
    ids: tuple[int, ...]
    read: Callable[[DeviceCalls, int], tuple[Value, ...]]


class Shelf:
    """The newest slow figures of one device; one thread lays them there, another takes them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._newest: dict[str, tuple[float, tuple[Value, ...]]] = {}

    def put(self, reading: SlowReading, values: tuple[Value, ...]) -> None:
        """Lays down what a reading has just told."""
        self._newest[reading.what] = (self._clock(), values)

    def newest(self, reading: SlowReading) -> tuple[Value, ...]:
        """What it told last, however long ago; empty before the first time."""
        return self._newest.get(reading.what, (0.0, ()))[1]

    def taker(self, reading: SlowReading) -> Reading:
        """The reading of a tick, that takes the newest figures if they aren't too old."""

        def take(_calls: DeviceCalls) -> tuple[Value, ...]:
            at_s, values = self._newest.get(reading.what, (float("inf"), unknown))
            return values if self._clock() - at_s <= _MAX_AGE_S else old

        unknown, old = (_UNKNOWN,) * len(reading.ids), (_OLD,) * len(reading.ids)
        return Reading(reading.ids, take, is_call=False)


def supported(calls: DeviceCalls, shelf: Shelf) -> tuple[SlowReading, ...]:
    """The slow readings that a device answers, each tried once with a short window.

    Raises:
        DeviceLost: the device went away meanwhile.
    """
    calls.has_sio = _has_sio(calls)
    given: set[int] = set()
    found: list[SlowReading] = []
    for reading in READINGS:
        # Links are told in different ways by the generations.
        if given.isdisjoint(reading.ids) and _is_supported(calls, reading, shelf):
            found.append(reading)
            given.update(reading.ids)
    return tuple(found)


def measure(calls: DeviceCalls, reading: SlowReading, shelf: Shelf, window_ms: int = WINDOW_MS) -> None:
    """Makes a slow call and lays its figures on the shelf; one that fails leaves its reason there.

    Raises:
        DeviceError: it failed.
    """
    try:
        values = reading.read(calls, window_ms)
    except DeviceError as error:
        shelf.put(reading, (absent_for(error),) * len(reading.ids))
        raise
    shelf.put(reading, values)


def active_faults(calls: DeviceCalls) -> tuple[int, ...]:
    """The error codes that are active now, by dcmi_get_device_errorcode_v2."""
    name = "dcmi_get_device_errorcode_v2"
    count = ctypes.c_int()
    codes = (ctypes.c_uint * structs.MAX_FAULTS)()
    calls.fill(name, count, codes, structs.MAX_FAULTS)
    if not 0 <= count.value <= structs.MAX_FAULTS:
        raise out_of_range(name, calls.label, "the number of error codes", count.value)
    return tuple(dict.fromkeys(code for code in codes[: count.value] if code))


def tells_faults(calls: DeviceCalls) -> bool:
    """Whether the device tells error codes at all.

    Raises:
        DeviceLost: the device went away meanwhile.
    """
    try:
        active_faults(calls)
    except NotSupported:
        return False
    except DeviceLost:
        raise
    except DeviceError as error:
        return error.code != ARGUMENT_REFUSED
    return True


def _is_supported(calls: DeviceCalls, reading: SlowReading, shelf: Shelf) -> bool:
    try:
        measure(calls, reading, shelf, _FIRST_WINDOW_MS)
    except NotSupported:
        return False
    except DeviceLost:
        raise
    except DeviceError as error:
        return error.code != ARGUMENT_REFUSED
    return True


def _rate(bytes_per_s: float) -> Value:
    return bytes_per_s if 0 <= bytes_per_s <= _MAX_BYTES_PER_S else _OUT_OF_RANGE


def _hccs(calls: DeviceCalls, window_ms: int) -> tuple[Value, ...]:
    # A new one each time: the library adds to the totals that it finds.
    info = structs.HccsBandwidth(profiling_time=window_ms)
    calls.fill("dcmi_get_hccs_link_bandwidth_info", info)
    return _rate(info.total_txbw * _GIB), _rate(info.total_rxbw * _GIB)


def _pcie(calls: DeviceCalls, window_ms: int) -> tuple[Value, ...]:
    info = structs.PcieBandwidth(profiling_time=window_ms)
    calls.fill("dcmi_get_pcie_link_bandwidth_info", info)
    # Requests to read carry no data.
    sent = info.tx_p_bw[_MEAN] + info.tx_cpl_bw[_MEAN]
    received = info.rx_p_bw[_MEAN] + info.rx_cpl_bw[_MEAN]
    return _rate(sent * _MB_PER_MS), _rate(received * _MB_PER_MS)


def _link_errors(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    counts = structs.HccsCounts()
    calls.info(structs.HCCS_COUNTS, counts)
    return (sum(counts.crc_err_cnt) + (_sio_errors(calls) if calls.has_sio else 0),)


def _sio_errors(calls: DeviceCalls) -> int:
    errors = structs.SioErrors()
    calls.info(structs.SIO_ERRORS, errors)
    return int(errors.tx_error_count + errors.rx_error_count)


def _has_sio(calls: DeviceCalls) -> bool:
    """Whether there is a link to another die, as in a 910C; how others refuse is nowhere said."""
    try:
        _sio_errors(calls)
    except DeviceLost:
        raise
    except DeviceError:
        return False
    return True


def _pcie_replays(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    errors = structs.PcieErrors()
    calls.info(structs.PCIE_ERRORS, errors)
    return (int(errors.retry_cnt),)


def _links_up(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    name = "dcmi_get_device_info"
    lanes = structs.HccsLanes()
    calls.info(structs.HCCS_LANES, lanes)
    ports = lanes.hccs_port_pcs_bitmap.bit_count()
    if not ports:
        raise NotSupported("no port is for HCCS", vendor=VENDOR, call=name, device=calls.label)
    if ports > structs.LINKS:
        raise out_of_range(name, calls.label, "the number of HCCS ports", ports)
    return (float(sum(_is_up(lane) for lane in lanes.pcs_lane_bitmap[:ports])),)


def _is_up(lane: int) -> bool:
    return bool(lane & _SET_UP and lane >> _LANES_AT & _LANES)


def _ub_links_up(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    links = structs.UbLinks()
    calls.fill("dcmi_get_ub_port_link_status", links)
    return (float(sum(state in structs.UB_LINKED for state in links.ub_port_status)),)


def _ports(calls: DeviceCalls, *, is_ub: bool) -> Iterator[structs.UbCounts]:
    """The counters of each port between NPUs, or of each for Ethernet; in the same memory."""
    name = "dcmi_get_device_port_list_info"
    ports, counts = structs.PortList(), structs.UbCounts()
    calls.fill(name, ports)
    if not 0 < ports.die_nums <= structs.MAX_UB_DIES:
        raise out_of_range(name, calls.label, "the number of dies with ports", ports.die_nums)
    for die in ports.die_list_data[: ports.die_nums]:
        if not 0 <= die.port_nums <= structs.MAX_UB_PORTS_OF_DIE:
            raise out_of_range(name, calls.label, "the number of ports", die.port_nums)
        for port in die.port_list_data[: die.port_nums]:
            if (port.mode == structs.UB_MODE) is is_ub:
                calls.fill("dcmi_get_port_pkt_stats_info", structs.UbPort(die.die_index, port.port_index), counts)
                yield counts


def _ub_link_errors(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    return (sum(counts.crc_error_sum for counts in _ports(calls, is_ub=True)),)


def _ethernet(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    totals = [(sum(counts.bad), sum(counts.pauses)) for counts in _ports(calls, is_ub=False)]
    if not totals:
        raise NotSupported("no port is for Ethernet", vendor=VENDOR, call="port list", device=calls.label)
    bad, pauses = zip(*totals, strict=True)
    return sum(bad), sum(pauses)


def _network_health(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    level = calls.signed("dcmi_get_device_network_health")
    return (float(level) if 0 <= level < _NETWORK_UNKNOWN else Absent("the driver doesn't know"),)


def _roce(calls: DeviceCalls, _window_ms: int) -> tuple[Value, ...]:
    counts = structs.NetworkCounts()
    calls.fill("dcmi_get_netdev_pkt_stats_info", 0, counts)
    bad = counts.mac_tx_bad_pkt_num + counts.mac_rx_bad_pkt_num
    pauses = counts.mac_tx_mac_pause_num + counts.mac_rx_mac_pause_num
    pauses += counts.mac_tx_pfc_pkt_num + counts.mac_rx_pfc_pkt_num
    figures = counts.mac_tx_total_oct_num, counts.mac_rx_total_oct_num, bad, counts.roce_new_pkt_rty_num, pauses
    return tuple(map(int, figures))


NETWORK_HEALTH: Final = SlowReading("network health", "slow", (66,), _network_health)

READINGS: Final = (
    NETWORK_HEALTH,
    SlowReading("RoCE counters", "slow", (74, 75, 76, 81, 82), _roce),
    SlowReading("HCCS counters", "slow", (58,), _link_errors),
    SlowReading("HCCS links", "slow", (59,), _links_up),
    SlowReading("UB counters", "slow", (58,), _ub_link_errors),
    SlowReading("Ethernet counters", "slow", (76, 82), _ethernet),
    SlowReading("UB links", "slow", (59,), _ub_links_up),
    SlowReading("PCIe counters", "slow", (64,), _pcie_replays),
    SlowReading("HCCS bandwidth", "fast", (52, 53), _hccs),
    SlowReading("PCIe bandwidth", "fast", (54, 55), _pcie),
)

# The result of dcmi_get_device_network_health in words; what isn't here is well or being set up.
NETWORK_FAULTS: Final[Mapping[int, str]] = {
    1: "the probe's socket could not be made",
    2: "no answer in time",
    3: "the probed address is unreachable",
    4: "sending took too long",
    5: "the probe could not be sent",
    7: "the probe could not be started",
}
