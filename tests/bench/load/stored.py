"""`python -m tests.bench.load.stored DSN`: what a store holds after a run, and what rolling it up costs."""

import json
import os
import sys
import time

import numpy as np

from steelyard_collector.store.base import STORE_DATABASE, Store
from steelyard_collector.store.dirty import DirtyMinutes
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import Roller
from tests.bench.machine import cost_of, wait_until_idle

# Enough minutes of all devices for a steady figure; rolling the whole run up would take longer than the run.
_ROLLED_MINUTES = 20


def main() -> int:
    """Counts, rolls up, prints one object."""
    store = open_store(sys.argv[1])
    rows = int(store.query(f"SELECT count() AS n FROM {STORE_DATABASE}.raw_device")["n"][0].as_py())
    state = store.query(f"SELECT blocks, block_rows FROM {STORE_DATABASE}.collector_state FINAL").to_pylist()[0]
    block_rows = round(state["block_rows"] / max(1, state["blocks"]))
    print(json.dumps({"rows": rows, "block_rows": block_rows, "rollup_us_per_row": _rollup_us_per_row(store)}))
    store.close()
    return 0


def _rollup_us_per_row(store: Store) -> float:
    """CPU of all levels for each raw row, their merges awaited."""
    per_minute = f"""
        SELECT device_id, intDiv(toUnixTimestamp(ts), 60) AS minute, count() AS n FROM {STORE_DATABASE}.raw_device
        WHERE ts < (SELECT min(ts) FROM {STORE_DATABASE}.raw_device) + INTERVAL {_ROLLED_MINUTES} MINUTE
        GROUP BY device_id, minute"""
    minutes = store.query(per_minute)
    dirty = DirtyMinutes()
    dirty.add(minutes["device_id"].to_numpy().astype(np.int64), minutes["minute"].to_numpy().astype(np.int64))
    wait_until_idle(os.getpid())
    before_s = cost_of(os.getpid()).cpu_s
    Roller(store, dirty).run_once(int(time.time() * 1000))
    wait_until_idle(os.getpid())
    return 1e6 * (cost_of(os.getpid()).cpu_s - before_s) / int(minutes["n"].to_numpy().sum())


if __name__ == "__main__":
    sys.exit(main())
