"""`python -m tests.bench.load.bare_insert DSN ROWS BLOCK_ROWS START_MS`: rows into the shipped table, and nothing else.

Prints the CPU that the inserts and their merges took; making the rows is not counted.
"""

import json
import os
import sys
import time

import numpy as np
import pyarrow as pa

from steelyard_collector.store.open import open_store
from steelyard_proto.metrics import catalogue
from tests.bench.load.samples import Variants, shape_of
from tests.bench.machine import cost_of, wait_until_idle

_DEVICES, _TICKS, _VALUES, _AGENTS = 8, 10, 30, 100


def main() -> int:
    """Inserts, waits for the merges, prints one object."""
    dsn, rows, block_rows, start_ms = sys.argv[1], *map(int, sys.argv[2:5])
    store = open_store(dsn)
    maker = BlockMaker(start_ms)
    making_s = 0.0
    before_s = cost_of(os.getpid()).cpu_s
    for number in range(max(1, round(rows / block_rows))):
        begin_s = time.thread_time()
        block = maker.block(min(block_rows, rows - number * block_rows) if rows > block_rows else rows)
        making_s += time.thread_time() - begin_s
        store.insert("raw_device", block, token=f"bare-{number}")
    wait_until_idle(os.getpid())
    print(json.dumps({"cpu_s": cost_of(os.getpid()).cpu_s - before_s - making_s}))
    store.close()
    return 0


class BlockMaker:
    """Blocks as the collector makes them of 100 agents' messages: by device, in it by time."""

    def __init__(self, start_ms: int) -> None:
        self._shape = shape_of(_DEVICES, _TICKS, _VALUES)
        self._variants = Variants(self._shape, seed=1)
        self._next_ms = np.full(_AGENTS, start_ms, np.int64)
        self._counters = np.zeros((_AGENTS, len(self._shape.counters), _DEVICES, 1), np.int64)
        self._seq = np.zeros(_AGENTS, np.int64)

    def block(self, rows: int) -> pa.Table:
        """The next rows, of all agents alike."""
        ticks = max(_TICKS, rows // (_AGENTS * _DEVICES))
        messages = -(-ticks // _TICKS)
        count = _AGENTS * _DEVICES * ticks
        steps = np.arange(ticks)
        stamps = (self._next_ms[:, None, None] + 1000 * steps) + np.zeros((1, _DEVICES, 1), np.int64)
        seq = self._seq[:, None, None] + 1 + steps // _TICKS + np.zeros((1, _DEVICES, 1), np.int64)
        columns: dict[str, pa.Array] = {
            "device_id": pa.array(np.repeat(np.arange(1, _AGENTS * _DEVICES + 1, dtype=np.uint32), ticks)),
            "ts": pa.array(stamps.reshape(count), pa.timestamp("ms", tz="UTC")),
            "epoch": pa.array(np.full(count, self._next_ms[0] // 1000, np.uint32)),
            "seq": pa.array(seq.reshape(count).astype(np.uint32)),
        }
        names = catalogue().by_id
        pool = np.stack([np.frombuffer(raw, "<f4") for raw in self._variants.gauges])
        pool = pool.reshape(len(pool), len(self._shape.gauges), _DEVICES, _TICKS)
        picks = (self._seq[:, None] + np.arange(_AGENTS)[:, None] + np.arange(messages)) % len(pool)
        for index, metric in enumerate(self._shape.gauges):
            values = pool[:, index][picks].transpose(0, 2, 1, 3).reshape(_AGENTS, _DEVICES, -1)[:, :, :ticks]
            columns[names[metric].name] = pa.array(values.reshape(count))
        rises = np.concatenate(
            [self._variants.rises + message * self._variants.total for message in range(messages)], axis=2
        )
        counters = (self._counters + rises)[:, :, :, :ticks]
        for index, metric in enumerate(self._shape.counters):
            columns[names[metric].name] = pa.array(counters[:, index].reshape(count))
        self._counters = self._counters + messages * self._variants.total
        self._next_ms += 1000 * ticks
        self._seq += messages
        return pa.table(columns)


if __name__ == "__main__":
    sys.exit(main())
