"""The share of a reference, weighed in several ways, and the chips' own figures beside one another."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from steelyard_tui.present.figures import scaled
from steelyard_tui.present.shares import UNITS, share_text
from steelyard_tui.report.charts import Mark, ShareChart, chip_of
from steelyard_tui.report.document import Column, Picture, Row, Section, Table
from steelyard_tui.report.gather import Gathered
from steelyard_tui.workloads import rated_on

MAIN: Final = ("tokens_per_s_device", "matched", "device")
_SHARE: Final = (
    Column("chip", "chip", "chip"),
    Column("share", "share", "share"),
    Column("95 % interval", "interval", "interval"),
    Column("it covers", "kind", "word"),
    Column("jobs", "jobs", "count"),
    Column("reference's jobs", "reference_jobs", "count"),
    Column("workloads", "workloads", "count"),
)
_ENOUGH: Final = Column("devices for one", "devices_for_one", "share")
_WHY: Final = Column("why none", "reason")
_DOTS: Final = (*_SHARE[:1], Column("workload", "workload"), *_SHARE[1:-1])
_OTHERS: Final = (
    (*MAIN[:2], "package", "per_package", "By package: what is bought. A 910C is two devices."),
    (
        MAIN[0], "as run", "device", "as_run",
        "AS RUN: matched on model and task, each at its own precision and software.",
    ),
    (
        "cost_per_mtoken", "matched", "device", "cost",
        "Cost of a million tokens as a share of the reference's, by the prices file: below 1 is cheaper.",
    ),
)  # fmt: skip
_FIGURES: Final = (
    Column("chip", "chip", "chip"),
    Column("jobs", "jobs", "count"),
    Column("units", "units", "count"),
    Column("tokens/s of one", "tokens_per_s", "figure"),
    Column("TFLOP/s of one", "tflops", "figure"),
    Column("MFU %", "mfu_pct", "percent"),
    Column("of ceiling %", "ceiling_pct", "percent"),
    Column("OFU %", "ofu_pct", "percent"),
    Column("OFU %, not validated", "ofu_unvalidated_pct", "percent"),
    Column("step p50 ms", "step_p50_ms", "count"),
    Column("p99 ms", "step_p99_ms", "count"),
    Column("tokens/J", "tokens_per_j", "figure"),
    Column("cost/Mtoken", "cost_per_mtoken", "figure"),
    Column("currency", "currency"),
    Column("goodput %", "goodput_pct", "percent"),
)
_PRICED: Final = ("cost_per_mtoken", "currency")
_FIGURES_NOTE: Final = (
    "MFU is of each chip's own peak: it compares uses, not chips; the ceiling is what a large matrix product was "
    "measured to reach. OFU is validated on H100 and GB200 only."
)


def bars_of(rows: Iterable[Row], reference: str, quantity: str, mode: str, unit: str) -> list[Row]:
    """The rows that bars show, the largest share first."""
    wanted = {"reference": reference, "quantity": quantity, "mode": mode, "unit": unit, "scope": "all"}
    bars = [row for row in rows if row["is_shown"] and all(row[name] == value for name, value in wanted.items())]
    return sorted(bars, key=lambda row: (-(row["ratio"] or 0.0), row["chip"], row["origin"] or ""))


def share_section(gathered: Gathered, reference: str) -> Section:
    """How much of the reference each chip is."""
    bars = bars_of(gathered.shares, reference, *MAIN)
    dots = _dots(gathered.shares, reference)
    lead = [f"In {UNITS[MAIN[0]]}, over jobs of the same workload."]
    if bars:
        lead.append(f"Matched on {', '.join(bars[0]['matched_on'])}.")
    shown = sum(bar["lo"] is not None for bar in bars)
    if shown > 1:
        lead.append(f"{shown} intervals of 95 %: about {shown * 0.05:.2g} of them miss.")
    tables = [Table("shares", "In tokens/s per device", _columns(bars), [_share_row(bar) for bar in bars])]
    if len({dot["workload"] for dot in dots}) > 1:
        caption = "Each workload apart: one number hides how much they differ"
        tables.append(Table("workloads", caption, _DOTS, [_share_row(dot) for dot in dots]))
    tables.extend(_other_tables(gathered.shares, reference, bars))
    notes = [f"! {bar['chip']}: {text}" for bar in bars for text in bar["warnings"]]
    notes += list(dict.fromkeys(f"Left out: {text}" for bar in bars for text in bar["excluded"]))
    return Section("share", f"Share of one {reference}", lead, _picture(bars, dots, reference), tables, notes)


def energy_picture(rows: Iterable[Row], reference: str) -> tuple[Sequence[Picture], Sequence[Table]]:
    """The share in tokens per joule, where there is any."""
    bars = bars_of(rows, reference, "tokens_per_j", "matched", "device")
    if all(bar["ratio"] is None for bar in bars):
        return (), ()
    table = Table(
        "energy_shares",
        f"Share of one {reference} in tokens per joule of the devices, without their hosts",
        _columns(bars, is_rate=False),
        [_share_row(bar) for bar in bars],
    )
    return _picture(bars, [], reference, key="energy-shares"), (table,)


def figures_section(gathered: Gathered) -> Section:
    """The chips' own figures."""
    validated = {
        (row["chip"], row["origin"]): bool(row["ofu_validated"]) for row in gathered.use if row["ofu_pct"] is not None
    }
    in_parts = {(row["chip"], row["origin"]) for row in gathered.figures if row["part"] != "package"}
    rows = []
    for row in gathered.figures:
        ofu = scaled(row["ofu"], 100, 1)
        is_validated = validated.get((row["chip"], row["origin"]), False)
        part = "per package" if (row["chip"], row["origin"]) in in_parts and row["part"] == "package" else row["part"]
        rows.append(
            who(row)
            | {
                "part": part,
                "jobs": row["jobs"],
                "units": row["units"],
                "workloads": row["workloads"],
                "workload": row["workload"],
                "tokens_per_s": row["tokens_per_s"],
                "tflops": row["tflops"],
                "mfu_pct": scaled(row["mfu"], 100, 1),
                "mfu_basis": row["mfu_basis"],
                "ceiling_pct": scaled(row["share_of_ceiling"], 100, 1),
                "ofu_pct": ofu if is_validated else None,
                "ofu_unvalidated_pct": None if is_validated else ofu,
                "step_p50_ms": scaled(row["step_p50_s"], 1000, 0),
                "step_p99_ms": scaled(row["step_p99_s"], 1000, 0),
                "tokens_per_j": row["tokens_per_j"],
                "cost_per_mtoken": row["cost_per_mtoken"],
                "currency": row["currency"],
                "goodput_pct": scaled(row["goodput"], 100, 1),
            }
        )
    columns = [column for column in _FIGURES if column.key not in _PRICED or any(row[column.key] for row in rows)]
    empty = "No job trained in this window."
    if gathered.span.level == "1h":
        empty += " A window over 48 h is told by closed hours; a shorter one by minutes."
    bases = dict.fromkeys(f"{row['chip']}: {row['mfu_basis']}" for row in rows if row["mfu_basis"])
    notes = [_FIGURES_NOTE, *([f"Peaks: {'; '.join(bases)}."] if bases else [])]
    if rows:
        said = rated_on(rows)
        notes.insert(0, f"{said[0].upper()}{said[1:]}.")
    table = Table("figures", "Each chip over the jobs that it ran", columns, rows, empty, notes)
    return Section("figures", "The chips side by side", (), tables=(table,))


