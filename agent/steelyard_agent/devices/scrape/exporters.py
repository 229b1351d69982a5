"""What is known of exporters, and a page's devices with their figures by it; the knowledge is in exporters.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from steelyard_agent.devices.scrape.text import Series, read_series
from steelyard_proto.metrics import catalogue

_INT64_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Reading:
    """How one metric comes about; the fields are explained in exporters.toml."""

    names: tuple[str, ...]
    is_sum: bool
    scale: float
    where: Mapping[str, str]
    zero_is_absent: bool


@dataclass(frozen=True, slots=True)
class Exporter:
    """One kind of exporter; the fields are explained in exporters.toml, `readings` are by metric id."""

    name: str
    vendor: str
    kind: Literal["gpu", "npu"]
    prefix: str
    index: str
    name_labels: tuple[str, ...]
    readings: Mapping[int, Reading]
    uid_label: str = ""
    uid_before: str = ""
    pci_label: str = ""
    driver_label: str = ""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ambiguous: tuple[str, ...] = ()
    power_scope: Literal["", "device"] = ""
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """How the names of all its series begin."""
        names = (name for reading in self.readings.values() for name in reading.names)
        return tuple(dict.fromkeys((self.prefix, *(name for name in names if not name.startswith(self.prefix)))))


@dataclass(frozen=True, slots=True)
class Told:
    """What a page tells of one device: its labels, and its figures by metric id."""

    labels: Mapping[str, str]
    figures: Mapping[int, float | int]


@cache
def exporters() -> tuple[Exporter, ...]:
    """Those that are known, read once."""
    document = tomllib.loads(Path(__file__).with_name("exporters.toml").read_text(encoding="utf-8"))
    return tuple(_exporter(entry) for entry in document["exporter"])


def _exporter(entry: Mapping[str, Any]) -> Exporter:
    uid = entry.get("uid", {"label": "", "before": ""})
    return Exporter(
        name=entry["name"],
        vendor=entry["vendor"],
        kind=entry["kind"],
        prefix=entry["prefix"],
        index=entry["index"],
        name_labels=tuple(entry["name_labels"]),
        readings={catalogue().by_name[name].id: _reading(told) for name, told in entry["metric"].items()},
        uid_label=uid["label"],
        uid_before=uid["before"],
        pci_label=entry.get("pci_label", ""),
        driver_label=entry.get("driver_label", ""),
        only={label: tuple(values) for label, values in entry.get("only", {}).items()},
        ambiguous=tuple(entry.get("ambiguous", ())),
        power_scope=entry.get("power_scope", ""),
        left_out=entry.get("left_out", {}),
    )


def _reading(told: Mapping[str, Any]) -> Reading:
    return Reading(
        names=tuple(told.get("from") or told["sum"]),
        is_sum="sum" in told,
        scale=told.get("scale", 1),
        where=told.get("where", {}),
        zero_is_absent=told.get("zero") == "absent",
    )


def exporter_of(page: str) -> Exporter | None:
    """Which exporter a page is of: the one most of whose metrics it has."""
    counts = [(len({one.name for one in read_series(page, (known.prefix,))}), known) for known in exporters()]
    most, exporter = max(counts, key=lambda pair: pair[0])
    return exporter if most else None


def devices_of(page: str, exporter: Exporter) -> dict[str, Told]:
    """Each device of a page, by its index."""
    by_device: dict[str, list[Series]] = {}
    for series in read_series(page, exporter.prefixes):
        index = series.labels.get(exporter.index)
        if index and all(series.labels.get(label, "") in values for label, values in exporter.only.items()):
            by_device.setdefault(index, []).append(series)
    return {index: _told(series, exporter) for index, series in by_device.items()}


def _told(series: Sequence[Series], exporter: Exporter) -> Told:
    by_name: dict[str, list[Series]] = {}
    for one in series:
        by_name.setdefault(one.name, []).append(one)
    figures: dict[int, float | int] = {}
    for metric_id, reading in exporter.readings.items():
        figure = _figure(reading, by_name, is_counter=catalogue().by_id[metric_id].kind != "gauge")
        if figure is not None:
            figures[metric_id] = figure
    labels = {label: text for one in reversed(series) for label, text in one.labels.items() if text}
    return Told(labels, figures)


def _figure(reading: Reading, by_name: Mapping[str, Sequence[Series]], *, is_counter: bool) -> float | int | None:
    means: list[float] = []
    for name in reading.names:
        values = [
            one.value
            for one in by_name.get(name, ())
            if all(one.labels.get(label) == value for label, value in reading.where.items())
        ]
        if values:
            means.append(sum(values) / len(values))
            if not reading.is_sum:
                break
        elif reading.is_sum:
            return None
    if not means:
        return None
    figure = sum(means) * reading.scale
    # A driver's blank is a huge number, or less than nothing.
    if figure < 0 or figure > _INT64_MAX or (reading.zero_is_absent and figure == 0):
        return None
    return round(figure) if is_counter else float(figure)
