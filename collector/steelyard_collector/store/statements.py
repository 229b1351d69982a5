"""The .sql files of this package, and the placeholders in them."""

from importlib.resources import files
from string import Template
from typing import Literal

Folder = Literal["migrations", "views", "queries"]


def statement(folder: Folder, name: str, **values: str | int) -> str:
    """One statement, its `${placeholders}` filled in.

    Raises:
        KeyError: a placeholder has no value.
    """
    text = files("steelyard_collector.store").joinpath(folder, f"{name}.sql").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def names(folder: Folder) -> list[str]:
    """The statements of a folder, without `.sql`, in order."""
    entries = files("steelyard_collector.store").joinpath(folder).iterdir()
    return sorted(entry.name.removesuffix(".sql") for entry in entries if entry.name.endswith(".sql"))
