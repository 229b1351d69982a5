"""Real parts of an agent over made-up samples, and waiting with a deadline."""

import time
from collections.abc import Callable
from pathlib import Path

from steelyard_agent.directory import Directory, Identity
from steelyard_agent.model import DeviceInfo
from steelyard_agent.sampling.gather import Gatherer
from steelyard_agent.spool.ring import Ring
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import ingest_pb2

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS


def until(is_true: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Waits until something is so; fails when it isn't in time."""
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s, f"not so within {timeout_s} s"
        time.sleep(0.01)


def a_device(number: int, **facts: object) -> DeviceInfo:
    """A device with one gauge and one counter."""
    fields = {"metrics": {"fast": (1, 25)}, "vendor": "nvidia", "kind": "gpu", "name": "H20", **facts}
    return DeviceInfo(uid=f"GPU-{number}", index=number, **fields)  # type: ignore[arg-type]


class Parts:
    """A ring, its directory and a gatherer, over one state directory, as after a start of the agent."""

    def __init__(
        self,
        path: Path,
        max_bytes: int = 64_000_000,
        now_s: Callable[[], float] = time.time,
        name: str = "agent-1",
    ) -> None:
        self.ring = Ring(path / "spool", max_bytes, self._hello, now_s)
        self.directory = Directory(Identity(name, "0", ingest_pb2.Node(name="n")))
        self.directory.restore(self.ring.left_hello)
        self.ring.start()
        self.gatherer = Gatherer(self.directory, catalogue(), self.ring)
        self._next_ms = START_MS

    def _hello(self) -> ingest_pb2.Hello:
        return self.directory.hello(self.ring.epoch, 0)

    def spool(self, count: int = 1, devices: int = 2, at_ms: int | None = None) -> None:
        """Spools so many batches of one tick each."""
        for _ in range(count):
            if at_ms is not None:
                self._next_ms = at_ms
            self._next_ms += 1000
            rows = [(a_device(n), (float(n), self._next_ms)) for n in range(devices)]
            self.gatherer.add_devices("test", "fast", 1000, self._next_ms, rows)
            self.gatherer.flush()
