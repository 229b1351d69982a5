"""What a check says: how grave it is, of what, what is so, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

# ok: as it should be. note: worth knowing, nothing to do. warning: something is missing that could be had.
# problem: the agent does not do here what it is for.
Level = Literal["ok", "note", "warning", "problem"]
Detail = str | int | float | None

DONE: Final = 0
FAILED: Final = 1
NO_COLLECTOR: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        check: the check's name.
        part: what the subject belongs to, of which there are several in a check; findings of one stand together.
        subject: a device, a path, an address; empty where the whole is meant.
        text: what is so.
        remedy: what to do; empty where there is nothing to do.
        details: figures and names for scripts.
    """

    check: str
    level: Level
    text: str
    subject: str = ""
    remedy: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)
    part: str = ""


def exit_code(findings: Sequence[Finding]) -> int:
    """0 without a problem, 3 where no answer from the collector is the only one, else 1."""
    checks = {finding.check for finding in findings if finding.level == "problem"}
    if not checks:
        return DONE
    return NO_COLLECTOR if checks == {"collector"} else FAILED
