"""Who asks a collector for profiles, and a plain client that speaks for the agents."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from steelyard_proto.v1 import batch_pb2, control_pb2, control_pb2_grpc, ingest_pb2
from tests.standins.ingest_client import PATIENCE_S, Stream, hello, records

Progress = control_pb2.ProfileProgress


def stub(channel: grpc.Channel) -> Any:
    return control_pb2_grpc.ControlStub(channel)  # type: ignore[no-untyped-call]


def trains(stream: Stream, name: str, job: str, *ranks: int, origin: int = 1) -> None:
    """An agent says Hello and tells the processes of a job; returns once that is committed."""
    epoch = int(time.time())
    welcome = stream.greet(hello(name, epoch, node=ingest_pb2.Node(name=f"node-{name}", origin=origin)))  # type: ignore[arg-type]
    now_ms = int(time.time() * 1000)
    processes = [
        batch_pb2.Process(ts_ms=now_ms, device=1, pid=100 + rank, start_ms=now_ms - 1000, rank=rank, job=job)
        for rank in ranks
    ]
    stream.send(records(welcome.agent, 1, batch_pb2.KIND_PROCESS, processes=processes))
    stream.await_ack(batch_pb2.KIND_PROCESS, 1)


def asked_for(channel: grpc.Channel, **request: Any) -> Iterator[Progress]:
    return iter(stub(channel).Profile(control_pb2.ProfileRequest(**request), timeout=PATIENCE_S))


def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    return caught.value.code(), caught.value.details()  # type: ignore[attr-defined]
