"""Reads Prometheus' text: the series of a page, one line each.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, the text-based format.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

# Name, labels, value; a timestamp may follow. A label's value may hold an escaped quote.
_SERIES: Final = re.compile(
    r"""([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)(?:[ \t]+\S+)?[ \t]*$""", re.ASCII
)
_LABEL: Final = re.compile(r"""([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)\"""", re.ASCII)
_ESCAPES: Final = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_ESCAPE: Final = re.compile(r"\\.")


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a page; its value is finite."""

    name: str
    labels: Mapping[str, str]
    value: float


def read_series(page: str, prefixes: tuple[str, ...]) -> Iterator[Series]:
    """The series whose names begin so, in order.

    What is no series, or has no finite value, is left out: one odd line hides no other.
    """
    for line in page.splitlines():
        if not line.startswith(prefixes):
            continue
        found = _SERIES.match(line)
        if found is None:
            continue
        name, labels, text = found.groups()
        try:
            value = float(text)
        except ValueError:
            continue
        if isfinite(value):
            yield Series(name, {key: _unescaped(told) for key, told in _LABEL.findall(labels or "")}, value)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[0], found[0]), text) if "\\" in text else text
