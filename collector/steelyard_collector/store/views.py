"""The public views, made anew at each start, so that they always fit the catalogue."""

from collections.abc import Callable, Iterable
from typing import Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.job_sums import efficiency_view
from steelyard_collector.store.live_fleet import SUMMED
from steelyard_collector.store.migrate import EMBEDDED, Topology
from steelyard_collector.store.statements import statement
from steelyard_proto.metrics import Catalogue, Metric, catalogue
from steelyard_proto.v1 import batch_pb2

# A view stands after those that it reads.
VIEWS: Final = (
    "job_facts", "device_peak", "devices", "nodes", "jobs", "fleet_live", "device_history", "agents", "gaps", "events",
    "collector", "steps", "trainings", "efficiency", "efficiency_live", "goodput", "stragglers", "straggler_history",
    "straggler_signals", "shares", "claims", "chips", "unknown_metrics", "job_devices", "processes", "host_history",
    "profiles", "step_split", "ops", "stacks", "rates",
)  # fmt: skip
_DEVICE_COLUMNS: Final = {
    "jobs": ("device_id", "agent", "vendor", "chip", "origin"),
    "devices": (
        "device_id", "agent", "vendor", "chip", "part", "origin", "memory_bytes", "uid", "kind", "name", "package_uid",
        "device_index", "pci_address", "numa_node", "driver_version", "power_scope", "first_seen",
    ),
}  # fmt: skip
_JOB_GAUGES: Final = ("busy", "core_active", "tensor_active", "hbm_bw_active", "power_w")
# The views that don't need all.
_DEVICE_GAUGES: Final = {"jobs": _JOB_GAUGES}
# Asks by job which devices it holds, and nothing of their memory.
_WITHOUT_HOLDERS: Final = frozenset({"jobs"})
# What the device tells goes before what its table says.
_HBM_TOTAL: Final = "coalesce(toFloat64(v.told_bytes), toFloat64(nullIf(v.memory_bytes, 0)))"
# Names, and sizes, of what a job trains: of rank 0 where it says them, and the newest.
_FACT_TEXTS: Final = ("model", "architecture", "optimizer", "precision", "task", "currency")
_FACT_NUMBERS: Final = (
    "world_size", "parameters", "trainable_parameters", "matmul_parameters", "active_parameters", "layers", "heads",
    "hidden", "head_size", "experts", "active_experts", "sequence_length", "global_batch", "data_parallel",
    "tensor_parallel", "pipeline_parallel", "context_parallel", "expert_parallel", "declared_tokens_per_step",
    "price_per_device_hour", "recompute",
)  # fmt: skip
_NO_RATE: Final = "CAST(NULL AS Nullable(Float64))"


def create_views(store: Store, topology: Topology = EMBEDDED) -> None:
    """Makes every public view; the one before is replaced as a whole.

    Raises:
        StoreError: ClickHouse refuses one.
    """
    for sql in view_statements(topology):
        store.command(sql)


def view_statements(topology: Topology = EMBEDDED) -> list[str]:
    """The DDL of every view, in order."""
    values = _columns(catalogue()) | efficiency_view() | _live() | {"on_cluster": topology.placeholders["on_cluster"]}
    return [statement("views", name, **values, newest_of_device=_newest_of_device(name)) for name in VIEWS]


def _newest_of_device(view: str) -> str:
    """The devices with their newest rows, as a subquery of the columns that a view makes its own of; "" for none."""
    if view not in _DEVICE_COLUMNS:
        return ""
    gauges = _DEVICE_GAUGES.get(view) or [metric.name for metric in _fast_gauges(catalogue())]
    has_holders = view not in _WITHOUT_HOLDERS
    return statement(
        "queries",
        "newest_of_device",
        holders=statement("queries", "device_holders", held_by=_held_by("toNullable(argMax(job, from_ts))"))
        if has_holders
        else "",
        holder_columns="j.held_by AS job, s.told_bytes AS told_bytes," if has_holders else "",
        device_columns=", ".join(f"d.{name} AS {name}" for name in _DEVICE_COLUMNS[view]),
        newest_columns=", ".join(f"f.{name} AS {name}" for name in gauges),
        gauges=", ".join(gauges),
        **_live(),
    )


def _held_by(held_by: str) -> str:
    return statement("queries", "held_by", held_by=held_by).rstrip()


