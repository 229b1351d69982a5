"""What each rollup holds of each metric, as SQL; one definition for all three levels."""

from collections.abc import Iterable
from typing import Final

from steelyard_proto.metrics import Metric, catalogue

_GAUGE: Final = ("sum", "n", "min", "max")
_COUNTER: Final = ("inc", "ms", "first", "last")
_BINS: Final = 11


def from_raw_10s(given: frozenset[str]) -> dict[str, str]:
    """The placeholders of roll_10s.sql for the metrics that some row has; other columns stay at their defaults."""
    gauges = [metric for metric in _gauges(given) if metric.rollup_10s]
    return {"names": _names(gauges, _GAUGE), "figures": _listed(_gauge_figures(gauges), 4)}


def from_raw_1m(given: frozenset[str]) -> dict[str, str]:
    """The placeholders of roll_1m.sql, as above."""
    gauges, counters = _gauges(given), _counters(given)
    slow = [metric for metric in counters if metric.metric_class != "fast"]
    return {
        "names": _names(gauges, _GAUGE),
        "counter_names": _names(counters, _COUNTER),
        "gauge_results": ", ".join(f"g.{m.name}_{part}" for m in gauges for part in _GAUGE),
        "counter_results": ", ".join(f"c.{m.name}_{part}" for m in counters for part in _COUNTER),
        "figures": _listed(_gauge_figures(gauges), 8),
        "histogram": ", ".join(f"countIf(least(floor(raw.core_active * 10), 10) = {i})" for i in range(_BINS)),
        "counter_steps": _listed((step for metric in counters for step in _steps(metric)), 12),
        "counter_figures": _listed((figure for metric in counters for figure in _sums_of_steps(metric)), 8),
        "has_slow_counter": " OR ".join(f"raw.{metric.name} IS NOT NULL" for metric in slow) or "false",
    }


def from_1m(given: frozenset[str]) -> dict[str, str]:
    """The placeholders of roll_1h.sql, as above."""
    gauges, counters = _gauges(given), _counters(given)
    return {
        "names": _names(gauges, _GAUGE),
        "counter_names": _names(counters, _COUNTER),
        "figures": _listed((figure for metric in gauges for figure in _gauge_of_gauges(metric)), 4),
        "counter_figures": _listed((figure for metric in counters for figure in _counter_of_counters(metric)), 4),
    }


def _gauges(given: frozenset[str]) -> list[Metric]:
    return [metric for metric in catalogue().of("device") if metric.kind == "gauge" and metric.name in given]


def _counters(given: frozenset[str]) -> list[Metric]:
    return [metric for metric in catalogue().of("device") if metric.kind == "counter" and metric.name in given]


def _names(metrics: Iterable[Metric], parts: Iterable[str]) -> str:
    return ", ".join(f"{metric.name}_{part}" for metric in metrics for part in parts)


def _listed(figures: Iterable[str], indent: int) -> str:
    return ",\n".join(" " * indent + figure for figure in figures)


def _gauge_figures(gauges: Iterable[Metric]) -> Iterable[str]:
    for name in (metric.name for metric in gauges):
        yield f"ifNull(sum(raw.{name}), 0) AS {name}_sum"
        yield f"count(raw.{name}) AS {name}_n"
        yield f"min(raw.{name}) AS {name}_min"
        yield f"max(raw.{name}) AS {name}_max"


def _steps(metric: Metric) -> Iterable[str]:
    name = metric.name
    yield f"raw.{name} AS {name}"
    yield f"anyLast(raw.{name}) OVER before AS {name}_was"
    yield f"anyLast(if(raw.{name} IS NULL, NULL, raw.ts)) OVER before AS {name}_at"


def _sums_of_steps(metric: Metric) -> Iterable[str]:
    name = metric.name
    now, was = f"w.{name}", f"w.{name}_was"
    wrap = ""
    if metric.bits:
        span = 1 << metric.bits
        wrap = f"{was} < {span} AND {was} - {now} > {span // 2}, {now} - {was} + {span}, "
    # Below the value before, and no wrap: the counter began again, and what it shows has come since.
    step = f"multiIf({now} IS NULL OR {was} IS NULL, NULL, {now} >= {was}, {now} - {was}, {wrap}{now})"
    yield f"sum({step}) AS {name}_inc"
    milliseconds = f"toUnixTimestamp64Milli(w.ts) - toUnixTimestamp64Milli(w.{name}_at)"
    yield f"ifNull(sum(if({now} IS NULL, NULL, {milliseconds})), 0) AS {name}_ms"
    yield f"argMin({now}, w.ts) AS {name}_first"
    yield f"argMax({now}, w.ts) AS {name}_last"


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
