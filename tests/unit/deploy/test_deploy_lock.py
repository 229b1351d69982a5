"""requirements.lock: plain pins, of everything that pyproject.toml asks for, from no index in particular."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.+!]*)")


def wanted() -> list[Requirement]:
    groups = [
        PROJECT["build-system"]["requires"],
        *PROJECT["project"]["optional-dependencies"].values(),
        *PROJECT["dependency-groups"].values(),
    ]
    requirements = [Requirement(text) for group in groups for text in group]
    return [requirement for requirement in requirements if requirement.name != PROJECT["project"]["name"]]


def test_every_line_is_a_plain_pin() -> None:
    assert LINES
    odd = [line for line in LINES if not PIN.fullmatch(line)]
    assert odd == [], "a URL, a path, an option or an index has no place here"


def test_nothing_is_pinned_twice_and_the_order_is_steady() -> None:
    names = [line.partition("==")[0] for line in LINES]
    assert len({canonicalize_name(name) for name in names}) == len(names)
    assert "steelyard" not in names
    assert sorted(LINES, key=str.lower) == LINES


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_what_is_asked_for_is_pinned_and_fits(requirement: Requirement) -> None:
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES)}
    name = canonicalize_name(requirement.name)
    assert name in pins, "make lock"
    assert requirement.specifier.contains(pins[name], prereleases=True), f"{pins[name]}: make lock"
