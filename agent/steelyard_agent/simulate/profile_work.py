"""Reads what a simulated training step consists of."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal


@dataclass(frozen=True, slots=True)
class Work:
    """One operator of a step.

    Attributes:
        share: of its layer's time, where a device has all operators.
        calls: in a step.
        callers: on the host, from the outermost.
        kernels: by vendor.
    """

    layer: Literal["compute", "communication"]
    class_name: str
    operator: str
    share: float
    calls: int
    callers: tuple[str, ...]
    kernels: Mapping[str, str]


@cache
def simulated_work() -> tuple[Work, ...]:
    """All operators, those of a layer together."""
    text = files(__package__).joinpath("profile_work.toml").read_text(encoding="utf-8")
    return tuple(
        Work(
            layer=entry["layer"],
            class_name=entry["class"],
            operator=entry["operator"],
            share=entry["share"],
            calls=entry["calls"],
            callers=tuple(entry["callers"]),
            kernels=entry["on"],
        )
        for entry in tomllib.loads(text)["work"]
    )