def who(row: Row) -> dict[str, Any]:
    """The parts of a row that say whose it is."""
    return {name: row[name] for name in ("vendor", "chip", "part", "origin") if name in row}


def _columns(bars: Sequence[Row], *, is_rate: bool = True) -> list[Column]:
    columns = [*_SHARE[:3], *([_ENOUGH] if is_rate else []), *_SHARE[3:]]
    return [*columns, _WHY] if any(bar["reason"] for bar in bars) else columns


def _share_row(row: Row) -> dict[str, Any]:
    return who(row) | {
        "workload": row["workload"],
        "share": row["ratio"],
        "interval": None if row["lo"] is None else [row["lo"], row["hi"]],
        "kind": row["kind"],
        "devices_for_one": 1 / row["ratio"] if row["ratio"] else None,
        "jobs": row["n_a"],
        "reference_jobs": row["n_r"],
        "workloads": row["workloads"],
        "time": row["marked"],
        "tokens": row["token_kind"],
        "reason": row["reason"],
    }


def _dots(rows: Iterable[Row], reference: str) -> list[Row]:
    wanted = dict(zip(("quantity", "mode", "unit"), MAIN, strict=True)) | {"reference": reference, "scope": "workload"}
    dots = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return sorted(dots, key=lambda row: (row["workload"] or "", -(row["ratio"] or 0.0), row["chip"]))


def _picture(bars: Sequence[Row], dots: Sequence[Row], reference: str, key: str = "shares") -> tuple[Picture, ...]:
    told = [bar for bar in bars if bar["ratio"] is not None]
    if not told:
        return ()
    marks = [_mark(bar, dots) for bar in told]
    alt = "; ".join(f"{mark.chip.label}: {share_text(bar)}" for mark, bar in zip(marks, told, strict=True))
    caption = "Solid up to the lower end of the 95 % interval, pale over it, a tick at the estimate; "
    caption += f"the rule is one {reference}."
    if any(len(mark.dots) > 1 for mark in marks):
        caption += " Below a bar, one dot a workload."
    return (Picture(key, ShareChart(marks), alt, caption),)


def _mark(bar: Row, dots: Sequence[Row]) -> Mark:
    own = [
        dot["ratio"] for dot in dots if (dot["chip"], dot["origin"]) == (bar["chip"], bar["origin"]) and dot["ratio"]
    ]
    text = f"{bar['ratio']:.2f}"
    if bar["lo"] is not None:
        text += f" [{bar['lo']:.2f}, {bar['hi']:.2f}]"
    covers = f"over {bar['kind']}" if bar["lo"] is not None else "no interval"
    jobs = f"{bar['n_a']} against {bar['n_r']} job{'' if bar['n_a'] + bar['n_r'] == 2 else 's'}"
    dots_of_several = own if len(own) > 1 else ()
    return Mark(chip_of(bar), bar["ratio"], bar["lo"], bar["hi"], text, f"{covers}; {jobs}", dots_of_several)


def _other_tables(rows: Sequence[Row], reference: str, main: Sequence[Row]) -> Iterator[Table]:
    """The other ways to weigh, where they say something else."""
    known = {(bar["chip"], bar["origin"]): bar["ratio"] for bar in main}
    for quantity, mode, unit, key, caption in _OTHERS:
        bars = [
            bar
            for bar in bars_of(rows, reference, quantity, mode, unit)
            if bar["ratio"] is not None
            and (quantity != MAIN[0] or known.get((bar["chip"], bar["origin"])) != bar["ratio"])
        ]
        if bars:
            yield Table(key, caption, _columns(bars, is_rate=quantity == MAIN[0]), [_share_row(bar) for bar in bars])
