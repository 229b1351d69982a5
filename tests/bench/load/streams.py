"""The streams of the load's agents: Hello, batches, acknowledgements, and what is counted of them."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.bench.load.connection import Connection, Stream
from tests.bench.load.http2 import METHOD
from tests.bench.load.samples import Speaker


@dataclass(slots=True)
class Tally:
    """What all streams have done.

    Attributes:
        welcomed: streams that may send.
        sent: messages.
        acked: messages that are committed, as acknowledgements say.
        last_ack_s: monotonic time of the newest acknowledgement.
        left_s: how old the oldest message was that an acknowledgement left out, at most, since it was asked last; None
            without an acknowledgement.
        failure: why a stream ended; "" while none has.
    """

    welcomed: int = 0
    sent: int = 0
    acked: int = 0
    last_ack_s: float = 0.0
    left_s: float | None = None
    failure: str = ""

    def take_left_s(self) -> float | None:
        """`left_s` since the last call."""
        left_s, self.left_s = self.left_s, None
        return left_s


class AgentStream:
    """One agent's stream."""

    def __init__(
        self, connection: Connection, speaker: Speaker, tally: Tally, *, epoch: int, on_welcome: Callable[[], None]
    ) -> None:
        """Opens it and says Hello."""
        self._connection = connection
        self._speaker = speaker
        self._tally = tally
        self._on_welcome = on_welcome
        self._agent = 0
        self._acked = 0
        # When each message was sent that is not acknowledged.
        self.waiting: deque[float] = deque()
        self._stream: Stream = connection.open(METHOD, self._take, self._fail)
        connection.send(self._stream, [speaker.hello(epoch).SerializeToString()])

    def pace(self, flush_s: float, end_s: float) -> None:
        """Sends once a flush until `end_s`, at a time of its own within the flush."""
        loop = asyncio.get_running_loop()

        def send_at(due_s: float) -> None:
            if due_s < end_s:
                loop.call_at(due_s, send, due_s)

        def send(due_s: float) -> None:
            self._send()
            send_at(due_s + flush_s)

        send_at(loop.time() + random.random() * flush_s)

    def end(self) -> None:
        """Says that nothing more will come."""
        self._connection.end(self._stream)

    def _send(self) -> None:
        self.waiting.append(time.monotonic())
        self._tally.sent += 1
        self._connection.send(self._stream, self._speaker.pieces(self._agent, int(time.time() * 1000)))

    def _take(self, data: bytes) -> None:
        message = ingest_pb2.CollectorMessage.FromString(data)
        if message.WhichOneof("message") == "welcome":
            self._agent = message.welcome.agent
            self._tally.welcomed += 1
            self._on_welcome()
            return
        for entry in message.ack.committed:
            if entry.kind == batch_pb2.KIND_DEVICE_SAMPLES:
                self._note_acked(entry.seq)

    def _note_acked(self, seq: int) -> None:
        news, self._acked = seq - self._acked, seq
        for _ in range(news):
            self.waiting.popleft()
        tally, now_s = self._tally, time.monotonic()
        tally.acked += news
        tally.last_ack_s = now_s
        age_s = now_s - self.waiting[0] if self.waiting else 0.0
        tally.left_s = age_s if tally.left_s is None else max(tally.left_s, age_s)

    def _fail(self, reason: str) -> None:
        self._tally.failure = self._tally.failure or reason
