"""Reads Prometheus' text: the series of a page, one line each.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, the text-based format.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Final

# A label's value may hold an escaped quote.
_HEAD: Final = r"""([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?"""
_SERIES: Final = re.compile(_HEAD, re.ASCII)
# A timestamp may follow the value.
_LINE: Final = re.compile(rf"({_HEAD})[ \t]+(\S+)(?:[ \t]+\S+)?[ \t]*$", re.ASCII)
_LABEL: Final = re.compile(r"""([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)\"""", re.ASCII)
_ESCAPES: Final = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_ESCAPE: Final = re.compile(r"\\.")


def read_values(page: str, prefixes: tuple[str, ...]) -> tuple[tuple[str, ...], list[float]]:
    """The lines whose series' names begin so, in order: what stands before the value, and the value.

    Only what has a finite value: one odd line hides no other. What stands before it is left as it is, for it is the
    same on each page: `series_of` tells what it says.
    """
    heads: list[str] = []
    values: list[float] = []
    for line in page.splitlines():
        if not line.startswith(prefixes):
            continue
        # As nearly every line is: labels, a blank, a value.
        head, _, text = line.rpartition(" ")
        if not head.endswith("}") or not text or "\t" in text:
            found = _LINE.match(line)
            if found is None:
                continue
            head, text = found[1], found[4]
        try:
            value = float(text)
        except ValueError:
            continue
        if isfinite(value):
            heads.append(head)
            values.append(value)
    return tuple(heads), values


def series_of(head: str) -> tuple[str, Mapping[str, str]] | None:
    """The name and the labels of a series; None where it is none."""
    found = _SERIES.fullmatch(head)
    if found is None:
        return None
    return found[1], {key: _unescaped(told) for key, told in _LABEL.findall(found[2] or "")}


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[0], found[0]), text) if "\\" in text else text
