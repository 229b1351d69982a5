"""The figures over time, and how step times spread."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from steelyard_tui.present.figures import duration, number
from steelyard_tui.report.charts import Chip, Panel, Spread, SpreadChart, TimeChart, Track, chip_of
from steelyard_tui.report.document import Column, Picture, Row, Section, Table
from steelyard_tui.report.gather import Gathered
from steelyard_tui.report.sections.comparison import who

_MOST_WORKLOADS: Final = 3
_MOST_TRACKS: Final = 8
_MOST_SPREADS: Final = 16
_SPREAD: Final = (
    Column("workload", "workload"),
    Column("chip", "chip", "chip"),
    Column("jobs", "jobs", "count"),
    Column("steps", "steps", "count"),
    Column("p50 s", "p50_s", "figure"),
    Column("p95 s", "p95_s", "figure"),
    Column("p99 s", "p99_s", "figure"),
    Column("p99 / p50", "tail", "share"),
)


def time_section(gathered: Gathered) -> Section | None:
    """Lines over the window; None where there are none."""
    panels = [*_rate_panels(gathered.rates), *_use_panels(gathered.use), *_power_panels(gathered)]
    if not panels:
        return None
    span = gathered.span
    chart = TimeChart(panels, span.from_ts.timestamp(), span.to_ts.timestamp(), span.step_s)
    alt = "; ".join(f"{panel.title} {panel.of}: {', '.join(map(_told, panel.tracks))}" for panel in panels)
    lead = [f"Totals of each {duration(span.step_s)}, from 0 up. A gap is time without the figure."]
    if any(track.is_doubtful for panel in panels for track in panel.tracks):
        lead.append("Thin dashes: OFU that is not validated for that chip.")
    workloads = len({row["workload"] for row in gathered.rates})
    if workloads > _MOST_WORKLOADS:
        lead.append(f"Tokens/s of the {_MOST_WORKLOADS} largest of {workloads} workloads.")
    return Section("time", "Over time", lead, (Picture("time", chart, alt),))


def _told(track: Track) -> str:
    known = [value for value in track.values if value is not None]
    return f"{track.chip.label} from {min(known):.3g} to {max(known):.3g}, last {known[-1]:.3g}"


def _tracks(rows: Sequence[Row], figure: str, doubtful: set[Chip] | None = None) -> list[Track]:
    """A track a chip; of very many chips those with the most points."""
    points: dict[Chip, list[tuple[float, float | None]]] = defaultdict(list)
    for row in rows:
        points[chip_of(row)].append((row["at_ms"] / 1000, number(row[figure])))
    told = {chip: own for chip, own in points.items() if any(value is not None for _, value in own)}
    chosen = sorted(sorted(told, key=lambda chip: -len(told[chip]))[:_MOST_TRACKS])
    return [
        Track(chip, [at for at, _ in told[chip]], [value for _, value in told[chip]], chip in (doubtful or ()))
        for chip in chosen
    ]


def _rate_panels(rows: Sequence[Row]) -> list[Panel]:
    weight: dict[str, float] = defaultdict(float)
    for row in rows:
        weight[row["workload"]] += row["device_s"]
    largest = sorted(weight, key=lambda workload: -weight[workload])[:_MOST_WORKLOADS]
    return [
        Panel("tokens/s per device", _tracks([row for row in rows if row["workload"] == workload], "rate"), workload)
        for workload in largest
    ]


def _use_panels(rows: Sequence[Row]) -> list[Panel]:
    doubtful = {chip_of(row) for row in rows if row["ofu_pct"] is not None and not row["ofu_validated"]}
    panels = (Panel("MFU, %", _tracks(rows, "mfu_pct")), Panel("OFU, %", _tracks(rows, "ofu_pct", doubtful)))
    return [panel for panel in panels if panel.tracks]


def _power_panels(gathered: Gathered) -> list[Panel]:
    tracks = []
    for (vendor, chip, part, origin), history in sorted(gathered.power.items()):
        watts = history.series["power_w"].mean
        if np.isnan(watts).all():
            continue
        who_is = chip_of({"vendor": vendor, "chip": chip, "part": part, "origin": origin})
        tracks.append(Track(who_is, (history.at_ms / 1000).tolist(), [number(float(watt)) for watt in watts]))
    return [Panel("power per device, W", tracks[:_MOST_TRACKS])] if tracks else []


def spread_section(gathered: Gathered) -> Section | None:
    """How step times lie about their median, by workload and chip; None without steps."""
    rows = gathered.spreads
    if not rows:
        return None
    drawn = sorted(rows, key=lambda row: -row["steps"])[:_MOST_SPREADS]
    drawn.sort(key=lambda row: (row["workload"] or "", chip_of(row)))
    chart = SpreadChart([_spread(row) for row in drawn])
    alt = "; ".join(
        f"{s.chip.label}, {s.label}: 99 of 100 steps take at most {s.p99:.2f} of the median" for s in chart.spreads
    )
    lead = [
        "Productive steps, each row about its own median; the tick is the 99th percentile.",
        "For looking at, not for comparing: shares come from totals.",
    ]
    table_rows = [_spread_row(row) for row in rows]
    table = Table("steps", "Step times by workload and chip, to 0.5 %", _SPREAD, table_rows)
    return Section("steps", "Step times", lead, (Picture("steps", chart, alt),), (table,))


def _spread(row: Row) -> Spread:
    times = [middle_s / row["p50_s"] for middle_s in row["bins_s"]]
    return Spread(chip_of(row), row["workload"] or "workload not known", times, row["steps_in_bin"], row["tail"])


def _spread_row(row: Row) -> dict[str, Any]:
    names = ("workload", "steps", "p50_s", "p95_s", "p99_s", "tail")
    return who(row) | {name: row[name] for name in names} | {"jobs": row["runs"]}
