"""What rollups read of each metric, and what an hour holds of its minutes, as SQL."""

from collections.abc import Iterable
from typing import Final

from steelyard_proto.metrics import Metric, catalogue

_GAUGE: Final = ("sum", "n", "min", "max")
_COUNTER: Final = ("inc", "ms", "first", "last")


def gauges_of(given: frozenset[str]) -> list[Metric]:
    """Gauges of devices that some row has."""
    return [metric for metric in catalogue().of("device") if metric.kind == "gauge" and metric.name in given]


def counters_of(given: frozenset[str]) -> list[Metric]:
    """Counters of devices that some row has."""
    return [metric for metric in catalogue().of("device") if metric.kind == "counter" and metric.name in given]


def of_raw_rows(given: frozenset[str]) -> dict[str, str]:
    """The placeholders of raw_rows.sql for the metrics that some row has."""
    return {"names": "".join(f", raw.{m.name} AS {m.name}" for m in (*gauges_of(given), *counters_of(given)))}


def of_counters_before(given: frozenset[str]) -> dict[str, str]:
    """The placeholders of counters_before.sql, as above."""
    counters = counters_of(given)
    slow = [metric for metric in counters if metric.metric_class != "fast"]
    figures = (
        f", argMax(raw.{m.name}, raw.ts) AS {m.name}, maxIf(raw.ts, raw.{m.name} IS NOT NULL) AS {m.name}_at"
        for m in counters
    )
    return {
        "figures": "".join(figures),
        "has_slow_counter": " OR ".join(f"raw.{metric.name} IS NOT NULL" for metric in slow) or "false",
    }


def from_1m(given: frozenset[str]) -> dict[str, str]:
    """The placeholders of roll_1h.sql, as above; other columns stay at their defaults."""
    gauges, counters = gauges_of(given), counters_of(given)
    return {
        "names": _names(gauges, _GAUGE),
        "counter_names": _names(counters, _COUNTER),
        "figures": _listed((figure for metric in gauges for figure in _gauge_of_gauges(metric)), 4),
        "counter_figures": _listed((figure for metric in counters for figure in _counter_of_counters(metric)), 4),
    }


def _names(metrics: Iterable[Metric], parts: Iterable[str]) -> str:
    return ", ".join(f"{metric.name}_{part}" for metric in metrics for part in parts)


def _listed(figures: Iterable[str], indent: int) -> str:
    return ",\n".join(" " * indent + figure for figure in figures)


def _gauge_of_gauges(metric: Metric) -> Iterable[str]:
    name = metric.name
    yield f"sum(m.{name}_sum) AS {name}_sum"
    yield f"sum(m.{name}_n) AS {name}_n"
    yield f"min(m.{name}_min) AS {name}_min"
    yield f"max(m.{name}_max) AS {name}_max"


def _counter_of_counters(metric: Metric) -> Iterable[str]:
    name = metric.name
    yield f"sum(m.{name}_inc) AS {name}_inc"
    yield f"sum(m.{name}_ms) AS {name}_ms"
    yield f"argMin(m.{name}_first, m.bucket) AS {name}_first"
    yield f"argMax(m.{name}_last, m.bucket) AS {name}_last"
