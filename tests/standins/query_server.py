"""A Query service over generated tables: Watch filters, orders and pages them, Sql runs on ClickHouse (chdb).

    python -m tests.standins.query_server --devices 5000

prints the address and serves until it is ended.
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from steelyard_proto.v1 import query_pb2, query_pb2_grpc
from tests.standins.fleet_tables import FleetTables

_TEST = re.compile(r"^([a-z_][a-z0-9_]*)(!=|<=|>=|[:=<>])(.*)$")


class BadFilter(Exception):
    pass


def filter_table(table: pa.Table, text: str) -> pa.Table:
    """The rows that pass every word and column test of `text`."""
    for word in text.split():
        test = _TEST.match(word)
        table = table.filter(_column_mask(table, *test.groups()) if test else _word_mask(table, word))
    return table


def _word_mask(table: pa.Table, word: str) -> pa.Array:
    mask = pa.array([False] * table.num_rows)
    for name in table.column_names:
        if pa.types.is_string(table[name].type):
            hit = pc.match_substring(table[name], word, ignore_case=True)
            mask = pc.or_(mask, pc.fill_null(hit, False))
    return mask


def _column_mask(table: pa.Table, name: str, operator: str, value: str) -> pa.Array:
    if name not in table.column_names:
        raise BadFilter(f"filter: no column {name!r}; columns are {', '.join(sorted(table.column_names))}")
    column = table[name]
    if pa.types.is_string(column.type) or pa.types.is_list(column.type):
        if pa.types.is_list(column.type):
            column = pc.binary_join(column, ",")
        exact = operator != ":"
        find = pc.match_substring_regex if exact else pc.match_substring
        hit = find(column, f"^{re.escape(value)}$" if exact else value, ignore_case=True)
        return pc.fill_null(pc.invert(hit) if operator == "!=" else hit, False)
    try:
        number = float(value)
    except ValueError:
        raise BadFilter(f"filter: {name}{operator}{value}: {value!r} is no number") from None
    compare = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "!=": pc.not_equal}
    return pc.fill_null(compare.get(operator, pc.equal)(column, number), False)


def cut(table: pa.Table, request: query_pb2.WatchRequest, time_ms: int) -> query_pb2.WatchReply:
    """The page that a watcher asked for."""
    passing = filter_table(table, request.filter)
    if request.order:
        if request.order not in table.column_names:
            raise BadFilter(f"order: no column {request.order!r}")
        direction = "descending" if request.descending else "ascending"
        passing = passing.take(pc.sort_indices(passing, [(request.order, direction)]))
    page = passing.slice(request.offset, request.limit or 1000)
    if request.columns:
        if unknown := [name for name in request.columns if name not in table.column_names]:
            raise BadFilter(f"columns: no column {unknown[0]!r}")
        page = page.select(list(request.columns))
    return query_pb2.WatchReply(
        time_ms=time_ms, total_rows=passing.num_rows, all_rows=table.num_rows, arrow_ipc=_ipc(page)
    )


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


class QueryService(query_pb2_grpc.QueryServicer):
    """Answers from `tables`; a new tick each second of `clock`."""

    def __init__(self, tables: FleetTables, clock: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._clock = clock
        self._tick = -1
        self._views: dict[str, pa.Table] = {}
        self._sql: SqlEngine | None = None
        self.cancelled = 0

    def _fresh(self) -> dict[str, pa.Table]:
        tick = int(self._clock())
        if tick != self._tick:
            self._tick, self._views = tick, self._tables.views(self._clock())
        return self._views

    async def Watch(  # noqa: N802
        self, request: query_pb2.WatchRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[query_pb2.WatchReply]:
        period_s = (request.period_ms or 1000) / 1000
        while True:
            views = self._fresh()
            if request.view not in views:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"view: no view {request.view!r}")
            try:
                yield cut(views[request.view], request, int(self._clock() * 1000))
            except BadFilter as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            await asyncio.sleep(period_s)

    async def Sql(  # noqa: N802
        self, request: query_pb2.SqlRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[query_pb2.SqlReply]:
        self._sql = self._sql or SqlEngine(self._tables, self._clock)
        try:
            table = await asyncio.to_thread(self._sql.run, request.query, dict(request.parameters))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except RuntimeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        limit = request.max_rows or 100_000
        data = _ipc(table.slice(0, limit))
        for start in range(0, len(data), 1 << 18):
            yield query_pb2.SqlReply(arrow_ipc=data[start : start + (1 << 18)])
        yield query_pb2.SqlReply(truncated=table.num_rows > limit)


class SqlEngine:
    """ClickHouse over the generated tables as they were at the first query."""

    def __init__(self, tables: FleetTables, clock: Callable[[], float]) -> None:
        from chdb import session

        at = clock()
        self._folder = tempfile.TemporaryDirectory(prefix="standin-")
        self._session = session.Session()
        self._session.query("CREATE DATABASE IF NOT EXISTS steelyard")
        for name, table in {**tables.views(at), "device_history": tables.history_table(at)}.items():
            path = Path(self._folder.name) / f"{name}.parquet"
            pq.write_table(table, path)
            self._session.query(f"CREATE VIEW steelyard.{name} AS SELECT * FROM file('{path}', Parquet)")
        self._session.query("USE steelyard")

    def run(self, query: str, parameters: dict[str, str]) -> pa.Table:
        result = self._session.query(query, "ArrowStream", params=parameters)
        data = result.bytes()
        return pa.ipc.open_stream(data).read_all() if data else pa.table({})


async def start_server(tables: FleetTables, port: int = 0) -> tuple[grpc.aio.Server, int]:
    """A started server on loopback, and its port."""
    server = grpc.aio.server(options=[("grpc.max_send_message_length", 256 << 20)])
    query_pb2_grpc.add_QueryServicer_to_server(QueryService(tables), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, bound


async def _serve(devices: int, port: int, origin: str) -> None:
    server, bound = await start_server(FleetTables(devices, origin=origin), port)
    print(f"127.0.0.1:{bound}", flush=True)
    await server.wait_for_termination()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=5000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--origin", default="simulated")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.devices, arguments.port, arguments.origin))


if __name__ == "__main__":
    main()
