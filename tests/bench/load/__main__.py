"""`python -m tests.bench.load`: many agents' streams from one process. Prints a JSON object a second, and a last one.

With `--flush 0` each stream, on a connection of its own, sends as fast as the collector takes it; else each agent sends
once a flush, at a time of its own within it, and the messages that aren't acknowledged after all are `lost`.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence

from tests.bench.load.connection import Connection
from tests.bench.load.samples import Shape, Speaker, Variants, shape_of
from tests.bench.load.saturate import Saturation
from tests.bench.load.streams import AgentStream, Tally

# Greeting takes the collector longer than asking for it: one that waits for its turn at the door would time out.
_OPENING = 200
_POLL_S = 0.05


class Load:
    """The paced streams of one process."""

    def __init__(self, options: argparse.Namespace, shape: Shape) -> None:
        self._options = options
        self._shape = shape
        self._variants = Variants(shape, seed=1)
        self._tally = Tally()

    async def run(self) -> dict[str, float]:
        """Opens all streams, sends for the given time, waits for the last acknowledgements.

        Raises:
            ConnectionError: the collector has ended a stream.
        """
        options, tally = self._options, self._tally
        connections = [await self._connect() for _ in range(options.connections)]
        streams = await self._open(connections)
        _say(welcomed=tally.welcomed)
        start_s = time.monotonic()
        end_s = start_s + options.seconds
        for stream in streams:
            stream.pace(options.flush, end_s)
        await self._report_until(lambda: time.monotonic() >= end_s)
        give_up_s = time.monotonic() + options.drain
        await self._report_until(lambda: tally.acked == tally.sent or time.monotonic() >= give_up_s)
        for stream in streams:
            stream.end()
        for connection in connections:
            connection.close()
        return {
            "samples": tally.acked * self._shape.samples,
            "messages": tally.acked,
            "seconds": tally.last_ack_s - start_s,
            "lost": tally.sent - tally.acked,
        }

    async def _connect(self) -> Connection:
        host, _, port = self._options.collector.rpartition(":")
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._options.collector), host.strip("[]"), int(port)
        )
        return connection

    async def _open(self, connections: Sequence[Connection]) -> list[AgentStream]:
        options, tally, streams = self._options, self._tally, []
        turn = asyncio.Semaphore(_OPENING)
        for number in range(options.first, options.first + options.agents):
            await turn.acquire()
            self._check()
            speaker = Speaker(number, self._shape, self._variants, run=options.run, start_ms=options.start_ms)
            connection = connections[number % len(connections)]
            streams.append(AgentStream(connection, speaker, tally, epoch=options.epoch, on_welcome=turn.release))
        while tally.welcomed < options.agents:
            await asyncio.sleep(_POLL_S)
            self._check()
        return streams

    async def _report_until(self, is_over: Callable[[], bool]) -> None:
        """Says each second how things stand."""
        due_s = time.monotonic() + 1.0
        while not is_over():
            await asyncio.sleep(_POLL_S)
            self._check()
            if time.monotonic() >= due_s:
                due_s += 1.0
                tally = self._tally
                left_s = tally.take_left_s()
                said = {} if left_s is None else {"left_s": round(left_s, 3)}
                _say(t=time.monotonic(), acked=tally.acked * self._shape.samples, **said)

    def _check(self) -> None:
        if self._tally.failure:
            raise ConnectionError(self._tally.failure)


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
    parser.add_argument("--drain", type=float, default=120.0, help="seconds to wait for them at the end")
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
