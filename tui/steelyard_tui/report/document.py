"""A report as data: sections of tables and charts. The page, the text and the JSON are written from the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from steelyard_tui.report.charts import Chart

Row = Mapping[str, Any]
# How a cell is written; `figure` is a number of three or more digits, `percent` one that is a percentage already.
Unit = Literal["text", "word", "chip", "count", "figure", "percent", "share", "interval", "duration", "names", "time"]
NUMBERS: frozenset[Unit] = frozenset({"count", "figure", "percent", "share", "interval", "duration"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `key` is the row's, `title` names the unit. A `word` is text that is never broken."""

    title: str
    key: str
    unit: Unit = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        key: its name in the JSON.
        caption: what a row is.
        empty: what stands there without rows.
        most: so many rows are drawn; the JSON has all.
    """

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = ""
    notes: Sequence[str] = ()
    most: int = 40


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with what it says in words, for whoever doesn't see it."""

    key: str
    chart: Chart
    alt: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under a heading; `lead` is its first sentences."""

    key: str
    title: str
    lead: Sequence[str]
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of the head, with what it is."""

    value: str
    title: str


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    Attributes:
        asked_s: how long the window was to be; what is told of it lies between `from_ts` and `to_ts`.
        reference: the chip that is 1.
        warning: what stands above everything: that figures are simulated or replayed.
        facts: by origin.
        faults: what the collector left out of the user's files.
    """

    from_ts: datetime
    to_ts: datetime
    asked_s: int
    made_at: datetime
    collector: str
    version: str
    reference: str | None
    warning: str
    facts: Mapping[str, Sequence[Fact]]
    sections: Sequence[Section]
    faults: Sequence[str] = ()
