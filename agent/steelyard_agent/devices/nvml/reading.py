"""What one call tells about a device: the metrics that come out of it, and why one is missing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_agent.devices.nvml.errors import CODES
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceTimeout, NotPermitted, NotSupported

OUT_OF_RANGE: Final = Absent("out of range")
_WORDS: Final[dict[type[DeviceError], str]] = {
    NotSupported: "not supported",
    NotPermitted: "not permitted",
    DeviceTimeout: "timed out",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A call that is ready to be made, and the metrics, by id, that it gives in this order.

    Attributes:
        latencies_us: how long the driver took over each at the last reading, where it says so.
    """

    ids: tuple[int, ...]
    read: Callable[[], tuple[Value, ...]]
    latencies_us: Callable[[], Mapping[int, float]] = dict


def absent_for(code: int | None, call: str) -> Absent:
    """Why a metric is missing, in few words out of a bounded set."""
    if code is None:
        return Absent(f"{call} is missing")
    kind = CODES.get(code, (DeviceError, ""))[0]
    return Absent(f"{_WORDS.get(kind, 'failed')}: {call} ({code})")


def ratio(percent: int | float) -> Value:
    """Percent as 0-1. A window of counters can close a little late, so up to 101 counts as 100."""
    if 0 <= percent <= 100:
        return percent / 100
    return 1.0 if 100 < percent <= 101 else OUT_OF_RANGE


def celsius(degrees: int) -> Value:
    """A temperature that can be."""
    return float(degrees) if -60 < degrees < 250 else OUT_OF_RANGE
