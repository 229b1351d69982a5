"""SQL asked of a collector as users ask it: over gRPC, as Arrow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import numpy as np
import pyarrow as pa

from steelyard_proto.v1 import query_pb2, query_pb2_grpc

# A frame of all devices is larger than gRPC takes by default.
CHANNEL_OPTIONS = (("grpc.max_receive_message_length", 256 << 20),)


class Asker:
    """One client."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = query_pb2_grpc.QueryStub(channel)

    def table(self, query: str, timeout_s: float | None = None, **parameters: str) -> pa.Table:
        """The rows of a query; after so long it is given up, and the collector stops it."""
        replies = self._stub.Sql(query_pb2.SqlRequest(query=query, parameters=parameters), timeout=timeout_s)
        data = b"".join(reply.arrow_ipc for reply in replies)
        with pa.ipc.open_stream(data) as stream:
            return stream.read_all()

    def timed_ms(self, query: str, **parameters: str) -> tuple[float, int]:
        """How long the last row took to come, and how many there were."""
        begin_s = time.perf_counter()
        rows = self.table(query, **parameters).num_rows
        return 1000 * (time.perf_counter() - begin_s), rows


@contextmanager
def asker(address: str) -> Iterator[Asker]:
    """A client of a collector."""
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield Asker(channel)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them don't exceed; one that was measured, not one between two."""
    return float(np.quantile(values, share, method="higher"))
