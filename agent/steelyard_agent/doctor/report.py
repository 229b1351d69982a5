"""The findings for people, as aligned lines, and for scripts, as one JSON object."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from steelyard_agent.doctor.finding import Finding, Level, exit_code

_MARKS: Final[dict[Level, str]] = {"ok": "ok", "note": "-", "warning": "WARN", "problem": "FAIL"}
_INDENT: Final = "       "
# Some words must fit behind the longest subject.
_FEWEST_COLUMNS: Final = 60
# Longer subjects push their own line's text to the right, not everybody's.
_MAX_SUBJECT: Final = 34


def as_text(findings: Sequence[Finding], columns: int = 80) -> str:
    """One block for each check, in the order given; a remedy stands below its finding, and lines end at `columns`."""
    return "\n".join(_lines(findings, max(_FEWEST_COLUMNS, columns))) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """One object: `findings`, a count for each level, and the exit code."""
    counts = {level: sum(finding.level == level for finding in findings) for level in _MARKS}
    document = {
        "exit_code": exit_code(findings),
        "counts": counts,
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(document, indent=2) + "\n"


def _lines(findings: Sequence[Finding], columns: int) -> Iterator[str]:
    checks = dict.fromkeys(finding.check for finding in findings)
    for check in checks:
        own = [finding for finding in findings if finding.check == check]
        yield check
        for part in dict.fromkeys(finding.part for finding in own):
            if part:
                yield f"  {part}"
            yield from _part([finding for finding in own if finding.part == part], columns)
        yield ""
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    yield f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}"


def _part(findings: Sequence[Finding], columns: int) -> Iterator[str]:
    width = min(_MAX_SUBJECT, max(len(finding.subject) for finding in findings))
    for finding in findings:
        subject = f"{finding.subject:<{width}}  " if width else ""
        head = f"  {_MARKS[finding.level]:<5}{subject}"
        yield from _wrapped(finding.text, head, len(_INDENT) + (width + 2 if width else 0), columns)
        if finding.remedy:
            yield from _wrapped(finding.remedy, f"{_INDENT}-> ", len(_INDENT) + 3, columns)


def _wrapped(text: str, head: str, indent: int, columns: int) -> list[str]:
    # Paths and commands stay in one piece, to be copied.
    return textwrap.wrap(
        text,
        columns,
        initial_indent=head,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
