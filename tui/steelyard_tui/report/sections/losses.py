"""The loss of runs of one model, where it is known: what a share between unlike precisions must be read with."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from steelyard_tui.report.charts import Curve, LossChart, LossPanel, chip_of
from steelyard_tui.report.document import Column, Picture, Row, Section, Table
from steelyard_tui.report.gather import Gathered
from steelyard_tui.report.sections.comparison import who

_MOST_PANELS: Final = 6
_MOST_CURVES: Final = 8
_COLUMNS: Final = (
    Column("model", "model"),
    Column("task", "task"),
    Column("chip", "chip", "chip"),
    Column("run", "run", "word"),
    Column("loss, first", "first_loss", "figure"),
    Column("loss, last", "last_loss", "figure"),
    Column("tokens between", "tokens", "count"),
)


def losses_section(gathered: Gathered) -> Section | None:
    """A panel a model and task; None where no run's loss is known."""
    runs: dict[tuple[str, str], dict[tuple[Any, ...], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in gathered.losses:
        name = (row["model_name"] or "model not known", row["task_name"] or "")
        runs[name][chip_of(row), row["run"]].append(row)
    if not runs:
        return None
    largest = sorted(runs, key=lambda name: -sum(map(len, runs[name].values())))[:_MOST_PANELS]
    panels = [LossPanel(" ".join(name).strip(), _curves(list(runs[name].values()))) for name in sorted(largest)]
    alt = "; ".join(
        f"{panel.title}, {curve.chip.label}, run {curve.run}: {curve.losses[0]:.4g} to {curve.losses[-1]:.4g}"
        for panel in panels
        for curve in panel.curves
    )
    lead = [
        "As the trainers' logs or scripts say it, over the tokens of productive steps since the window began.",
        "A run that began before the window, other data or another precision start from elsewhere: these curves tell "
        "whether a faster chip also learns as well, and are in no share.",
    ]
    rows = [_row(name, own) for name in sorted(runs) for own in runs[name].values()]
    table = Table("losses", "Loss of each run in the window", _COLUMNS, rows)
    return Section("loss", "Loss, where it is known", lead, (Picture("loss", LossChart(panels), alt),), (table,))


def _curves(runs: Sequence[Sequence[Row]]) -> list[Curve]:
    """Of very many runs those with the most points."""
    chosen = sorted(runs, key=lambda own: -len(own))[:_MOST_CURVES]
    curves = [
        Curve(chip_of(own[0]), own[0]["run"], [row["tokens_so_far"] for row in own], [row["mean_loss"] for row in own])
        for own in chosen
    ]
    return sorted(curves, key=lambda curve: (curve.chip, curve.run))


def _row(name: tuple[str, str], own: Sequence[Row]) -> Row:
    return who(own[0]) | {
        "model": name[0],
        "task": name[1] or None,
        "run": own[0]["run"],
        "first_loss": own[0]["mean_loss"],
        "last_loss": own[-1]["mean_loss"],
        "tokens": own[-1]["tokens_so_far"],
    }
