"""What an operator is, in words that hold for every vendor: the catalogue `classes.toml`."""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final, Literal

Space = Literal["host", "kernel", "cann"]

UNMATCHED: Final = "unmatched"
_SPACES: Final[tuple[Space, ...]] = ("host", "kernel", "cann")


@dataclass(frozen=True, slots=True)
class OperatorClass:
    """A row of the catalogue: a class and what it is told by, for each kind of name."""

    name: str
    is_communication: bool
    patterns: dict[Space, re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Classifier:
    """The whole catalogue, in the order in which it is asked."""

    classes: tuple[OperatorClass, ...]

    def class_of(self, name: str, space: Space) -> str:
        """The class of a name; `UNMATCHED` where no pattern knows it."""
        for one in self.classes:
            pattern = one.patterns.get(space)
            if pattern is None:
                continue
            if pattern.search(name) if space == "kernel" else pattern.fullmatch(name):
                return one.name
        return UNMATCHED

    def is_communication(self, class_name: str) -> bool:
        """Whether a class is a collective."""
        return any(one.is_communication for one in self.classes if one.name == class_name)


@lru_cache(maxsize=1)
def load_classifier() -> Classifier:
    """The catalogue that comes with this package."""
    text = resources.files("steelyard_traces").joinpath("classes.toml").read_text(encoding="utf-8")
    return Classifier(tuple(_class_of(row) for row in tomllib.loads(text)["class"]))


def _class_of(row: dict[str, object]) -> OperatorClass:
    patterns: dict[Space, re.Pattern[str]] = {}
    for space in _SPACES:
        told = row.get(space)
        if isinstance(told, list):
            patterns[space] = re.compile("|".join(f"(?:{pattern})" for pattern in told), re.IGNORECASE)
    return OperatorClass(str(row["name"]), bool(row.get("is_communication")), patterns)
