"""A report as JSON: every row with its values unrounded, absent as null."""

import json
from datetime import datetime
from typing import Any

from steelyard_tui.report.build import title_of
from steelyard_tui.report.document import Document, Section


def as_json(document: Document) -> str:
    """The whole document; tables by their names."""
    return json.dumps(_document(document), default=_plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _document(document: Document) -> dict[str, Any]:
    return {
        "title": title_of(document),
        "from": document.from_ts,
        "to": document.to_ts,
        "made_at": document.made_at,
        "collector": document.collector,
        "version": document.version,
        "reference": document.reference,
        "warning": document.warning or None,
        "faults": list(document.faults),
        "sections": {section.key: _section(section) for section in document.sections},
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "lead": list(section.lead),
        "tables": {table.key: [dict(row) for row in table.rows] for table in section.tables},
        "notes": list(section.notes),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a report")
