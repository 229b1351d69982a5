"""The sums of jobs as SQL: what each figure of efficiency is made of, by minute or hour, and the figures of them."""

from collections.abc import Sequence
from typing import Final

from steelyard_collector.store.statements import statement

# Steps by their time, in bins of so much.
_BIN: Final = 1.01
# The sums that add up over any time, nodes and jobs, in the order of job_hour.
_SUMS: Final = (
    "steps", "device_s", "tokens", "tokens_device_s", "nonpad_tokens", "nonpad_device_s", "loss_tokens",
    "loss_device_s", "checkpoint_device_s", "evaluate_device_s", "first_device_s", "wall_s", "wall_tokens",
    "wall_device_s", "energy_j", "energy_tokens", "energy_wall_s", "tensor_clock_sum", "tensor_clock_n",
    "loss_sum", "loss_n", "trained_steps", "trained_tokens",
)  # fmt: skip
_COLUMNS: Final = ("job", "vendor", "chip", "part", "bucket", "run", "nodes", "devices", *_SUMS, "step_hist",
                   "tokens_origin", "tokens_absent")  # fmt: skip
_PARTS: Final = ("flops", "flops_device_s", "flops_of_peak", "peak_flops", "flops_of_ceiling", "ceiling_flops",
                 "ofu_sum", "ofu_n", "cost", "cost_tokens", "told_wall_s")  # fmt: skip
# What the live figures need: planning pays for each column.
_LIVE_SUMS: Final = (
    "tokens", "tokens_device_s", "wall_s", "wall_tokens", "wall_device_s", "energy_j", "energy_tokens", "energy_wall_s",
)  # fmt: skip
_LIVE_COLUMNS: Final = (
    "job", "vendor", "chip", "part", "bucket", "run", "devices", *_LIVE_SUMS, "tensor_clock_sum", "tensor_clock_n",
    "step_hist", "tokens_origin", "tokens_absent",
)  # fmt: skip
# Beside the sums, what a scope needs of its parts.
_SCOPED: Final = (
    "job", "agent", "vendor", "chip", "part", "bucket", "origin", "workload", "tokens_origin", "tokens_absent", "basis",
    "devices_per_package", "mfu_absent", "ofu_absent", "ofu_validated", "price_currency", "job_devices", "step_hist",
)  # fmt: skip
_LIVE_S: Final = 300


def job_sums(where: str, *, by_agent: bool = False) -> str:
    """The sums of jobs by minute.

    Args:
        where: on `job_minute AS m`.
        by_agent: of each node apart, with its `agent`.
    """
    agent = {"outer_agent": "g.agent AS agent, ", "inner_agent": "m.agent AS agent, ", "by_agent": "agent, "}
    return statement("queries", "job_sums", where=where, **(agent if by_agent else dict.fromkeys(agent, "")))


def efficiency_view() -> dict[str, str]:
    """The placeholders of the view of efficiency over time."""
    columns = ", ".join(_COLUMNS)
    minutes = f"SELECT '1m' AS level, {columns}, origin AS step_origin FROM ({job_sums('1')})"  # noqa: S608
    hours = f"SELECT '1h' AS level, {columns}, origin AS step_origin FROM steelyard_store.job_hour FINAL"  # noqa: S608
    parts = _parts(f"{minutes}\nUNION ALL\n{hours}", ("level", *_COLUMNS, "step_origin"))
    return {"efficiency_parts": parts, "efficiency_figures": _figures(), "bin_middle_s": _middle_s("bin")}


