"""The findings for people, as aligned lines, and for scripts, as one JSON object."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from steelyard_agent.doctor.finding import Finding, Level, exit_code

_MARKS: Final[dict[Level, str]] = {"ok": "ok", "note": "-", "warning": "WARN", "problem": "FAIL"}
_INDENT: Final = "       "
# Longer subjects push their own line's text to the right, not everybody's.
_MAX_SUBJECT: Final = 34


def as_text(findings: Sequence[Finding]) -> str:
    """One block for each check, in the order given; a remedy stands below its finding."""
    return "\n".join(_lines(findings)) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """One object: `findings`, a count for each level, and the exit code."""
    counts = {level: sum(finding.level == level for finding in findings) for level in _MARKS}
    document = {
        "exit_code": exit_code(findings),
        "counts": counts,
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(document, indent=2) + "\n"


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    checks = dict.fromkeys(finding.check for finding in findings)
    for check in checks:
        own = [finding for finding in findings if finding.check == check]
        width = min(_MAX_SUBJECT, max(len(finding.subject) for finding in own))
        yield check
        for finding in own:
            subject = f"{finding.subject:<{width}}  " if width else ""
            yield f"  {_MARKS[finding.level]:<5}{subject}{finding.text}"
            if finding.remedy:
                yield f"{_INDENT}-> {finding.remedy}"
        yield ""
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    yield f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}"


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
