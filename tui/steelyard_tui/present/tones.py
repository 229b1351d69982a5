"""The tones that lines are drawn in: Okabe-Ito by vendor, greys for the rest, one yellow for warnings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Tone:
    """A foreground, and where it carries its own ground, that too."""

    color: str
    bold: bool = False
    ground: str = ""


_VENDORS: Final[Mapping[str, tuple[str, str]]] = {
    "huawei": ("#e69f00", "#76520a"),
    "nvidia": ("#56b4e9", "#2f5d79"),
    "amd": ("#cc79a7", "#6a4359"),
    "cpu": ("#a8b3bf", "#56606a"),
    "other": ("#d0d0d0", "#6a6a6a"),
}

GROUNDS: Final[Mapping[str, str]] = {
    "plain": "#0d1117",
    "bar": "#161b22",
    "selected": "#1f2630",
    "lane": "#141a21",
    "band": "#4a3f00",
    **{f"{name}-pale": pale for name, (_, pale) in _VENDORS.items()},
}

_DARK: Final = "#0d1117"
_LIGHT: Final = "#e6edf3"

# Operators by class, Okabe-Ito again; grey for Python and for what no class knows. Each has the ink that reads on it.
_OPERATORS: Final[Mapping[str, tuple[str, str]]] = {
    "matmul": (_DARK, "#e69f00"),
    "attention": (_DARK, "#d55e00"),
    "vector": (_DARK, "#1aab83"),
    "optimizer": (_DARK, "#cc79a7"),
    "memory": (_LIGHT, "#0072b2"),
    "collective": (_DARK, "#56b4e9"),
    "wait": (_DARK, "#f0e442"),
    "python": (_LIGHT, "#39424e"),
    "other": (_LIGHT, "#57606a"),
}

# The change between two profiles: orange grew, blue shrank, in three strengths.
_CHANGES: Final[Mapping[str, tuple[str, str]]] = {
    "grew-3": (_DARK, "#e69f00"),
    "grew-2": (_LIGHT, "#8f6412"),
    "grew-1": (_LIGHT, "#544430"),
    "same": (_LIGHT, "#39424e"),
    "shrank-1": (_LIGHT, "#34495a"),
    "shrank-2": (_LIGHT, "#2f6f96"),
    "shrank-3": (_DARK, "#56b4e9"),
}

TONES: Final[Mapping[str, Tone]] = {
    "ink": Tone("#c9d1d9"),
    "strong": Tone("#ffffff", bold=True),
    "quiet": Tone("#7d8590"),
    "faint": Tone("#484f58"),
    "head": Tone("#9da7b1"),
    "title": Tone("#9ecbff"),
    "warn": Tone("#f0e442"),
    "good": Tone("#2fb887"),
    "bad": Tone("#ff7b72", bold=True),
    "tab": Tone("#0d1117", bold=True, ground="#9ecbff"),
    "cursor": Tone("#9ecbff"),
    "band": Tone("#f0e442", bold=True, ground="#4a3f00"),
    "code": Tone("#79c0ff"),
    "picked": Tone(_DARK, bold=True, ground="#ffffff"),
    "small": Tone("#9da7b1", ground="#21262d"),
    "apart": Tone("#7d8590", ground="#161b22"),
    **{f"op-{name}": Tone(ink, ground=ground) for name, (ink, ground) in _OPERATORS.items()},
    **{f"bar-{name}": Tone(ground) for name, (_, ground) in _OPERATORS.items()},
    "bar-memory": Tone("#3f8fd0"),
    "bar-python": Tone("#7d8590"),
    "bar-other": Tone("#9da7b1"),
    **{name: Tone(ink, ground=ground) for name, (ink, ground) in _CHANGES.items()},
    **{name: Tone(full) for name, (full, _) in _VENDORS.items()},
    **{f"{name}-pale": Tone(pale) for name, (_, pale) in _VENDORS.items()},
}


@cache
def look_of(tone: str) -> Tone:
    """A tone by its name; `name@ground` is that tone on a ground of its own."""
    name, _, ground = tone.partition("@")
    look = TONES[name]
    return replace(look, ground=GROUNDS[ground]) if ground else look


# What 16 colours have, where the nearest one would make two vendors alike.
COARSE: Final[Mapping[str, str]] = {
    "nvidia": "#00ffff",
    "huawei": "#808000",
    "amd": "#ff00ff",
    "cpu": "#c0c0c0",
    "faint": "#808080",
    "quiet": "#c0c0c0",
    "title": "#00ffff",
    "good": "#00ff00",
    "bad": "#ff0000",
}


def vendor_tone(vendor: object) -> str:
    """The tone of a vendor's shapes and bars."""
    return str(vendor) if vendor in _VENDORS else "other"
