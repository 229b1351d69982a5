"""Rows of registry tables, waited for in the event loop until they are committed."""

import asyncio
from collections.abc import Mapping, Sequence

import pyarrow as pa

from steelyard_collector.ingest.writer import Writer


def put_registered(
    writer: Writer, table: str, rows: Sequence[Mapping[str, object]], schema: pa.Schema
) -> "asyncio.Future[None]":
    """Queues rows; the future is done once they are committed."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    def tell() -> None:
        loop.call_soon_threadsafe(finish)

    writer.put_rows(table, rows, schema, tell)
    return done
