"""An agent's side of one Ingest stream, word by word: for tests that say what no real agent would."""

import queue
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np

from steelyard_proto.v1 import batch_pb2, ingest_pb2

METHOD = "/steelyard.v1.Ingest/Stream"
# Yesterday's midnight: old enough to be past in every zone, young enough that no retention drops it.
NOW_MS = (int(time.time()) // 86_400 - 1) * 86_400_000
HOST = batch_pb2.KIND_HOST_SAMPLES
DEVICE = batch_pb2.KIND_DEVICE_SAMPLES
EVENT = batch_pb2.KIND_EVENT
PATIENCE_S = 60.0
Sent = ingest_pb2.AgentMessage | bytes


class Stream:
    """One open stream; every wait has a deadline."""

    def __init__(self, channel: grpc.Channel, token: str = "") -> None:
        self._sent: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._acks: dict[int, int] = {}
        method = channel.stream_stream(
            METHOD, request_serializer=None, response_deserializer=ingest_pb2.CollectorMessage.FromString
        )
        headers = (("authorization", f"Bearer {token}"),) if token else ()
        self.call: Any = method(self._outgoing(), timeout=PATIENCE_S, metadata=headers)
        self.agent = 0

    def _outgoing(self) -> Iterator[bytes]:
        while (data := self._sent.get()) is not None:
            yield data

    def send(self, *messages: Sent) -> None:
        """Sends; does not wait."""
        for message in messages:
            self._sent.put(message if isinstance(message, bytes) else message.SerializeToString())

    def greet(self, hello: ingest_pb2.Hello) -> ingest_pb2.Welcome:
        """Says Hello and waits for Welcome."""
        self.send(ingest_pb2.AgentMessage(hello=hello))
        welcome: ingest_pb2.Welcome = next(self.call).welcome
        self.agent = welcome.agent
        self._acks = {committed.kind: committed.seq for committed in welcome.committed}
        return welcome

    def await_ack(self, kind: int, seq: int) -> None:
        """Waits until a message is acknowledged; fails if more is."""
        while self._acks.get(kind, 0) < seq:
            self.note(next(self.call))
        assert self._acks[kind] == seq

    def await_ask(self) -> ingest_pb2.Ask:
        """Waits for what somebody asks of this agent; acknowledgements before it are noted."""
        while not (message := next(self.call)).HasField("ask"):
            self.note(message)
        asked: ingest_pb2.Ask = message.ask
        return asked

    def answer(self, ask: ingest_pb2.Ask, state: str, **more: Any) -> None:
        """Says how it goes."""
        self.send(ingest_pb2.AgentMessage(answer=ingest_pb2.Answer(id=ask.id, state=state, **more)))

    def note(self, message: ingest_pb2.CollectorMessage) -> None:
        """Remembers what an acknowledgement says."""
        assert message.WhichOneof("message") == "ack"
        self._acks.update({committed.kind: committed.seq for committed in message.ack.committed})

    def end(self) -> dict[int, int]:
        """Ends well; returns what was acknowledged in the end."""
        self._sent.put(None)
        for message in self.call:
            self.note(message)
        return self._acks

    def refusal(self) -> tuple[grpc.StatusCode, str, dict[str, str]]:
        """Waits for the collector to end the stream; returns the status, the words and the trailing metadata."""
        try:
            for message in self.call:
                if message.HasField("ack"):
                    self.note(message)
        except grpc.RpcError:
            pass
        self._sent.put(None)
        return self.call.code(), self.call.details(), dict(self.call.trailing_metadata())

    def close(self) -> None:
        """Goes away without a word."""
        self.call.cancel()
        self._sent.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hello(agent_id: str, epoch: int = 7, **more: Any) -> ingest_pb2.Hello:
    """A node with one device, a layout for it (1) and one for the host (2)."""
    parts: dict[str, Any] = {
        "node": ingest_pb2.Node(name=f"node-{agent_id}"),
        "devices": [device(1, f"{agent_id}-a")],
        "layouts": [
            batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1], counters=[25], devices=[1]),
            batch_pb2.Layout(id=2, kind=HOST, gauges=[100]),
        ],
        "time_ms": NOW_MS,
    }
    return ingest_pb2.Hello(agent_id=agent_id, epoch=epoch, **{**parts, **more})


def device(key: int, uid: str) -> batch_pb2.Device:
    """A GPU."""
    return batch_pb2.Device(key=key, uid=uid, vendor="nvidia", kind="gpu", name="H20")


def batch(agent: int, seq: int, layout: int = 2, gauges: Sequence[float] = (0.5,), **more: Any) -> Sent:
    """One tick; by default of the host."""
    fields: dict[str, Any] = {
        "ts_ms": np.array([NOW_MS + 1000 * (seq % 80_000)], "<i8").tobytes(),
        "gauges": np.array(gauges, "<f4").tobytes(),
    }
    return ingest_pb2.AgentMessage(batch=batch_pb2.Batch(layout=layout, agent=agent, seq=seq, **{**fields, **more}))


def records(agent: int, seq: int, kind: Any, **rows: Any) -> Sent:
    """Rows of one kind."""
    return ingest_pb2.AgentMessage(records=batch_pb2.Records(kind=kind, agent=agent, seq=seq, **rows))


def counters(*values: int) -> bytes:
    """Counters of one tick."""
    return np.array(values, "<i8").tobytes()


def events(agent: int, seq: int, *codes: str, **more: Any) -> Sent:
    """Events of the node."""
    rows = [batch_pb2.Event(ts_ms=NOW_MS + seq, severity="info", code=code, **more) for code in codes]
    return ingest_pb2.AgentMessage(records=batch_pb2.Records(kind=EVENT, agent=agent, seq=seq, events=rows))


def lost(kind: int, seq_from: int, seq_to: int, **more: Any) -> Sent:
    """A range that will never come."""
    return ingest_pb2.AgentMessage(
        lost=ingest_pb2.Lost(kind=kind, seq_from=seq_from, seq_to=seq_to, reason="ring_full", **more)  # type: ignore[arg-type]
    )
