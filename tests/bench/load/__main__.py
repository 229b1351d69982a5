"""`python -m tests.bench.load`: many agents' streams from one process. Prints a JSON object a second, and a last one.

With `--flush 0` each stream, on a connection of its own, sends as fast as the collector takes it; else each agent sends
once a flush, at a time of its own within it.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field

import grpc.aio

from steelyard_proto.v1 import batch_pb2, ingest_pb2, ingest_pb2_grpc
from tests.bench.load.samples import Shape, Speaker, Variants, shape_of
from tests.bench.load.saturate import Saturation

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
)


@dataclass(slots=True)
class Tally:
    """What all streams have done."""

    welcomed: int = 0
    sent: int = 0
    acked: int = 0
    last_ack_s: float = 0.0
    # By stream, when its oldest message without an acknowledgement was sent.
    waiting: dict[int, list[float]] = field(default_factory=dict)

    def lag_s(self) -> float:
        """The age of the oldest message that awaits its acknowledgement."""
        oldest = [times[0] for times in self.waiting.values() if times]
        return time.monotonic() - min(oldest) if oldest else 0.0


class Load:
    """The paced streams of one process, by grpc's own client."""

    def __init__(self, options: argparse.Namespace, shape: Shape) -> None:
        self._options = options
        self._shape = shape
        self._variants = Variants(shape, seed=1)
        self._stop = asyncio.Event()
        self._go = asyncio.Event()
        # One process can't greet as fast as 16,000: a call that is open and waits for its turn here would time out.
        self._opening = asyncio.Semaphore(200)
        self.tally = Tally()

    async def run(self) -> dict[str, float]:
        """Opens all streams, sends for the given time, waits for the last acknowledgement."""
        options = self._options
        channels = [grpc.aio.insecure_channel(options.collector, options=_OPTIONS) for _ in range(options.connections)]
        streams = [
            asyncio.create_task(self._stream(channels[number % len(channels)], number))
            for number in range(options.first, options.first + options.agents)
        ]
        while self.tally.welcomed < options.agents:
            await asyncio.sleep(0.05)
            for stream in streams:
                if stream.done():
                    stream.result()
        _say(welcomed=self.tally.welcomed)
        start_s = time.monotonic()
        self._go.set()
        while time.monotonic() - start_s < options.seconds:
            await asyncio.sleep(1.0)
            _say(t=time.time(), acked=self.tally.acked * self._shape.samples, lag_s=round(self.tally.lag_s(), 3))
        self._stop.set()
        await asyncio.gather(*streams)
        for channel in channels:
            await channel.close()
        return {
            "samples": self.tally.acked * self._shape.samples,
            "messages": self.tally.acked,
            "seconds": self.tally.last_ack_s - start_s,
        }

    async def _stream(self, channel: grpc.aio.Channel, number: int) -> None:
        options = self._options
        speaker = Speaker(number, self._shape, self._variants, run=options.run, start_ms=options.start_ms)
        async with self._opening:
            call = ingest_pb2_grpc.IngestStub(channel).Stream()
            await call.write(speaker.hello(options.epoch))
            agent = (await call.read()).welcome.agent
        self.tally.welcomed += 1
        waiting = self.tally.waiting.setdefault(number, [])
        reader = asyncio.create_task(self._read(call, waiting))
        await self._go.wait()
        await self._paced(call, speaker, agent, waiting)
        if waiting:
            # Until the last acknowledgement; thousands that look again and again would take the machine.
            await reader
        await call.done_writing()
        reader.cancel()
        call.cancel()

    async def _paced(self, call: object, speaker: Speaker, agent: int, waiting: list[float]) -> None:
        flush_s = self._options.flush
        next_s = time.monotonic() + random.random() * flush_s
        while True:
            try:
                await asyncio.wait_for(self._stop.wait(), max(0.0, next_s - time.monotonic()))
                return
            except TimeoutError:
                await self._send(call, speaker.batch(agent, int(time.time() * 1000)), waiting)
                next_s += flush_s

    async def _send(self, call: object, message: ingest_pb2.AgentMessage, waiting: list[float]) -> None:
        waiting.append(time.monotonic())
        self.tally.sent += 1
        await call.write(message)  # type: ignore[attr-defined]

    async def _read(self, call: object, waiting: list[float]) -> None:
        acked = 0
        while (reply := await call.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]
            for entry in reply.ack.committed:
                if entry.kind == batch_pb2.KIND_DEVICE_SAMPLES:
                    news = entry.seq - acked
                    acked = entry.seq
                    del waiting[:news]
                    self.tally.acked += news
                    self.tally.last_ack_s = time.monotonic()
            if self._stop.is_set() and not waiting:
                return


def _say(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


def main() -> int:
    """Runs the load that the flags describe."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--collector", required=True)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="number of the first agent, apart in each process")
    parser.add_argument("--connections", type=int, default=100, help="of paced streams")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--ticks", type=int, default=10, help="ticks in a message")
    parser.add_argument("--values", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--flush", type=float, default=0.0, help="seconds between messages; 0: as fast as they are taken"
    )
    parser.add_argument("--epoch", type=int, default=int(time.time()))
    parser.add_argument("--start-ms", type=int, default=int(time.time() * 1000))
    parser.add_argument("--run", default="a", help="part of the nodes' names")
    options = parser.parse_args()

    shape = shape_of(options.devices, options.ticks, options.values)
    if not options.flush:
        _say(**Saturation(options, shape, _say).run())
        return 0

    async def run() -> dict[str, float]:
        return await Load(options, shape).run()

    _say(**asyncio.run(run()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
