"""Where the time and the energy went: by chip, by job, and the ranks that hold a job up."""

from collections.abc import Sequence
from typing import Any, Final

from steelyard_tui.report.charts import Stack, StackChart, chip_of
from steelyard_tui.report.document import Column, Picture, Row, Section, Table
from steelyard_tui.report.gather import Gathered
from steelyard_tui.report.sections.comparison import energy_picture, who

_PARTS: Final = (
    ("productive_pct", "productive"),
    ("checkpoint_pct", "checkpoints"),
    ("evaluate_pct", "evaluation"),
    ("first_steps_pct", "first steps"),
    ("outside_steps_pct", "outside steps"),
)
_TIME: Final = (
    Column("chip", "chip", "chip"),
    Column("jobs", "jobs", "count"),
    Column("device-hours", "device_h", "figure"),
    *(Column(f"{title} %", key, "percent") for key, title in _PARTS),
)
_ENERGY: Final = (
    Column("chip", "chip", "chip"),
    Column("kWh", "energy_kwh", "figure"),
    Column("known of the time, %", "energy_covered_pct", "percent"),
    Column("W per device", "power_w", "figure"),
    Column("tokens/J", "tokens_per_j", "figure"),
)
_JOBS: Final = (
    Column("job", "job"),
    Column("name", "name"),
    Column("user", "user"),
    Column("chip", "chip", "chip"),
    Column("workload", "workload"),
    Column("devices", "devices", "count"),
    Column("device-hours", "device_h", "figure"),
    Column("tokens/s per device", "tokens_per_s", "figure"),
    Column("MFU %", "mfu_pct", "percent"),
    Column("goodput %", "goodput_pct", "percent"),
    Column("tokens are", "tokens_are", "word"),
)
_JOBS_ENERGY: Final = (
    Column("job", "job"),
    Column("name", "name"),
    Column("chip", "chip", "chip"),
    Column("kWh", "energy_kwh", "figure"),
    Column("known of the time, %", "energy_covered_pct", "percent"),
    Column("tokens/J", "tokens_per_j", "figure"),
)
_MOST_JOBS: Final = 20
_STRAGGLERS: Final = (
    Column("job", "job"),
    Column("rank", "rank", "count"),
    Column("node", "node"),
    Column("chip", "chip", "chip"),
    Column("kind", "kind"),
    Column("cause", "cause"),
    Column("since", "since", "time"),
    Column("until", "last_ts", "time"),
    Column("slower by %", "slow_pct", "percent"),
    Column("step gains %", "gain_pct", "percent"),
    Column("by its next profile", "by_profile"),
)


def energy_section(gathered: Gathered, reference: str | None) -> Section:
    """Tokens per joule as a share, and what was used."""
    pictures, tables = energy_picture(gathered.shares, reference) if reference else ((), ())
    names = ("energy_kwh", "energy_covered_pct", "power_w")
    rates = {(row["chip"], row["part"], row["origin"]): row["tokens_per_j"] for row in gathered.figures}
    rows = [
        who(row)
        | {name: row[name] for name in names}
        | {"tokens_per_j": rates.get((row["chip"], row["part"], row["origin"]))}
        for row in gathered.chips
    ]
    note = (
        "Devices alone, without hosts, cooling and network, and only minutes in which all counters of a job were read: "
        "kWh are of that part of the time. Tokens/J stand where it is at least half, and are of the workload that the "
        "chip's rates are of."
    )
    used = Table("energy", "Energy of the jobs' devices", _ENERGY, rows, "No job trained in this window.", (note,))
    told = [row for row in _job_rows(gathered.jobs) if row["energy_kwh"] is not None]
    told.sort(key=lambda row: -row["energy_kwh"])
    jobs = Table("jobs_energy", "Energy by job, the most first", _JOBS_ENERGY, told, most=_MOST_JOBS)
    return Section("energy", "Energy", (), pictures, (*tables, used, jobs))


def time_spent_section(gathered: Gathered) -> Section:
    """Where the allocated time went."""
    # A stack of which a part is not known would be drawn as another one.
    told = [row for row in gathered.chips if all(row[key] is not None for key, _ in _PARTS)]
    rows = [
        who(row) | {name: row[name] for name in ("jobs", "device_h", *(key for key, _ in _PARTS))}
        for row in gathered.chips
    ]
    titles = [title for _, title in _PARTS]
    stacks = [Stack(chip_of(row), [row[key] / 100 for key, _ in _PARTS]) for row in told]
    alt = "; ".join(
        f"{stack.chip.label}: "
        + ", ".join(f"{title} {share:.0%}" for title, share in zip(titles, stack.shares, strict=True))
        for stack in stacks
    )
    pictures = (Picture("goodput", StackChart(titles, stacks), alt),) if stacks else ()
    lead = (
        "Goodput is the share of the allocated time inside productive steps.",
        "First steps are a process's first 20 or 5 minutes, whichever is longer.",
    )
    table = Table("goodput", "Allocated time by chip", _TIME, rows, "No job trained in this window.")
    return Section("goodput", "Where the time went", lead, pictures, (table,))


def jobs_section(gathered: Gathered) -> Section:
    """Every job of the window, the largest first."""
    empty = "No job trained in this window."
    table = Table("jobs", "Jobs, the largest first", _JOBS, _job_rows(gathered.jobs), empty, most=_MOST_JOBS)
    why = dict.fromkeys(f"{row['job']} has no MFU: {row['mfu_absent']}" for row in gathered.jobs if row["mfu_absent"])
    return Section("jobs", "Jobs", (), tables=(table,), notes=[*why][:12])


def _job_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    kept = ("job", "name", "user", "workload", "devices", "nodes", "device_h", "tokens_per_s", "mfu_pct", "mfu_basis",
            "ofu_pct", "goodput_pct", "energy_kwh", "energy_covered_pct", "tokens_per_j")  # fmt: skip
    return [
        {"run": row["run"]}
        | who(row)
        | {name: row[name] for name in kept}
        | {"steps": row["all_steps"], "tokens": row["all_tokens"], "tokens_are": row["tokens_are"]}
        for row in rows
    ]


def stragglers_section(gathered: Gathered) -> Section:
    """Ranks that held their job up."""
    lead = ("Ranks that held their job up within the window; their figures are means over the time that they did.",)
    empty = "No rank is known to have held its job up."
    names = (
        "job", "rank", "node", "uid", "kind", "cause", "since", "last_ts", "slow_pct", "gain_pct", "ranks",
        "by_profile", "profile",
    )  # fmt: skip
    rows = [who(row) | {name: row[name] for name in names} for row in gathered.stragglers]
    table = Table("stragglers", "Slow ranks, the one that costs most first", _STRAGGLERS, rows, empty)
    return Section("stragglers", "Stragglers", lead, tables=(table,))
