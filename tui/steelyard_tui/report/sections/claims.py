"""Claims and their verdicts."""

from collections.abc import Sequence
from typing import Any, Final

from steelyard_tui.report.document import Column, Row, Section, Table
from steelyard_tui.report.gather import Gathered

_COLUMNS: Final = (
    Column("claim", "said"),
    Column("said by", "by"),
    Column("here", "chip", "chip"),
    Column("of", "reference", "word"),
    Column("verdict", "verdict", "word"),
    Column("share", "share", "share"),
    Column("95 % interval", "interval", "interval"),
    Column("it covers", "kind", "word"),
    Column("within 5 points", "probability_pct", "percent"),
    Column("jobs a side", "sides", "word"),
)
_UNTESTED: Final = (*_COLUMNS[:2], Column("why", "reason"))


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
        tables.append(Table("claims_not_testable", caption, _UNTESTED, _by_claim(rest)))
    lead = ("Public claims, and your own, against these jobs.", "`consistent` is the strongest word there is.")
    return Section("claims", "What is claimed", lead, tables=tables)


def _by_claim(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row a claim: one may mean many pairs of chips, each with its reason."""
    claims: dict[str, list[Row]] = {}
    for row in rows:
        claims.setdefault(row["claim"], []).append(row)
    return [
        _said(own[0]) | {"reason": "; ".join(dict.fromkeys(str(row["reason"]) for row in own))}
        for own in claims.values()
    ]


def _said(row: Row) -> dict[str, Any]:
    quantity = "" if row["quantity"] == "training" else f", {row['quantity']}"
    return {
        "claim": row["claim"],
        "said": f"{row['subject']} = {row['value']:.2f} of {row['claimed_of']} per {row['unit']}{quantity}",
        "by": f"{row['said_by']}, {row['said_on']}",
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
        "sides": f"{row['n_a']} and {row['n_r']}",
        "jobs": row["n_a"],
        "reference_jobs": row["n_r"],
    }
