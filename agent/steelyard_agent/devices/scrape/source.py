"""Devices by the text of an exporter on this node: dcgm-exporter, npu-exporter, AMD's device-metrics-exporter.

For nodes where the agent may not touch the driver, and for what only DCGM gives on an A100. The figures are as fresh
as the exporter's own look at the driver, of which the text says nothing: a figure may repeat until then.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.scrape.exporters import Exporter, Layout, Told, devices_of, exporter_of, exporters
from steelyard_agent.devices.scrape.page import NotHttp, PageClient
from steelyard_agent.devices.scrape.rhythm import Rhythm
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.chips import Chip, ChipTable, load_chips
from steelyard_proto.errors import ConfigError, DeviceError, DeviceLost, DeviceTimeout
from steelyard_proto.metrics import MetricClass, catalogue

VENDOR: Final = "exporter"
# Below the guard's deadline of a call, so that a slow exporter is named and not taken for a device that hangs.
_TIMEOUT_S: Final = 0.4
_MOST_BYTES: Final = 16 << 20
_OK: Final = 200
_NOT_TOLD: Final = Absent("the exporter's page has no value of it")
_NOTE: Final = "by {}: as fresh as its own look at the driver, and the same until the next"


@dataclass(slots=True)
class _Endpoint:
    """One exporter of this node: where it listens, and what it told last."""

    url: str
    client: PageClient
    exporter: Exporter | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    page: bytes = b""
    layout: Layout | None = None
    told: Mapping[str, Told] = field(default_factory=dict)
    fault: DeviceError | None = None


class ScrapeSource:
    """The devices of one or several exporters on this node."""

    name = "scrape"
    capabilities = Capabilities()

    def __init__(self, urls: Sequence[str], *, node: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Connects to nothing yet.

        Args:
            urls: of the exporters' pages.
            node: this node's name, for the uid of a device that has none of its own.
            clock: monotonic seconds.

        Raises:
            ConfigError: a URL isn't one.
        """
        self._endpoints = [_endpoint(url) for url in urls]
        self._node = node
        self._clock = clock
        self._chips: ChipTable | None = None
        self._places: dict[str, tuple[_Endpoint, str, DeviceInfo]] = {}
        self._complaints: dict[str, DeviceError] = {}

    @property
    def complaints(self) -> Sequence[DeviceError]:
        """What hid one exporter's devices while another's were there."""
        return list(self._complaints.values())

    def discover(self) -> Sequence[DeviceInfo]:
        """The devices of every page.

        Raises:
            DeviceError: there is none, for an exporter doesn't answer, or its page is of none that is known.
        """
        places: dict[str, tuple[_Endpoint, str, DeviceInfo]] = {}
        faults: list[DeviceError] = []
        for endpoint in self._endpoints:
            self._read(endpoint)
            if endpoint.fault is not None:
                faults.append(endpoint.fault)
            for place, (index, told) in enumerate(endpoint.told.items()):
                info = self._describe(endpoint, index, told, place)
                places[info.uid] = (endpoint, index, info)
        self._places = places
        if faults and not places:
            raise faults[0]
        self._complaints.update({str(fault): fault for fault in faults})
        return [info for _, _, info in places.values()]

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """One reading; the page is fetched anew where it isn't of this tick and may tell something new.

        Raises:
            DeviceLost: the page no longer has the device.
            DeviceError: the exporter doesn't answer.
        """
        if uid not in self._places:
            raise DeviceLost("no such device", vendor=VENDOR, call="sample", device=uid)
        endpoint, index, info = self._places[uid]
        if self._clock() >= endpoint.rhythm.due_s:
            self._read(endpoint)
        if endpoint.fault is not None:
            raise endpoint.fault
        told = endpoint.told.get(index)
        if told is None:
            raise DeviceLost(f"{endpoint.url} no longer has it", vendor=VENDOR, call="sample", device=uid)
        return [told.figures.get(number, _NOT_TOLD) for number in info.metrics.get(metric_class, ())]

    def poll(self, uid: str) -> None:
        """Nothing is read between samples."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """Exporters name pods, not processes."""
        return Absent("an exporter tells no processes")

    def close(self) -> None:
        """Closes the connections."""
        for endpoint in self._endpoints:
            endpoint.client.close()

    def _read(self, endpoint: _Endpoint) -> None:
        """Reads a page, or notes why it can't be: the other devices of the tick don't wait for it again."""
        before, told = endpoint.page, endpoint.told
        now_s = self._clock()
        endpoint.page, endpoint.told, endpoint.fault = b"", {}, None
        try:
            received = _fetch(endpoint)
            if received and received == before:
                # It says the same until the exporter's next look at the driver.
                endpoint.page, endpoint.told = before, told
                endpoint.rhythm.note(now_s, has_changed=False)
                return
            page = received.decode("utf-8", "replace")
            endpoint.exporter = endpoint.exporter or exporter_of(page)
            if endpoint.exporter is None:
                known = ", ".join(exporter.name for exporter in exporters())
                raise _fault(endpoint, f"has no device of an exporter that is known ({known})")
            endpoint.told, endpoint.layout = devices_of(page, endpoint.exporter, endpoint.layout)
            endpoint.page = received
            endpoint.rhythm.note(now_s, has_changed=endpoint.told != told)
        except DeviceError as error:
            endpoint.fault = error
            endpoint.rhythm.forget(now_s)

    def _describe(self, endpoint: _Endpoint, index: str, told: Told, place: int) -> DeviceInfo:
        exporter = endpoint.exporter
        assert exporter is not None
        name = next((told.labels[label] for label in exporter.name_labels if label in told.labels), "")
        own = told.labels.get(exporter.uid_label, "")
        chip = self._chip(name, exporter)
        by_class: dict[MetricClass, tuple[int, ...]] = {
            metric_class: tuple(n for n in told.figures if catalogue().by_id[n].metric_class == metric_class)
            for metric_class in ("fast", "slow")
        }
        total = told.figures.get(catalogue().by_name["hbm_total_bytes"].id, 0)
        return DeviceInfo(
            uid=f"{exporter.uid_before}{own}" if own else f"{self._node}-{exporter.vendor}-{index}",
            vendor=exporter.vendor,
            kind=exporter.kind,
            name=name or f"{exporter.vendor} device {index}",
            metrics=by_class,
            chip=chip.name if chip else "",
            index=int(index) if index.isdecimal() else place,
            pci_address=told.labels.get(exporter.pci_label, "").lower(),
            memory_bytes=int(total),
            driver_version=told.labels.get(exporter.driver_label, ""),
            library_version=exporter.name,
            power_scope=exporter.power_scope,
            notes={catalogue().by_id[number].name: _NOTE.format(exporter.name) for number in by_class["fast"]},
        )

    def _chip(self, name: str, exporter: Exporter) -> Chip | None:
        self._chips = self._chips or load_chips()
        # Huawei's exporter writes "910B2-Ascend-V1".
        for wanted in (name, name.partition("-")[0]):
            if wanted.lower() not in exporter.ambiguous and (chip := self._chips.match(wanted)):
                return chip
        return None


def open_scrape(argument: str, *, node: str) -> ScrapeSource:
    """The source of the exporters that are named, with blanks between them.

    Raises:
        ConfigError: a URL isn't one.
    """
    return ScrapeSource(argument.split(), node=node)


def _endpoint(url: str) -> _Endpoint:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme != "http" or not parts.hostname or port == -1 or parts.username or not url.isascii():
        raise ConfigError(
            f"{url!r} is no address of an exporter; give for example http://127.0.0.1:9400/metrics",
            key="sources.scrape",
        )
    path = (parts.path or "/metrics") + (f"?{parts.query}" if parts.query else "")
    client = PageClient(parts.hostname, port or 80, path, timeout_s=_TIMEOUT_S, most_bytes=_MOST_BYTES)
    return _Endpoint(url, client)


def _fetch(endpoint: _Endpoint) -> bytes:
    try:
        status, page = endpoint.client.get()
    except TimeoutError as error:
        raise DeviceTimeout(f"no answer in {_TIMEOUT_S} s", vendor=VENDOR, call=f"GET {endpoint.url}") from error
    except NotHttp as error:
        raise _fault(endpoint, f"gives no page ({error}); is it an exporter of one node?") from error
    except OSError as error:
        why = f"doesn't answer ({error}); start the exporter, or change sources.scrape"
        raise _fault(endpoint, why) from error
    if status != _OK:
        raise _fault(endpoint, f"answers {status}; give the page's whole address")
    return page


def _fault(endpoint: _Endpoint, message: str) -> DeviceError:
    return DeviceError(message, vendor=VENDOR, call=f"GET {endpoint.url}")
