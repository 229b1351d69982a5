"""What can be wrong with a simulated device or its node, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

FaultKind = Literal["throttle", "slow_host", "slow_link", "idle", "hung", "lost", "xid", "ecc"]
FAULT_KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)

# What happens at a moment; the others last.
MOMENTS: Final = ("xid", "ecc")
# An uncorrected error in memory, contained to the programs that it hit.
DEFAULT_XID: Final = 94

# How much longer it takes: computing on a chip that is too hot, a step whose host is late with data, communicating over
# a link that has lost lanes.
THROTTLE_FACTOR: Final = 1.6
SLOW_HOST_FACTOR: Final = 1.35
SLOW_LINK_FACTOR: Final = 2.5


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, over one time.

    Attributes:
        kind: throttle: clocks are held down by heat; slow_host: the device waits for its host's data; slow_link: its
            links are slow and tell errors; idle: a job holds the device and leaves it alone; hung: calls don't return;
            lost: the device is off the bus; xid: the driver tells an XID; ecc: an error in memory that can't be
            corrected.
        device: the index of the device; None for all of the node.
        from_s: on the simulation's clock.
        to_s: likewise; never for what happens at a moment.
        code: the number of an XID; 0 else.
    """

    kind: FaultKind
    device: int | None
    from_s: float
    to_s: float
    code: int = 0

    def concerns(self, device: int) -> bool:
        """Whether a device of the node has it."""
        return self.device is None or self.device == device


def active(faults: Iterable[Fault], device: int, at_s: float) -> dict[FaultKind, Fault]:
    """The faults of one device at one time, by kind."""
    return {fault.kind: fault for fault in faults if fault.from_s <= at_s < fault.to_s and fault.concerns(device)}


def ecc_errors(faults: Iterable[Fault], device: int, at_s: float) -> int:
    """How many errors in its memory a device has had by then."""
    return sum(fault.kind == "ecc" and fault.from_s <= at_s and fault.concerns(device) for fault in faults)
