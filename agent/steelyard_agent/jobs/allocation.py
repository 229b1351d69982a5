"""Which devices a scheduler has given to which job: so that a job is seen that holds devices and does nothing.

Schedulers are asked in a thread of their own, seldom and with deadlines: the sampling never waits for one of them.
"""

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from steelyard_agent.jobs.identity import JobIdentity
from steelyard_agent.model import DeviceInfo

log = logging.getLogger(__name__)

# Jobs last minutes; a scheduler's daemon has better things to do than to answer agents.
_PERIOD_S: Final = 30.0
_STOP_S: Final = 0.2
_NUMBERED: Final = re.compile(r"[a-z0-9]+-(\d+)")


@dataclass(frozen=True, slots=True)
class DeviceName:
    """A device as a scheduler calls it.

    Attributes:
        name: its uid, PCI address, or number on the node.
        vendor: empty where the scheduler doesn't tell.
    """

    name: str
    vendor: str = ""

    def means(self, info: DeviceInfo) -> bool:
        """Whether a device of the node is meant."""
        if info.kind == "cpu" or self.vendor not in ("", info.vendor):
            return False
        # Shared devices are numbered behind their own name: GPU-...::2.
        name = self.name.partition("::")[0].lower()
        numbered = _NUMBERED.fullmatch(name)
        if name.isdigit() or (numbered and info.vendor == "huawei"):
            return info.index == int(numbered[1] if numbered else name)
        return name == info.uid.lower() or (":" in name and _address(name) == _address(info.pci_address.lower()))


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a scheduler has given to a job on this node.

    Attributes:
        key: of the allocation, the same from look to look.
    """

    key: str
    job: JobIdentity
    devices: tuple[DeviceName, ...]
    user: str = ""

    def holds(self, info: DeviceInfo) -> bool:
        """Whether a device of the node is one of them."""
        return any(name.means(info) for name in self.devices)


class AllocationSource(Protocol):
    """A scheduler."""

    def look(self) -> Sequence[Allocation]:
        """All of this node's allocations; may take some seconds, and is empty where the scheduler isn't there."""
        ...


class Allocations:
    """The newest allocations of all schedulers."""

    def __init__(self, sources: Sequence[AllocationSource], period_s: float = _PERIOD_S) -> None:
        """Args: who is asked, and how often."""
        self._sources = sources
        self._period_s = period_s
        self._newest: tuple[Allocation, ...] = ()
        self._troubles: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="allocations", daemon=True)

    def start(self) -> None:
        """Begins to ask."""
        self._thread.start()

    def newest(self) -> Sequence[Allocation]:
        """What was found last."""
        return self._newest

    def close(self) -> None:
        """Asks no more; a question that is under way is left to its deadline."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while True:
            self._newest = tuple(found for source in self._sources for found in self._ask(source))
            if self._stop.wait(self._period_s):
                return

    def _ask(self, source: AllocationSource) -> Sequence[Allocation]:
        try:
            return source.look()
        except Exception as error:  # noqa: BLE001  a scheduler's fault is none of the sampling's
            trouble = f"{type(source).__name__}: {error}"
            if trouble not in self._troubles and len(self._troubles) < 20:
                self._troubles.add(trouble)
                log.warning("allocations can't be read: %s", trouble)
            return ()


def _address(text: str) -> str:
    """Without the domain's leading zeros, of which drivers write four or eight."""
    return text.lstrip("0")
