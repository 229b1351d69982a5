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


def cut(table: pa.Table, page: Page) -> Cut:
    """Filters, orders and cuts; rows without a value in the order's column come last."""
    passing = apply_filter(table, page.terms)
    rows = _ordered_page(passing, page) if page.order else passing.slice(page.offset, page.limit)
    if page.columns:
        rows = rows.select(list(page.columns))
    return Cut(passing.num_rows, table.num_rows, _ipc(rows))


def _ordered_page(table: pa.Table, page: Page) -> pa.Table:
    key: Any = table[page.order]
    if is_text(key.type):
        key = as_text(key)
    if pa.types.is_floating(key.type):
        key = pc.if_else(pc.is_nan(key), None, key)
    direction: Literal["ascending", "descending"] = "descending" if page.descending else "ascending"
    order = pc.sort_indices(pa.table({"key": key}), [("key", direction)])
    # Only the page's rows are gathered: the whole table has a hundred thousand.
    return table.take(order.slice(page.offset, page.limit))


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())
