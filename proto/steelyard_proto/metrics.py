"""The metric catalogue, read from metrics.toml and checked."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from steelyard_proto.errors import ConfigError
from steelyard_proto.units import UNITS

Entity = Literal["device", "host", "agent"]
MetricKind = Literal["gauge", "counter", "bits"]
MetricClass = Literal["fast", "slow", "processes"]
Orientation = Literal["more", "less", "neither"]
Comparability = Literal["same", "care", "vendor"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of metrics.toml; the fields are explained at its top."""

    id: int
    name: str
    entity: Entity
    unit: str
    kind: MetricKind
    metric_class: MetricClass
    orientation: Orientation
    meaning: str
    comparability: Comparability
    care: str = ""
    bits: int = 0
    rollup_10s: bool = False
    since: str = ""
    retired: str = ""
    source: Mapping[str, str] = field(default_factory=dict)


class Catalogue:
    """The metrics by id and by name."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics: tuple[Metric, ...] = tuple(metrics)
        self.by_id: dict[int, Metric] = {metric.id: metric for metric in self.metrics}
        self.by_name: dict[str, Metric] = {metric.name: metric for metric in self.metrics}

    def of(self, entity: Entity) -> tuple[Metric, ...]:
        """The metrics of one kind of entity, retired ones included, by rising id."""
        return tuple(sorted((m for m in self.metrics if m.entity == entity), key=lambda m: m.id))


@cache
def catalogue() -> Catalogue:
    """The shipped catalogue, read once."""
    # Beside this file, not through importlib.resources, which costs every agent a megabyte.
    text = Path(__file__).with_name("metrics.toml").read_text(encoding="utf-8")
    return parse_catalogue(text, path="metrics.toml")


def parse_catalogue(text: str, *, path: str) -> Catalogue:
    """Reads a catalogue.

    Raises:
        ConfigError: an entry lacks a field, has an unknown unit or kind, or repeats an id or a name.
    """
    entries = tomllib.loads(text).get("metric", [])
    metrics = [_metric(entry, path) for entry in entries]
    for attribute in ("id", "name"):
        seen: set[object] = set()
        for metric in metrics:
            value = getattr(metric, attribute)
            if value in seen:
                raise ConfigError(f"{attribute} {value!r} stands twice; ids and names are never reused", path=path)
            seen.add(value)
    return Catalogue(metrics)


_CHOICES: dict[str, tuple[str, ...]] = {
    "entity": get_args(Entity),
    "kind": get_args(MetricKind),
    "class": get_args(MetricClass),
    "orientation": get_args(Orientation),
    "comparability": get_args(Comparability),
    "unit": tuple(UNITS),
}


def _metric(entry: dict[str, object], path: str) -> Metric:
    values = dict(entry)
    name = str(values.get("name", "?"))
    for key, choices in _CHOICES.items():
        if values.get(key) not in choices:
            raise ConfigError(
                f"{key} is {values.get(key)!r}; it must be one of {', '.join(choices)}", path=path, key=name
            )
    values["metric_class"] = values.pop("class")
    try:
        metric = Metric(**values)  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigError(f"{error}", path=path, key=name) from error
    if not 0 < metric.id < 1 << 16:
        raise ConfigError(f"id is {metric.id}; it must be from 1 to 65535", path=path, key=name)
    return metric
