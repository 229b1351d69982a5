"""Streams that each send as fast as the collector takes it, from one process at little cost."""

import argparse
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.bench.load.http2 import METHOD, Call
from tests.bench.load.samples import Shape, Speaker, Variants

# Messages that a stream sends before the others have their turn.
_BURST = 4
_LIMIT_S = 60.0


@dataclass(slots=True, eq=False)
class _Stream:
    """One agent's call. `agent` is the number that Welcome gave, 0 before it."""

    call: Call
    speaker: Speaker
    agent: int = 0
    acked: int = 0
    events: int = selectors.EVENT_READ
    waiting: list[float] = field(default_factory=list)


class Saturation:
    """All streams of one process, each on a connection of its own."""

    def __init__(self, options: argparse.Namespace, shape: Shape, say: Callable[..., None]) -> None:
        """Args: the flags of `tests.bench.load`; the messages' size; who prints what happens each second."""
        self._options = options
        self._shape = shape
        self._say = say
        self._variants = Variants(shape, seed=1)
        self._selector = selectors.DefaultSelector()
        self._streams: list[_Stream] = []
        self._acked = 0
        self._last_ack_s = 0.0

    def run(self) -> dict[str, float]:
        """Opens all streams, sends for the given time, waits for the last acknowledgement."""
        options = self._options
        self._open()
        self._poll_until(lambda: all(stream.agent for stream in self._streams), "all streams to be welcomed")
        self._say(welcomed=len(self._streams))
        start_s = time.monotonic()
        for second in range(1, int(options.seconds) + 1):
            self._send_until(start_s + second)
            self._say(t=time.time(), acked=self._acked * self._shape.samples, lag_s=round(self._lag_s(), 3))
        self._poll_until(lambda: not any(stream.waiting for stream in self._streams), "the last acknowledgement")
        for stream in self._streams:
            stream.call.end()
        self._poll_until(lambda: all(stream.call.is_ended for stream in self._streams), "the end of all calls")
        for stream in self._streams:
            stream.call.socket.close()
        return {
            "samples": self._acked * self._shape.samples,
            "messages": self._acked,
            "seconds": self._last_ack_s - start_s,
        }

    def _open(self) -> None:
        options = self._options
        for number in range(options.first, options.first + options.agents):
            speaker = Speaker(number, self._shape, self._variants, run=options.run, start_ms=options.start_ms)
            stream = _Stream(Call(options.collector, METHOD), speaker)
            stream.call.send([speaker.hello(options.epoch).SerializeToString()])
            self._streams.append(stream)
            self._selector.register(stream.call.socket, selectors.EVENT_READ, stream)

    def _send_until(self, until_s: float) -> None:
        may_send = set(self._streams)
        while (now_s := time.monotonic()) < until_s:
            may_send = {stream for stream in may_send if self._send(stream)}
            # Without room anywhere only the collector can change that.
            may_send |= self._poll(0.0 if may_send else until_s - now_s)

    def _send(self, stream: _Stream) -> bool:
        """Some messages, as far as there is room; returns whether there may be more of it."""
        call, speaker = stream.call, stream.speaker
        for _ in range(_BURST):
            if not call.has_room(speaker.batch_bytes):
                return False
            stream.waiting.append(time.monotonic())
            call.send(speaker.pieces(stream.agent))
        self._watch(stream)
        return True

    def _poll_until(self, condition: Callable[[], bool], what: str) -> None:
        give_up_s = time.monotonic() + _LIMIT_S
        while not condition():
            if time.monotonic() > give_up_s:
                raise TimeoutError(f"{what}: not within {_LIMIT_S:.0f} s")
            self._poll(1.0)

    def _poll(self, timeout_s: float) -> set[_Stream]:
        """Reads and writes what can be; returns the streams that something happened on."""
        happened = self._selector.select(timeout_s)
        for key, events in happened:
            stream = key.data
            if events & selectors.EVENT_WRITE:
                stream.call.flush()
            if events & selectors.EVENT_READ:
                for raw in stream.call.receive():
                    self._heard(stream, ingest_pb2.CollectorMessage.FromString(raw))
            self._watch(stream)
        return {key.data for key, _ in happened}

    def _watch(self, stream: _Stream) -> None:
        """Asks to hear of what the stream waits for."""
        call = stream.call
        if call.is_ended:
            assert not stream.waiting, f"the collector ended the call of stream {stream.agent}"
            self._selector.unregister(call.socket)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if call.is_blocked else 0)
        if events != stream.events:
            stream.events = self._selector.modify(call.socket, events, stream).events

    def _heard(self, stream: _Stream, message: ingest_pb2.CollectorMessage) -> None:
        if message.WhichOneof("message") == "welcome":
            stream.agent = message.welcome.agent
        for entry in message.ack.committed:
            if entry.kind == batch_pb2.KIND_DEVICE_SAMPLES:
                news = entry.seq - stream.acked
                stream.acked = entry.seq
                del stream.waiting[:news]
                self._acked += news
                self._last_ack_s = time.monotonic()

    def _lag_s(self) -> float:
        """The age of the oldest message that awaits its acknowledgement."""
        oldest = [stream.waiting[0] for stream in self._streams if stream.waiting]
        return time.monotonic() - min(oldest) if oldest else 0.0
