"""The chip table, read from chips.toml and checked; a driver's name to a chip."""

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal, cast

from steelyard_proto.errors import ConfigError

Part = Literal["package", "die", "gcd"]


@dataclass(frozen=True, slots=True)
class Chip:
    """One entry of chips.toml; the fields are explained at its top. None is unknown."""

    name: str
    vendor: str
    aliases: tuple[str, ...]
    per: Part
    basis: str
    source: str
    confidence: Literal["high", "medium", "low"]
    dies: int = 1
    bf16_tflops: float | None = None
    fp16_tflops: float | None = None
    marketed_bf16_tflops: float | None = None
    ceiling_tflops: float | None = None
    ceiling_source: str = ""
    ofu: bool = True
    ofu_validated: bool = False
    clock_mhz: float | None = None
    hbm_gb_s: float | None = None
    hbm_gb: float | None = None
    tdp_w: float | None = None


class ChipTable:
    """The chips by name, and the search for a driver's name."""

    def __init__(self, chips: Iterable[Chip]) -> None:
        self.by_name: dict[str, Chip] = {chip.name: chip for chip in chips}
        patterns = [(alias.lower(), chip) for chip in self.by_name.values() for alias in chip.aliases]
        # The longest first: H20 begins H200, Ascend910 begins all of its successors.
        self._patterns = sorted(patterns, key=lambda pair: len(pair[0]), reverse=True)

    def match(self, driver_name: str) -> Chip | None:
        """The chip that a driver's name means, or None: an unknown chip never borrows another's peak."""
        wanted = driver_name.strip().lower()
        for pattern, chip in self._patterns:
            if wanted == pattern or (pattern.endswith("*") and wanted.startswith(pattern[:-1])):
                return chip
        return None


def load_chips(override: Path | None = None) -> ChipTable:
    """The shipped chips, with a user's file laid over them by name.

    Raises:
        ConfigError: an entry lacks a field, has an unknown one, or a figure that is not above 0.
    """
    chips = dict(_shipped())
    if override is not None:
        try:
            text = override.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"can't be read: {error}", path=str(override)) from error
        chips.update(parse_chips(text, path=str(override)))
    return ChipTable(chips.values())


@cache
def _shipped() -> dict[str, Chip]:
    text = Path(__file__).with_name("chips.toml").read_text(encoding="utf-8")
    return parse_chips(text, path="chips.toml")


_FIGURES = (
    "dies", "bf16_tflops", "fp16_tflops", "marketed_bf16_tflops", "ceiling_tflops", "clock_mhz", "hbm_gb_s", "hbm_gb",
    "tdp_w",
)  # fmt: skip


def parse_chips(text: str, *, path: str) -> dict[str, Chip]:
    """Reads a chip file; see `load_chips` for the errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=path) from error
    if unknown := sorted(document.keys() - {"chip"}):
        raise ConfigError("is no table of this file; write [[chip]]", path=path, key=unknown[0])
    entries = document.get("chip", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError("must be a list; write [[chip]]", path=path, key="chip")
    chips: dict[str, Chip] = {}
    for entry in entries:
        chip = _chip(entry, path)
        if chip.name in chips:
            raise ConfigError("stands twice", path=path, key=chip.name)
        chips[chip.name] = chip
    return chips


def _chip(entry: dict[str, object], path: str) -> Chip:
    name = str(entry.get("name", "?"))
    known = {f.name for f in fields(Chip)}
    if unknown := sorted(entry.keys() - known):
        raise ConfigError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}", path=path, key=name)
    for figure in _FIGURES:
        value = entry.get(figure)
        if value is not None and (
            isinstance(value, bool) or not (isinstance(value, int | float) and 0 < value < math.inf)
        ):
            raise ConfigError(
                f"{figure} is {value!r}; write a number above 0, or leave it out where it is unknown",
                path=path,
                key=name,
            )
    if entry.get("ceiling_tflops") and not entry.get("ceiling_source"):
        raise ConfigError("ceiling_tflops stands without a ceiling_source; say who measured it", path=path, key=name)
    if entry.get("per") not in ("package", "die", "gcd"):
        raise ConfigError(f"per is {entry.get('per')!r}; it must be package, die or gcd", path=path, key=name)
    values = dict(entry)
    values["aliases"] = tuple(cast("list[str]", entry.get("aliases", [])))
    try:
        return Chip(**values)  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigError(str(error), path=path, key=name) from error
