"""Huawei Ascend NPUs through DCMI."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.dcmi.aside import Aside
from steelyard_agent.devices.dcmi.binding import SEARCH_PATHS, DcmiLibrary, open_library
from steelyard_agent.devices.dcmi.card import Card, KnownDevice, Surroundings, card_ids, describe_card
from steelyard_agent.devices.dcmi.energy import EnergyIntegral
from steelyard_agent.devices.dcmi.errors import VENDOR
from steelyard_agent.devices.dcmi.faults import FaultLog
from steelyard_agent.devices.dcmi.readings import absent_for
from steelyard_agent.devices.patience import FIRST_LOOK_S, LATER_LOOK_S, PatientLook
from steelyard_agent.devices.pid_namespace import sees_host_pids
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Event, Value
from steelyard_proto.chips import ChipTable, load_chips
from steelyard_proto.errors import DeviceError, DeviceLost, DeviceTimeout
from steelyard_proto.metrics import MetricClass

_log = logging.getLogger(__name__)

# Ten readings a second follow a training step's swings of power; below that the integral drifts by percents.
POLL_PERIOD_S: Final = 0.1


class DcmiSource:
    """The NPUs of this node; see devices/base.py for what each method promises."""

    def __init__(
        self,
        *,
        library_paths: Sequence[str] = SEARCH_PATHS,
        chips: ChipTable | None = None,
        node: str = "",
        later_look_s: float = LATER_LOOK_S,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
    ) -> None:
        """Opens nothing yet.

        Args:
            library_paths: where to look for libdcmi.so, in order.
            chips: the chip table; the shipped one by default.
            node: this node's name, for the uid of a device whose driver tells no die number.
            later_look_s: how long a look waits for new cards while others are known, whose ticks wait for it.
            clock: monotonic seconds.
            wall_ms: Unix time for events, in ms.
            proc: root of procfs.
            sys: root of sysfs.
        """
        self._paths = tuple(library_paths)
        self._chips = chips if chips is not None else load_chips()
        self._node = node
        self._later_look_s = later_look_s
        self._clock = clock
        self._wall_ms = wall_ms
        self._proc = proc
        self._sys = sys
        self._library: DcmiLibrary | None = None
        # The library that has refused the newest looks.
        self._refused: DcmiLibrary | None = None
        self._cards: dict[int, Card] = {}
        self._by_uid: dict[str, KnownDevice] = {}
        self._look = PatientLook(self._describe, VENDOR, "card")
        self._energy: dict[str, EnergyIntegral] = {}
        self._faults = FaultLog()
        self._aside: Aside | None = None
        self._lost: set[str] = set()
        self._complaints: dict[tuple[str, int | None], DeviceError] = {}

    @property
    def name(self) -> str:
        """The registry's name."""
        return "dcmi"

    @property
    def capabilities(self) -> Capabilities:
        """Power is polled for the energy; processes are told."""
        return Capabilities(poll_period_s=POLL_PERIOD_S, has_processes=True)

    @property
    def complaints(self) -> Sequence[DeviceError]:
        """Why devices that are there could not be described, each reason once; for the doctor."""
        return tuple(self._complaints.values())

    def discover(self) -> Sequence[DeviceInfo]:
        """Lists the NPUs. A card that is known and well is not asked again, and one that hangs hides no other.

        Source: dcmi_get_card_list, dcmi_get_device_num_in_card.

        Raises:
            LibraryMissing: no libdcmi.so.
            DeviceError: it refuses, or no device of any card answers.
        """
        loaded = self._library
        try:
            numbers = self._card_ids(self._opened())
        except DeviceError:
            self._refused = loaded or self._refused
            raise
        self._refused = None
        cards = {number: card for number in numbers if (card := self._well_known(number)) is not None}
        # Of a card that is asked again and hasn't answered yet: its devices that are well.
        partly = {
            number: card for number in self._cards.keys() - cards.keys() if (card := self._partly(number)).devices
        }
        failure: DeviceError | None = None
        patience_s = self._later_look_s if cards or partly else FIRST_LOOK_S
        for number, result in self._look.look([number for number in numbers if number not in cards], patience_s):
            if isinstance(result, Card):
                cards[number] = result
                continue
            failure = result
            self._complain(result)
            if not isinstance(result, DeviceTimeout):
                partly.pop(number, None)
        cards = {number: card for number, card in partly.items() if number in numbers} | cards
        self._cards = cards
        self._by_uid = {device.info.uid: device for number in sorted(cards) for device in cards[number].devices}
        self._lost.clear()
        if self._aside is None:
            self._aside = Aside(self._clock, self._wall_ms, self._faults)
        self._aside.follow({uid: device.aside for uid, device in self._by_uid.items()})
        if failure is not None and not self._by_uid:
            raise failure
        return [device.info for device in self._by_uid.values()]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading of all metrics of a class; see `readings` for the calls."""
        device = self._device(uid)
        values: list[Value] = []
        failures: list[DeviceError] = []
        readings = device.readings.get(metric_class, ())
        for reading in readings:
            try:
                values.extend(reading.read(device.calls))
            except DeviceLost:
                self._lost.add(uid)
                raise
            except DeviceError as error:
                failures.append(error)
                values.extend((absent_for(error),) * len(reading.ids))
        if failures and len(failures) == sum(reading.is_call for reading in readings):
            if self._library is not None and self._library.is_replaced():
                # The look that a loss brings on finds out whether the old library refuses the others too.
                self._lost.add(uid)
                message = "says nothing any more, and its library was replaced"
                raise DeviceLost(message, vendor=VENDOR, device=uid, call=failures[0].call, code=failures[0].code)
            raise failures[0]
        return values

    def poll(self, uid: str) -> None:
        """Reads the power for the energy integral; a reading that fails leaves a gap, and the sample says why."""
        device = self._by_uid.get(uid)
        if device is None or not device.is_polled:
            return
        try:
            watts = device.calls.power_w()
        except DeviceError:
            return
        if watts is not None and device.calls.energy is not None:
            device.calls.energy.add(watts)

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """The processes of a device, by dcmi_get_device_resource_info."""
        device = self._device(uid)
        if not sees_host_pids(self._proc):
            return Absent("the agent's container does not see the host's pids")
        try:
            found = device.calls.processes()
        except DeviceLost:
            self._lost.add(uid)
            raise
        except DeviceError as error:
            return absent_for(error)
        return [DeviceProcess(pid=pid, hbm_used_bytes=used) for pid, used in found]

    def events(self) -> Sequence[Event]:
        """What the NPUs have told since the last call: error codes, the network; the slow calls' turn comes here."""
        aside = self._aside
        if aside is None:
            return ()
        aside.turn()
        return aside.events()

    def why_outdated(self) -> str:
        """After an upgrade under the agent the old library refuses; the new file can't be loaded beside it.

        DCMI can't be ended: what it has started here may still run in the old code, which must not be unloaded.
        """
        if self._refused is None or not self._refused.is_replaced():
            return ""
        return f"{self._refused.path} was replaced and the one that is loaded refuses"

    def under_way_s(self) -> Sequence[float]:
        """Of the looks at cards that haven't answered yet, and of what hangs in the thread aside."""
        return [*self._look.under_way_s(), *(() if self._aside is None else self._aside.hangs_for_s())]

    def close(self) -> None:
        """Forgets the devices; DCMI has nothing to give back."""
        if self._aside is not None:
            self._aside.close()
            self._aside = None
        self._cards = {}
        self._by_uid = {}
        self._library = None

    def _opened(self) -> DcmiLibrary:
        if self._library is None:
            self._library = open_library(self._paths)
        return self._library

    def _card_ids(self, library: DcmiLibrary) -> list[int]:
        try:
            return card_ids(library)
        except DeviceError:
            # The driver went away or was replaced: the next look opens and initialises the library anew.
            self._library = None
            self._cards = {}
            raise

    def _device(self, uid: str) -> KnownDevice:
        device = self._by_uid.get(uid)
        if device is None:
            raise DeviceLost("is not on this node", vendor=VENDOR, device=uid, call="discover")
        return device

    def _describe(self, number: int) -> Card:
        around = Surroundings(self._chips, self._node, self._sys, self._integral, self._clock, self._complain)
        return describe_card(self._opened(), number, around)

    def _well_known(self, number: int) -> Card | None:
        card = self._cards.get(number)
        if card is None or not card.is_complete:
            return None
        return None if any(device.info.uid in self._lost for device in card.devices) else card

    def _partly(self, number: int) -> Card:
        devices = self._cards[number].devices
        return Card(tuple(device for device in devices if device.info.uid not in self._lost), is_complete=False)

    def _integral(self, uid: str) -> EnergyIntegral:
        return self._energy.setdefault(uid, EnergyIntegral(self._clock))

    def _complain(self, error: DeviceError) -> None:
        key = (f"{error.device} {error.call}", error.code)
        if key not in self._complaints:
            self._complaints[key] = error
            _log.warning("%s", error)
