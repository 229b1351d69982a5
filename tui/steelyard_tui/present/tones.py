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
