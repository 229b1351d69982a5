"""What a simulated node tells of its devices: those that went missing and came back, XIDs and errors in memory."""

from collections.abc import Iterable, Iterator
from typing import Final

from steelyard_agent.devices.nvml.xids import xid_meaning
from steelyard_agent.devices.simulator.faults import MOMENTS, Fault
from steelyard_agent.model import DeviceInfo, Event

SOURCE: Final = "simulate"
# As the vendors' own sources call an error in memory; an AMD GPU tells none, its counter alone rises.
_ECC: Final = {
    "nvidia": ("ecc_uncorrected", "double bit ECC error"),
    "huawei": (
        "npu_fault_80E01801",
        "0x80E01801: HBM: multi-bit ECC error in memory in use; asks to restart the training",
    ),
}


def state_event(at_ms: int, uid: str, state: str) -> Event:
    """That a device is `lost`, `hung`, or well again."""
    if state == "lost":
        return Event(at_ms, "warning", "device_lost", f"{uid} is off the bus (simulated)", SOURCE, uid)
    if state == "hung":
        text = f"{uid}: a call doesn't return (simulated); left alone until it does"
        return Event(at_ms, "error", "device_quarantined", text, SOURCE, uid)
    return Event(at_ms, "info", "device_back", f"{uid} is there again (simulated)", SOURCE, uid)


def moments(
    faults: Iterable[Fault], infos: Iterable[DeviceInfo], since_s: float, until_s: float, zero_ms: int
) -> list[Event]:
    """What happened to the devices since the last look, by time.

    Args:
        faults: of the node.
        infos: its devices.
        since_s: the last look, on the simulation's clock.
        until_s: now, which the next look begins with.
        zero_ms: the Unix time at which that clock begins.
    """
    new = [fault for fault in faults if fault.kind in MOMENTS and since_s <= fault.from_s < until_s]
    found = [event for fault in new for info in infos for event in _told(fault, info, zero_ms)]
    return sorted(found, key=lambda event: event.ts_ms)


def _told(fault: Fault, info: DeviceInfo, zero_ms: int) -> Iterator[Event]:
    at_ms = zero_ms + int(fault.from_s * 1000)
    if not fault.concerns(info.index):
        return
    if fault.kind == "xid":
        severity, text = xid_meaning(fault.code)
        yield Event(at_ms, severity, f"xid_{fault.code}", f"XID {fault.code}: {text} (simulated)", SOURCE, info.uid)
    elif info.vendor in _ECC:
        code, text = _ECC[info.vendor]
        yield Event(at_ms, "error", code, f"{text} (simulated)", SOURCE, info.uid)
