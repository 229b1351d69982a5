"""The seam between the sampling loop and jobs/: who holds the devices becomes rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from steelyard_agent.devices.guard import Holders
from steelyard_agent.model import DeviceInfo
from steelyard_proto.v1 import batch_pb2


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look at the devices' holders gives, ready to be sent."""

    processes: Sequence[batch_pb2.Process] = ()
    intervals: Sequence[batch_pb2.JobInterval] = ()


class Follower(Protocol):
    """Follows processes and jobs from one look to the next. Used by the sampling thread alone."""

    def see(self, ts_ms: int, holders: Sequence[Holders], key_of: Callable[[DeviceInfo], int]) -> Sighting:
        """Takes who holds each device now.

        Args:
            ts_ms: Unix time of the look.
            holders: per device its processes, or why they can't be known.
            key_of: a device's key in the rows.
        """
        ...
