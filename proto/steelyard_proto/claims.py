"""Public claims of one chip against another, read from claims.toml and a user's file, and checked."""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, cast

from steelyard_proto.chips import ChipTable
from steelyard_proto.errors import ConfigError

Unit = Literal["device", "package"]
Quantity = Literal["training", "inference", "peak"]
DEFAULT_NEAR: Final = 0.05
_ONE_OF: Final = {"unit": ("device", "package"), "quantity": ("training", "inference", "peak")}
_DATE: Final = re.compile(r"\d{4}(-\d\d){0,2}")


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry of claims.toml; the fields are explained at its top."""

    id: str
    subject: str
    subject_chips: tuple[str, ...]
    reference: str
    reference_chips: tuple[str, ...]
    unit: Unit
    quantity: Quantity
    value: float
    said_by: str
    said_on: str
    near: float = DEFAULT_NEAR
    note: str = ""


_KNOWN: Final = tuple(field.name for field in fields(Claim))
_OPTIONAL: Final = ("near", "note")
_NUMBERS: Final = ("value", "near")
_CHIPS: Final = ("subject_chips", "reference_chips")


def load_claims(chips: ChipTable, extra: Path | None = None) -> tuple[Claim, ...]:
    """The shipped claims, and a user's: added, or in place of the shipped one of the same id.

    Args:
        chips: the chips that a claim may name.
        extra: the user's file.

    Raises:
        ConfigError: naming file, claim and field, and what to write instead.
    """
    shipped = Path(__file__).with_name("claims.toml").read_text(encoding="utf-8")
    claims = parse_claims(shipped, chips, path="claims.toml")
    if extra is not None:
        try:
            text = extra.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"can't be read: {error}", path=str(extra)) from error
        claims |= parse_claims(text, chips, path=str(extra))
    return tuple(claims.values())


def parse_claims(text: str, chips: ChipTable, *, path: str) -> dict[str, Claim]:
    """Reads a file of claims by id; see `load_claims` for the errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=path) from error
    if unknown := sorted(document.keys() - {"claim"}):
        raise ConfigError("is no table of this file; write [[claim]]", path=path, key=unknown[0])
    entries = document.get("claim", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError("must be a list; write [[claim]]", path=path, key="claim")
    claims: dict[str, Claim] = {}
    for number, entry in enumerate(entries, 1):
        claim = _claim(entry, chips, path, number)
        if claim.id in claims:
            raise ConfigError("stands twice; give one of the two another id", path=path, key=claim.id)
        claims[claim.id] = claim
    return claims


def _claim(entry: Mapping[str, object], chips: ChipTable, path: str, number: int) -> Claim:
    name = entry.get("id")
    if not isinstance(name, str) or not name:
        raise ConfigError("has no id; give it a text of its own", path=path, key=f"claim {number}")
    for field in (*entry, *_KNOWN):
        fault = _fault(field, entry, chips)
        if fault:
            raise ConfigError(f"{field} {fault}", path=path, key=name)
    values = {**entry, **{field: tuple(cast("list[str]", entry[field])) for field in _CHIPS}}
    return Claim(**values)  # type: ignore[arg-type]


def _fault(field: str, entry: Mapping[str, object], chips: ChipTable) -> str | None:
    """What is wrong with a field, and what to write instead."""
    if field not in _KNOWN:
        return f"is no field of a claim; {_meant(field, _KNOWN)}"
    if field not in entry:
        return None if field in _OPTIONAL else "is missing; claims.toml explains it at its top"
    value = entry[field]
    if field in _CHIPS:
        return _chips_fault(value, chips)
    if field in _ONE_OF:
        allowed = _ONE_OF[field]
        return None if value in allowed else f"is {value!r}; write {', '.join(allowed[:-1])} or {allowed[-1]}"
    if field in _NUMBERS:
        return None if _is_positive(value) else f"is {value!r}; write a number above 0, 0.80 for 80 %"
    return _text_fault(field, value)


def _text_fault(field: str, value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return f"is {value!r}; write a text"
    if field == "said_on" and not _DATE.fullmatch(value):
        return f"is {value!r}; write YYYY, YYYY-MM or YYYY-MM-DD"
    return None


def _chips_fault(value: object, chips: ChipTable) -> str | None:
    if not isinstance(value, list) or not value:
        return f'is {value!r}; write a list of chips, such as ["H100"]'
    unknown = [chip for chip in value if chip not in chips.by_name]
    if unknown:
        return f"names {unknown[0]!r}, which is no chip; {_meant(str(unknown[0]), tuple(chips.by_name))}"
    return None


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _meant(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"do you mean {close[0]}?" if close else f"there are {', '.join(known)}"
