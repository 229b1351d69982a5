"""A Query service whose every row changes at exactly 1 Hz, as a collector of so many devices gives them.

    python -m tests.bench.load.steady_query DEVICES

prints its address, then a line for each answer about `devices`. Filter, order and page are those of the stand-in.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import grpc
import pyarrow as pa

from steelyard_proto.v1 import query_pb2, query_pb2_grpc
from tests.standins.fleet_tables import FleetTables
from tests.standins.query_server import cut


class SteadyQuery(query_pb2_grpc.QueryServicer):
    """Makes the devices anew for each answer, and the other views once."""

    def __init__(self, tables: FleetTables) -> None:
        self._tables = tables
        self._others = tables.views(time.time())

    async def Watch(  # noqa: N802
        self, request: query_pb2.WatchRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[query_pb2.WatchReply]:
        due_s = time.monotonic()
        while True:
            yield cut(self._table(request.view), request, int(time.time() * 1000))
            if request.view == "devices":
                print(request.offset, flush=True)
            due_s = max(due_s + request.period_ms / 1000, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())

    def _table(self, view: str) -> pa.Table:
        return self._tables.device_table(time.time()) if view == "devices" else self._others[view]


async def _serve(devices: int) -> None:
    server = grpc.aio.server()
    query_pb2_grpc.add_QueryServicer_to_server(SteadyQuery(FleetTables(devices)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
