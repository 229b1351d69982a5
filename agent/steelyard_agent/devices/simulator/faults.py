"""What can be wrong with a simulated device or its node, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

FaultKind = Literal["throttle", "slow_host", "idle", "hung", "lost"]
FAULT_KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)

# How much longer computing takes: a chip that is too hot, and one whose host is late with data.
THROTTLE_FACTOR: Final = 1.6
SLOW_HOST_FACTOR: Final = 1.35


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, over one time.

    Attributes:
        kind: throttle: clocks are held down by heat; slow_host: the device waits for its host's data; idle: a job
            holds the device and leaves it alone; hung: calls don't return; lost: the device is off the bus.
        device: the index of the device; None for all of the node.
        from_s: on the simulation's clock.
        to_s: likewise.
    """

    kind: FaultKind
    device: int | None
    from_s: float
    to_s: float


def active(faults: Iterable[Fault], device: int, at_s: float) -> dict[FaultKind, Fault]:
    """The faults of one device at one time, by kind."""
    return {
        fault.kind: fault
        for fault in faults
        if fault.from_s <= at_s < fault.to_s and (fault.device is None or fault.device == device)
    }
