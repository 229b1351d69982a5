"""The PCIe link of a device, by the kernel's own files: DCMI tells nothing of it."""

import re
from pathlib import Path
from typing import Final

from steelyard_agent.devices.dcmi.readings import DeviceCalls, Reading
from steelyard_agent.model import Absent, Value

_SPEED: Final = re.compile(r"([\d.]+) GT/s")
_MAX_LANES: Final = 32
_UNKNOWN: Final = Absent("the kernel does not know the PCIe link")


def link_reading(sys: Path, address: str) -> Reading | None:
    """Its speed and lanes now; None where the kernel shows no such link.

    Args:
        sys: root of sysfs.
        address: the device's, as Linux writes it.
    """
    folder = sys / "bus/pci/devices" / address

    def read(_calls: DeviceCalls) -> tuple[Value, ...]:
        try:
            speed = _SPEED.match((folder / "current_link_speed").read_text(encoding="ascii"))
            lanes = int((folder / "current_link_width").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return _UNKNOWN, _UNKNOWN
        # A device that has fallen off the bus answers with all bits set.
        if speed is None or not 0 < lanes <= _MAX_LANES:
            return _UNKNOWN, _UNKNOWN
        return float(speed[1]), float(lanes)

    return Reading((84, 85), read, is_call=False) if address and (folder / "current_link_speed").exists() else None
