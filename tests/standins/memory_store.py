"""The writing half of a store, in memory: refuses or stands still while it is told to."""

import threading
from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa

from steelyard_collector.store.base import SqlValue
from steelyard_proto.errors import StoreError


class MemoryStore:
    """Keeps inserted blocks by table.

    Attributes:
        is_refusing: inserts fail, as on a full disk.
        moves: inserts wait until it is set.
    """

    def __init__(self) -> None:
        self.tables: dict[str, list[pa.Table]] = defaultdict(list)
        self.tokens: list[str] = []
        self.refusals = 0
        self.is_refusing = False
        self.moves = threading.Event()
        self.moves.set()

    def insert(self, table: str, block: pa.Table, *, token: str) -> None:
        self.moves.wait()
        if self.is_refusing:
            self.refusals += 1
            raise StoreError("Cannot reserve 6 MiB", code=243, name="NOT_ENOUGH_SPACE")
        self.tables[table].append(block)
        self.tokens.append(token)

    def query(self, sql: str, parameters: Mapping[str, SqlValue] | None = None) -> pa.Table:
        raise AssertionError(sql)
