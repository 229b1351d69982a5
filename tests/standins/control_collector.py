"""The collector's services for agents and for those who ask of them, over a real store, with a test's own patience."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import grpc.aio

from steelyard_collector.access.readable import ReadableRequests
from steelyard_collector.access.tokens import OPERATORS, READERS, WRITERS, Tokens
from steelyard_collector.control.desk import Desk
from steelyard_collector.control.patience import Patience
from steelyard_collector.control.pause import PauseSwitch, read_pause
from steelyard_collector.control.service import ControlService
from steelyard_collector.ingest.registry import Registry
from steelyard_collector.ingest.resume import load
from steelyard_collector.ingest.service import IngestService
from steelyard_collector.ingest.writer import Commits, Writer, WriterLimits
from steelyard_collector.store.open import open_store
from steelyard_proto.v1 import control_pb2_grpc


class ControlCollector:
    """In a loop of its own thread, until it is closed."""

    def __init__(self, directory: Path, patience: Patience | None = None, tokens: Tokens | None = None) -> None:
        self.store = open_store(f"chdb://{directory}")
        self.failures: list[Exception] = []
        self.address = ""
        self.desk = Desk()
        self._loop = asyncio.new_event_loop()
        roles = tokens or Tokens({})
        limits = WriterLimits(period_s=0.02)
        self.writer = Writer(self.store, limits, self._tell, 0, self.failures.append)
        switch = PauseSwitch(read_pause(self.store), self.writer, _now_ms)
        self.ingest = IngestService(
            Registry(load(self.store)),
            self.writer,
            authorize=roles.allow(WRITERS),
            clock=_now_ms,
            version="test",
            desk=self.desk,
            is_paused=lambda: switch.pause.is_paused,
        )
        self.control = ControlService(
            self.store,
            self.ingest.ask,
            self.desk,
            switch,
            operators=roles.allow(OPERATORS),
            readers=roles.allow(READERS),
            patience=patience,
        )
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.writer.start()
        self._thread.start()
        assert self._ready.wait(30)

    def _tell(self, commits: Commits) -> None:
        self._loop.call_soon_threadsafe(self.ingest.committed, commits)

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        server = grpc.aio.server(interceptors=(ReadableRequests(),))
        server.add_generic_rpc_handlers((self.ingest.handler(),))
        control_pb2_grpc.add_ControlServicer_to_server(self.control, server)  # type: ignore[no-untyped-call]
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        self._ready.set()
        while not self._done.is_set():
            await self.ingest.acknowledge()
            await asyncio.sleep(0.02)
        await server.stop(0)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Asks the store."""
        return self.store.query(sql).to_pylist()

    def close(self) -> None:
        """Ends everything, the store last."""
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(20)
        self.writer.stop(5)
        self.control.close()
        self._loop.close()
        self.store.close()
        assert self.failures == []


def _now_ms() -> int:
    return int(time.time() * 1000)
