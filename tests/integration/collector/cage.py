"""A store with what a hostile query wants: a file to read, a folder to write to, a port to call, tables to spoil."""

import socket
import threading
from pathlib import Path

from steelyard_collector.sql.pool import ReaderPool
from steelyard_collector.sql.run import QueryRun
from steelyard_collector.store.chdb import ChdbStore
from tests.integration.collector.small_store import LIMITS, ROWS

CANARY = "the-canary-sings"


class Cage:
    """A store, a file that nobody may read, a folder that nobody may write, and a port that nobody may call."""

    def __init__(self, store: ChdbStore, folder: Path) -> None:
        self.store = store
        self.pool = ReaderPool(store, LIMITS)
        self.folder = folder
        self.canary = folder / "canary.txt"
        self.canary.write_text(CANARY)
        self.calls = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def fill(self, query: str) -> str:
        """The query with the paths and the address of this cage in the place of CANARY, OUT and URL."""
        return (
            query.replace("CANARY", str(self.canary)).replace("OUT", str(self.folder / "out")).replace("URL", self.url)
        )

    def ask(self, query: str, **parameters: str) -> str:
        return QueryRun(self.pool).raw(self.fill(query), parameters, "TSV").body.decode(errors="replace")

    def is_whole(self) -> bool:
        rows = self.store.query("SELECT count() AS n FROM steelyard_store.sample")["n"][0].as_py()
        names = {path.name for path in self.folder.iterdir()}
        return rows == ROWS and names == {"canary.txt", "store"} and self.calls == 0

    def close(self) -> None:
        self.listener.close()
        self.pool.close()
