"""Claims and their verdicts."""

from collections.abc import Sequence
from typing import Any, Final

from steelyard_tui.report.document import Column, Row, Section, Table
from steelyard_tui.report.gather import Gathered

_COLUMNS: Final = (
    Column("claim", "said"),
    Column("said by", "said_by"),
    Column("when", "said_on"),
    Column("chip", "chip", "chip"),
    Column("of", "reference"),
    Column("verdict", "verdict"),
    Column("here", "share", "share"),
    Column("95 % interval", "interval", "interval"),
    Column("it covers", "kind"),
    Column("within 5 points", "probability_pct", "percent"),
    Column("jobs", "jobs", "count"),
    Column("reference's jobs", "reference_jobs", "count"),
)
_UNTESTED: Final = (*_COLUMNS[:3], Column("pair", "pair"), Column("why", "reason"))


def claims_section(gathered: Gathered) -> Section | None:
    """What is claimed, and what this fleet's jobs say to it; None where the collector knows no claims."""
    if not gathered.claims:
        return None
    tested = [row for row in gathered.claims if row["verdict"] != "not testable"]
    rest = [row for row in gathered.claims if row["verdict"] == "not testable"]
    tables = [
        Table(
            "claims",
            "Judged on the jobs of this window",
            _COLUMNS,
            [_tested(row) for row in tested],
            "None of the claims can be tested on the jobs of this window.",
        )
    ]
    if rest:
        caption = "Not testable here"
        tables.append(Table("claims_not_testable", caption, _UNTESTED, _by_reason(rest)))
    lead = ("Public claims, and your own, against these jobs.", "`consistent` is the strongest word there is.")
    return Section("claims", "What is claimed", lead, tables=tables)


def _by_reason(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each claim and reason: one claim may mean many pairs of chips."""
    pairs: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        pairs.setdefault((row["claim"], row["reason"] or ""), []).append(row)
    return [
        _said(own[0]) | {"pair": "; ".join(f"{row['chip']} of {row['reference']}" for row in own), "reason": reason}
        for (_, reason), own in pairs.items()
    ]


def _said(row: Row) -> dict[str, Any]:
    quantity = "" if row["quantity"] == "training" else f", {row['quantity']}"
    return {
        "claim": row["claim"],
        "said": f"{row['subject']} = {row['value']:.2f} of {row['claimed_of']} per {row['unit']}{quantity}",
        "said_by": row["said_by"],
        "said_on": row["said_on"],
    }


def _tested(row: Row) -> dict[str, Any]:
    return _said(row) | {
        "chip": row["chip"],
        "origin": row["origin"],
        "reference": row["reference"],
        "verdict": row["verdict"],
        "share": row["ratio"],
        "interval": None if row["lo"] is None else [row["lo"], row["hi"]],
        "kind": row["kind"],
        "probability_pct": None if row["probability"] is None else 100 * row["probability"],
        "jobs": row["n_a"],
        "reference_jobs": row["n_r"],
    }
