"""What is known of exporters, and a page's devices with their figures by it; the knowledge is in exporters.toml."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from steelyard_agent.devices.scrape.text import read_values, series_of
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
    """One kind of exporter; the fields are explained in exporters.toml.

    Attributes:
        readings: by metric id.
        prefixes: how the names of all its series begin.
    """

    name: str
    vendor: str
    kind: Literal["gpu", "npu"]
    prefix: str
    index: str
    name_labels: tuple[str, ...]
    readings: Mapping[int, Reading]
    prefixes: tuple[str, ...]
    uid_label: str = ""
    uid_before: str = ""
    pci_label: str = ""
    driver_label: str = ""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ambiguous: tuple[str, ...] = ()
    power_scope: Literal["", "device"] = ""
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What a page tells of one device: its labels, and its figures by metric id."""

    labels: Mapping[str, str]
    figures: Mapping[int, float | int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Which lines of a page a metric comes from, in groups: the mean of each, the sum of all."""

    metric_id: int
    reading: Reading
    groups: tuple[tuple[int, ...], ...]
    is_counter: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the figures stand on a page, and on all that have the same series in the same order.

    Attributes:
        heads: what stands before the values.
        devices: by index, the labels, and where the metrics come from.
    """

    heads: tuple[str, ...]
    devices: Mapping[str, tuple[Mapping[str, str], tuple[_Place, ...]]]


@cache
def exporters() -> tuple[Exporter, ...]:
    """Those that are known, read once."""
    document = tomllib.loads(Path(__file__).with_name("exporters.toml").read_text(encoding="utf-8"))
    return tuple(_exporter(entry) for entry in document["exporter"])


def _exporter(entry: Mapping[str, Any]) -> Exporter:
    uid = entry.get("uid", {"label": "", "before": ""})
    prefix: str = entry["prefix"]
    readings = {catalogue().by_name[name].id: _reading(told) for name, told in entry["metric"].items()}
    names = (name for reading in readings.values() for name in reading.names)
    return Exporter(
        name=entry["name"],
        vendor=entry["vendor"],
        kind=entry["kind"],
        prefix=prefix,
        index=entry["index"],
        name_labels=tuple(entry["name_labels"]),
        readings=readings,
        prefixes=tuple(dict.fromkeys((prefix, *(name for name in names if not name.startswith(prefix))))),
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
    counts = [(len(_names(page, known.prefix)), known) for known in exporters()]
    most, exporter = max(counts, key=lambda pair: pair[0])
    return exporter if most else None


def devices_of(page: str, exporter: Exporter, known: Layout | None = None) -> tuple[dict[str, Told], Layout]:
    """Each device of a page, by its index; and the layout that the next page may have too.

    Args:
        page: the text.
        exporter: whose it is.
        known: the layout of an earlier page of this exporter.
    """
    heads, values = read_values(page, exporter.prefixes)
    layout = known if known is not None and known.heads == heads else _layout_of(heads, exporter)
    told = {index: Told(labels, _figures(places, values)) for index, (labels, places) in layout.devices.items()}
    return told, layout


def _names(page: str, prefix: str) -> set[str]:
    heads, _ = read_values(page, (prefix,))
    return {series[0] for head in heads if (series := series_of(head)) is not None}


def _layout_of(heads: tuple[str, ...], exporter: Exporter) -> Layout:
    by_device: dict[str, dict[int, tuple[str, Mapping[str, str]]]] = {}
    for line, head in enumerate(heads):
        if (series := series_of(head)) is None:
            continue
        labels = series[1]
        index = labels.get(exporter.index)
        if index and all(labels.get(label, "") in values for label, values in exporter.only.items()):
            by_device.setdefault(index, {})[line] = series
    return Layout(
        heads,
        {index: (_labels_of(lines), tuple(_places(lines, exporter))) for index, lines in by_device.items()},
    )


def _labels_of(lines: Mapping[int, tuple[str, Mapping[str, str]]]) -> Mapping[str, str]:
    """All labels of a device that say something; the first series' word counts."""
    return {label: text for _, labels in reversed(list(lines.values())) for label, text in labels.items() if text}


def _places(lines: Mapping[int, tuple[str, Mapping[str, str]]], exporter: Exporter) -> Iterator[_Place]:
    for metric_id, reading in exporter.readings.items():
        groups = [group for name in reading.names if (group := _lines_of(name, reading, lines))]
        if reading.is_sum and len(groups) < len(reading.names):
            continue
        if groups:
            wanted = groups if reading.is_sum else groups[:1]
            yield _Place(metric_id, reading, tuple(wanted), catalogue().by_id[metric_id].kind != "gauge")


def _lines_of(name: str, reading: Reading, lines: Mapping[int, tuple[str, Mapping[str, str]]]) -> tuple[int, ...]:
    return tuple(
        line
        for line, (of, labels) in lines.items()
        if of == name and all(labels.get(label) == value for label, value in reading.where.items())
    )


def _figures(places: Sequence[_Place], values: Sequence[float]) -> dict[int, float | int]:
    figures: dict[int, float | int] = {}
    for place in places:
        figure = 0.0
        for group in place.groups:
            part = values[group[0]] if len(group) == 1 else sum([values[line] for line in group]) / len(group)
            # A part of a sum is not the sum.
            figure = figure + part if part >= 0 and figure >= 0 else -1.0
        figure *= place.reading.scale
        # A driver's blank is a huge number, or less than nothing.
        if figure < 0 or figure > _INT64_MAX or (place.reading.zero_is_absent and figure == 0):
            continue
        figures[place.metric_id] = round(figure) if place.is_counter else float(figure)
    return figures
