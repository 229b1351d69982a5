"""The SQL console's past queries, one JSON string a line, the newest last."""

import json
from pathlib import Path
from typing import Final

_KEPT: Final = 200


def read_history(path: Path) -> list[str]:
    """Past queries, the newest first; none where there is no file or it can't be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    queries: list[str] = []
    for line in reversed(lines):
        try:
            query = json.loads(line)
        except ValueError:
            continue
        if isinstance(query, str) and query not in queries:
            queries.append(query)
    return queries


def add_query(path: Path, query: str) -> None:
    """Adds a query; the file keeps the newest 200. Raises OSError."""
    kept = [query, *(old for old in read_history(path) if old != query)][:_KEPT]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(text) + "\n" for text in reversed(kept)), encoding="utf-8")
