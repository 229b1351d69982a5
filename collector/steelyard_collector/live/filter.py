"""The filter of a live view: words, and tests of columns, as `910b chip:H100 busy<0.2 node!=n1`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from steelyard_proto.errors import StoreError

# A column of a table, or a mask over its rows: the overloads of pyarrow.compute tell them apart, we don't.
Column = Any

_TEST: Final = re.compile(r"^([a-z_][a-z0-9_]*)(!=|<=|>=|[:=<>])(.*)$")
_MAX_TERMS: Final = 32
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "=": pc.equal,
    ":": pc.equal,
    "!=": pc.not_equal,
}


class BadRequest(StoreError):
    """A watcher asks for something that the view doesn't have; the message begins with the field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}", name="BAD_WATCH")


@dataclass(frozen=True, slots=True)
class Term:
    """A word (`column` is empty), or a test of a column."""

    column: str
    operator: str
    value: str


def parse_filter(text: str) -> tuple[Term, ...]:
    """The terms of a filter; a row must pass all.

    Raises:
        BadRequest: there are too many.
    """
    words = text.split()
    if len(words) > _MAX_TERMS:
        raise BadRequest("filter", f"{len(words)} terms; give at most {_MAX_TERMS}")
    found = ((_TEST.match(word), word) for word in words)
    return tuple(Term(*test.groups()) if test else Term("", "", word) for test, word in found)


def columns_of(terms: Iterable[Term], texts: Iterable[str]) -> set[str]:
    """The columns that a filter reads; a word reads every column of text."""
    names: set[str] = set()
    for term in terms:
        names |= {term.column} if term.column else set(texts)
    return names


def is_text(kind: pa.DataType) -> bool:
    """Whether words are looked for in a column of this type."""
    if pa.types.is_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def as_text(column: Column) -> Column:
    """A column of text as plain strings; the items of a list joined by a comma."""
    if not pa.types.is_list(column.type):
        return column
    return pc.binary_join(column.cast(pa.list_(pa.string())), ",")


def apply_filter(table: pa.Table, terms: Iterable[Term]) -> pa.Table:
    """The rows that pass every term; NULL passes no test.

    Raises:
        BadRequest: a column doesn't exist, or can't be compared in this way.
    """
    for term in terms:
        mask = _column_mask(table, term) if term.column else _word_mask(table, term.value)
        table = table.filter(mask)
    return table


def _word_mask(table: pa.Table, word: str) -> Any:
    mask: Column = pa.array([False] * table.num_rows, pa.bool_())
    for field in table.schema:
        if is_text(field.type):
            hit: Column = pc.match_substring(as_text(table[field.name]), word, ignore_case=True)
            mask = pc.or_(mask, pc.fill_null(hit, False))
    return mask


def _column_mask(table: pa.Table, term: Term) -> Any:
    if term.column not in table.column_names:
        raise BadRequest(
            "filter", f"no column {term.column!r}; the columns are {', '.join(sorted(table.column_names))}"
        )
    column: Column = table[term.column]
    if is_text(column.type):
        return _text_mask(column, term)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise BadRequest("filter", f"{term.column} can't be compared; test a text or a number, such as age_s<10")
    try:
        number = float(term.value)
    except ValueError:
        shown = f"{term.column}{term.operator}{term.value}"
        raise BadRequest("filter", f"{shown}: {term.value!r} is no number") from None
    hit: Column = _COMPARE[term.operator](column, number)
    return pc.fill_null(hit, False)


def _text_mask(column: Column, term: Term) -> Any:
    text = as_text(column)
    if term.operator == ":":
        found: Column = pc.match_substring(text, term.value, ignore_case=True)
        return pc.fill_null(found, False)
    if term.operator not in ("=", "!="):
        raise BadRequest("filter", f"{term.column} is text; test it with {term.column}:PART, ={term.value} or !=")
    # Commas around both, so that one test finds a whole text and a whole item of a list.
    framed: Column = pc.binary_join_element_wise("", text, "", ",")
    hit: Column = pc.match_substring(framed, f",{term.value},", ignore_case=True)
    passes: Column = pc.invert(hit) if term.operator == "!=" else hit
    return pc.fill_null(passes, False)