def live_efficiency(now_s: int, ver: int, settings: str) -> str:
    """The statement that writes the figures of the newest minutes.

    Args:
        now_s: Unix time.
        ver: of these rows, larger than of those before.
        settings: of the insert.
    """
    begin_s = (now_s - _LIVE_S) // 60 * 60
    where = f"m.bucket >= toDateTime({begin_s}, 'UTC') AND m.bucket <= toDateTime({now_s}, 'UTC')"
    columns = ", ".join(_LIVE_COLUMNS)
    jobs = f"SELECT {columns} FROM ({job_sums(where)})"  # noqa: S608
    nodes = f"SELECT agent, {columns} FROM ({job_sums(where, by_agent=True)})"  # noqa: S608
    return statement(
        "queries",
        "roll_live_efficiency",
        now_s=now_s,
        ver=ver,
        settings=settings,
        live_parts=_parts(jobs, _LIVE_COLUMNS),
        live_node_parts=_parts(nodes, ("agent", *_LIVE_COLUMNS)),
        node_columns=", ".join(f"w.{name} AS {name}" for name in (*_SCOPED, *_LIVE_SUMS, *_PARTS)),
        scope_sums=_scope_sums(),
        efficiency_figures=_figures(),
    )


def job_totals(now_s: int, jobs: str, ver: int, settings: str) -> str:
    """The statement that writes what jobs come to since their start: whole hours, and the minutes after them.

    Args:
        now_s: Unix time.
        jobs: a query for their names.
        ver: of these rows, larger than of those before.
        settings: of the insert.
    """
    # The hour before this one may not be rolled up yet.
    minutes_from_s = now_s // 3600 * 3600 - 3600
    where = f"m.job IN ({jobs}) AND m.bucket >= toDateTime({minutes_from_s}, 'UTC')"
    return statement(
        "queries",
        "roll_job_total",
        now_s=now_s,
        minutes_from_s=minutes_from_s,
        jobs=jobs,
        sums=job_sums(where),
        ver=ver,
        settings=settings,
        **{f"step_p{percent}": step_quantile("e", percent) for percent in (50, 99)},
    )


def _figures() -> str:
    quantiles = {f"step_p{percent}": step_quantile("e", percent) for percent in (50, 95, 99)}
    return statement("queries", "efficiency_figures", **quantiles).rstrip()


def step_quantile(row: str, percent: int) -> str:
    """The step time that so many steps don't exceed, out of `step_bins` and `steps_up_to`; to half a bin."""
    place = f"arrayFirstIndex(n -> n >= {percent / 100} * {row}.steps_up_to[-1], {row}.steps_up_to)"
    return f"if(empty({row}.steps_up_to), NULL, {_middle_s(f'{row}.step_bins[{place}]')})"


def _middle_s(step_bin: str) -> str:
    return f"exp(({step_bin} + 0.5) * log({_BIN}))"


def _parts(sums: str, columns: Sequence[str]) -> str:
    own = ", ".join(f"s.{name} AS {name}" for name in columns if name != "run")
    return statement("queries", "efficiency_parts", sums=sums, own=own)


def _scope_sums() -> str:
    lines = [f"sum(q.{name}) AS {name}" for name in (*_LIVE_SUMS, *_PARTS)]
    lines += [
        "sumMap(q.step_hist) AS step_hist",
        "uniqExact(coalesce(q.workload, q.job)) AS workloads",
        "any(q.workload) AS any_workload",
        "max(q.tokens_origin) AS tokens_origin",
        "max(q.tokens_absent) AS tokens_absent",
        "min(q.bucket) AS from_ts",
        "max(q.bucket) + 60 AS to_ts",
        "if(uniqExact(q.basis) = 1, any(q.basis), NULL) AS basis",
        "if(uniqExact(q.devices_per_package) = 1, any(q.devices_per_package), NULL) AS devices_per_package",
        "if(sum(q.peak_flops) > 0, '', max(q.mfu_absent)) AS mfu_absent",
        "if(sum(q.ofu_n) > 0, '', max(q.ofu_absent)) AS ofu_absent",
        "min(q.ofu_validated) AS ofu_validated",
        "uniqExact(q.price_currency) AS currencies",
        "any(q.price_currency) AS price_currency",
    ]
    return ",\n".join(f"            {line}" for line in lines)