def _live() -> dict[str, str]:
    """How old a row is and what state that is, and what the live fleet is summed up of."""
    means = [
        f"        live_sums[{place}] / nullIf(live_counts[{place}], 0) AS {name}"
        for place, name in enumerate((*SUMMED, "hbm_used_ratio"), 1)
        if name != "hbm_used_bytes"
    ]
    power = SUMMED.index("power_w") + 1
    total = f"        if(live_counts[{power}] = 0, NULL, live_sums[{power}]) AS power_total_w"
    return {
        "age_s": statement("queries", "age_s").strip(),
        "state": statement("queries", "state").strip(),
        "window_ms": statement("queries", "window_ms").strip(),
        "fleet_means": _listed([*means, total]),
        "held_by_of_agent": _held_by("any(agent) AS agent, argMax(job, from_ts)"),
    }


def _fast_gauges(known: Catalogue) -> list[Metric]:
    return [metric for metric in known.of("device") if metric.kind == "gauge" and metric.metric_class == "fast"]


def _columns(known: Catalogue) -> dict[str, str]:
    device = known.of("device")
    gauges = [metric for metric in device if metric.kind == "gauge"]
    # Where a vendor gives a rate as such, its name is that of the counter's rate: the gauge's column stands for both.
    taken = {metric.name for metric in gauges}
    history = [metric for metric in device if metric.kind == "gauge" or _rate_of(metric, taken)]
    # The collector's own figure goes by this name.
    agent = [metric.name for metric in known.of("agent") if metric.name != "clock_offset_ms"]
    kinds = {number: name.removeprefix("KIND_").lower() for name, number in batch_pb2.Kind.items() if number}
    return {
        "facts": _facts(),
        "fast_gauges": _listed(
            f"    if(v.state = 'silent', NULL, v.{metric.name}) AS {metric.name}" for metric in _fast_gauges(known)
        ),
        "hbm_total_bytes": _HBM_TOTAL,
        "agent_metrics": _listed(f"    m.{name} AS {name}" for name in agent),
        "newest_agent_metrics": _listed(f"        argMax(raw_agent.{name}, ts) AS {name}" for name in agent),
        "host_metrics": _listed(f"    h.{metric.name} AS {metric.name}" for metric in known.of("host")),
        "kind_numbers": ", ".join(map(str, kinds)),
        "kind_names": ", ".join(f"'{name}'" for name in kinds.values()),
        "raw": _of_level(history, lambda metric: True, _raw),
        "roll_10s": _of_level(history, lambda metric: metric.rollup_10s, _rolled),
        "roll_long": _of_level(history, lambda metric: True, _rolled),
    }


def _facts() -> str:
    newest = "(ifNull(t.rank, 0) = 0, t.ts)"
    texts = [f"        argMaxIf(toString(t.{name}), {newest}, t.{name} != '') AS {name}" for name in _FACT_TEXTS]
    return _listed([*texts, *(f"        argMax(t.{name}, {newest}) AS {name}" for name in _FACT_NUMBERS)])


def _rate_of(metric: Metric, taken: set[str]) -> bool:
    return metric.kind == "counter" and f"{metric.name}_per_s" not in taken


def _listed(lines: Iterable[str]) -> str:
    return ",\n".join(lines)


def _names(metric: Metric) -> tuple[str, ...]:
    if metric.kind == "counter":
        return (f"{metric.name}_per_s",)
    return (metric.name, f"{metric.name}_min", f"{metric.name}_max")


def _of_level(
    metrics: Iterable[Metric], is_kept: Callable[[Metric], bool], figures: Callable[[Metric], tuple[str, ...]]
) -> str:
    return _listed(
        f"        {figure} AS {name}"
        for metric in metrics
        for name, figure in zip(
            _names(metric), figures(metric) if is_kept(metric) else (_NO_RATE,) * len(_names(metric)), strict=True
        )
    )


def _raw(metric: Metric) -> tuple[str, ...]:
    # A rate needs two rows, and a window over raw rows could not be bounded in time.
    return (_NO_RATE,) if metric.kind == "counter" else (f"raw_device.{metric.name}",) * 3


def _rolled(metric: Metric) -> tuple[str, ...]:
    name = metric.name
    if metric.kind == "counter":
        return (_rate(name),)
    mean = f"{name}_sum / nullIf({name}_n, 0)"
    counter = catalogue().by_name.get(name.removesuffix("_per_s"))
    if counter is not None and counter.kind == "counter":
        mean = f"coalesce({mean}, {_rate(counter.name)})"
    return (mean, f"{name}_min", f"{name}_max")


def _rate(name: str) -> str:
    return f"{name}_inc * 1000 / nullIf({name}_ms, 0)"
