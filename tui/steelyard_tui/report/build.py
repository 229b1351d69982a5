"""Makes a report's document of what was gathered."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from steelyard_proto.errors import SteelyardError
from steelyard_proto.units import format_value
from steelyard_tui.present.figures import count
from steelyard_tui.present.shares import window_text
from steelyard_tui.report.document import Document, Fact, Row, Section
from steelyard_tui.report.gather import Gathered
from steelyard_tui.report.sections.claims import claims_section
from steelyard_tui.report.sections.comparison import figures_section, share_section
from steelyard_tui.report.sections.losses import losses_section
from steelyard_tui.report.sections.spent import energy_section, jobs_section, stragglers_section, time_spent_section
from steelyard_tui.report.sections.trends import spread_section, time_section

_USUAL: Final = "H100"
_WARNINGS: Final[Mapping[str, str]] = {
    "simulated": "SIMULATED: what is marked so, or with ~, doesn't exist; none of its figures says anything of a chip.",
    "replayed": "REPLAYED: what is marked so, or with », was recorded before.",
}


def build(gathered: Gathered, reference: str | None, collector: str, made_at: datetime) -> Document:
    """The whole report.

    Args:
        gathered: what it is of.
        reference: the chip that is 1; None for the usual one, or the one that ran most.
        collector: its address.
        made_at: when, UTC.

    Raises:
        SteelyardError: no job ran on the reference that was asked for.
    """
    chosen = _reference(gathered, reference)
    sections = (
        share_section(gathered, chosen) if chosen else None,
        figures_section(gathered),
        claims_section(gathered),
        time_section(gathered),
        losses_section(gathered),
        spread_section(gathered),
        energy_section(gathered, chosen),
        time_spent_section(gathered),
        jobs_section(gathered),
        stragglers_section(gathered),
        _methods(),
    )
    return Document(
        from_ts=gathered.span.from_ts,
        to_ts=gathered.span.to_ts,
        asked_s=gathered.span.asked_s,
        made_at=made_at,
        collector=collector,
        version=version("steelyard"),
        reference=chosen,
        warning=" ".join(text for origin, text in _WARNINGS.items() if origin in gathered.origins),
        facts={str(row["origin"] or "measured"): _facts(row) for row in gathered.facts},
        sections=[section for section in sections if section],
        faults=gathered.faults,
    )


def title_of(document: Document) -> str:
    """What the report is of, in a line."""
    return f"Steelyard report: {window_of(document)}, collector {document.collector}"


def window_of(document: Document) -> str:
    """The window in words."""
    return window_text({"from_ts": document.from_ts, "to_ts": document.to_ts, "window": f"{document.asked_s}s"})


def _reference(gathered: Gathered, wanted: str | None) -> str | None:
    references = sorted({row["reference"] for row in gathered.shares})
    if wanted is not None and wanted not in references:
        told = f"jobs ran on {', '.join(references)}: choose --reference" if references else "no job counted its tokens"
        raise SteelyardError(f"no job ran on {wanted} in this window; {told}, or look further back")
    if wanted or not references:
        return wanted
    if _USUAL in references:
        return _USUAL
    ran = [row for row in gathered.jobs if row["chip"] in references]
    return str(max(ran, key=lambda row: row["device_h"] or 0.0)["chip"]) if ran else references[0]


def _facts(row: Row) -> Sequence[Fact]:
    facts = [Fact(count(row["jobs"]), "job" if row["jobs"] == 1 else "jobs")]
    if row["device_h"]:
        facts.append(Fact(format_value(row["device_h"], "count"), "device-hours"))
    if row["all_tokens"] is not None:
        facts.append(Fact(_large(row["all_tokens"]), "tokens in productive steps"))
    if row["goodput_pct"] is not None:
        facts.append(Fact(f"{row['goodput_pct']:.1f} %", "of the time productive"))
    if row["energy_kwh"] is not None:
        title = f"kWh, known of {row['energy_covered_pct']:.0f} % of the time"
        facts.append(Fact(format_value(row["energy_kwh"], "count"), title))
    return facts


def _large(value: float) -> str:
    for factor, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return count(value)


def _methods() -> Section:
    text = files(__package__).joinpath("methods.toml").read_text(encoding="utf-8")
    notes: list[dict[str, Any]] = tomllib.loads(text)["note"]
    lead = ("How these figures come about, and what they can't tell.",)
    return Section("methods", "Methods and caveats", lead, notes=[f"{note['title']}: {note['text']}" for note in notes])
