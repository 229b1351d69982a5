"""The page of a live view that one watcher asked for, cut out of the table that all share."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from steelyard_collector.live.filter import BadRequest, Term, apply_filter, as_text, columns_of, is_text, parse_filter
from steelyard_proto.v1 import query_pb2

MAX_ROWS: Final = 200_000
MIN_PERIOD_MS: Final = 200
MAX_PERIOD_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Page:
    """What one watcher asked for; equal pages share one cut. See WatchRequest."""

    view: str
    columns: tuple[str, ...]
    terms: tuple[Term, ...]
    order: str
    descending: bool
    offset: int
    limit: int

    @property
    def arrangement(self) -> tuple[tuple[Term, ...], str, bool]:
        """Pages for which this is equal show other parts of the same rows."""
        return self.terms, self.order, self.descending

    def needs(self, schema: pa.Schema) -> frozenset[str]:
        """The columns of the view that this page is made of; all where none are named."""
        texts = [field.name for field in schema if is_text(field.type)]
        shown = set(self.columns) if self.columns else set(schema.names)
        return frozenset(shown | columns_of(self.terms, texts) | ({self.order} if self.order else set()))


@dataclass(frozen=True, slots=True)
class Cut:
    """A page at one moment: rows that pass, rows of the view, and the page as one Arrow IPC stream."""

    total_rows: int
    all_rows: int
    arrow_ipc: bytes


def page_of(request: query_pb2.WatchRequest, schema: pa.Schema) -> Page:
    """The page of a request.

    Raises:
        BadRequest: it names a column that the view doesn't have.
    """
    page = Page(
        view=request.view,
        columns=tuple(dict.fromkeys(request.columns)),
        terms=parse_filter(request.filter),
        order=request.order,
        descending=request.descending,
        offset=request.offset,
        limit=min(request.limit or MAX_ROWS, MAX_ROWS),
    )
    named = (("columns", page.columns), ("order", (page.order,) if page.order else ()))
    for field, names in (*named, ("filter", tuple(term.column for term in page.terms if term.column))):
        for name in names:
            if name not in schema.names:
                listed = ", ".join(sorted(schema.names))
                raise BadRequest(field, f"no column {name!r} in {page.view}; the columns are {listed}")
    # What can't be done with these columns is said before the first frame.
    try:
        cut(schema.empty_table(), page)
    except pa.ArrowException as error:
        raise BadRequest("order" if page.order else "filter", f"{error}; choose another column") from error
    return page


def period_s(request: query_pb2.WatchRequest) -> float:
    """Seconds between two frames, within what the collector allows."""
    return min(max(request.period_ms or 1000, MIN_PERIOD_MS), MAX_PERIOD_MS) / 1000


@dataclass(frozen=True, slots=True)
class Arranged:
    """The rows that pass a filter, and the order that they are shown in; None for the order that they have."""

    passing: pa.Table
    order: Any
    all_rows: int

    def page(self, page: Page) -> Cut:
        """Cuts a page out."""
        if self.order is None:
            rows = self.passing.slice(page.offset, page.limit)
        else:
            # Only the page's rows are gathered: the whole table has a hundred thousand.
            rows = self.passing.take(self.order.slice(page.offset, page.limit))
        if page.columns:
            rows = rows.select(list(page.columns))
        return Cut(self.passing.num_rows, self.all_rows, _ipc(rows))


def arrange(table: pa.Table, page: Page) -> Arranged:
    """Filters and orders; rows without a value in the order's column come last."""
    passing = apply_filter(table, page.terms)
    return Arranged(passing, _order(passing, page) if page.order else None, table.num_rows)


def cut(table: pa.Table, page: Page) -> Cut:
    """Filters, orders and cuts."""
    return arrange(table, page).page(page)


def _order(table: pa.Table, page: Page) -> Any:
    key: Any = table[page.order]
    if is_text(key.type):
        key = as_text(key)
    if pa.types.is_floating(key.type):
        key = pc.if_else(pc.is_nan(key), None, key)
    direction: Literal["ascending", "descending"] = "descending" if page.descending else "ascending"
    return pc.sort_indices(pa.table({"key": key}), [("key", direction)])


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())
