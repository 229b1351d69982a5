"""One measured figure, beside its limit or a peer of the same run, and how it is printed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A result.

    Attributes:
        name: the figure's name, the same in every run.
        value: what was measured; None where it could not be, which `reference` then explains.
        unit: of the value and of the target.
        target: `<= 40` or `>= 12e6`; empty where the figure only informs.
        reference: the peer or limit of the same run, in words.
    """

    name: str
    value: float | None
    unit: str
    target: str = ""
    reference: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the value is within the target; None without a target or without a value."""
        if not self.target or self.value is None:
            return None
        operator, limit = self.target.split()
        return self.value <= float(limit) if operator == "<=" else self.value >= float(limit)


def as_json(bench: str, figures: Sequence[Figure], machine: str) -> str:
    """One object, for programs."""
    rows: list[dict[str, Any]] = [{**asdict(figure), "holds": figure.holds} for figure in figures]
    return json.dumps({"bench": bench, "figures": rows, "machine": machine})


def as_table(bench: str, figures: Sequence[Figure], machine: str) -> str:
    """Lines for people."""
    lines = [f"{bench}   ({machine})"]
    for figure in figures:
        value = (
            "-" if figure.value is None else f"{figure.value:,.4g}" if figure.value < 1e5 else f"{figure.value:,.0f}"
        )
        verdict = {True: "holds", False: "MISSED", None: ""}[figure.holds]
        lines.append(
            f"  {figure.name:<26} {value:>14} {figure.unit:<12} {figure.target:<12} {verdict:<7} {figure.reference}"
        )
    return "\n".join(lines)
