"""`python -m tests.bench.load.stored DSN`: what a store holds after a run, and what rolling it up costs."""

import json
import sys

from steelyard_collector.store.base import STORE_DATABASE
from steelyard_collector.store.open import open_store


def main() -> int:
    """Counts, rolls up, prints one object."""
    store = open_store(sys.argv[1])
    rows = int(store.query(f"SELECT count() AS n FROM {STORE_DATABASE}.raw_device")["n"][0].as_py())
    state = store.query(f"SELECT blocks, block_rows FROM {STORE_DATABASE}.collector_state FINAL").to_pylist()[0]
    print(json.dumps({"rows": rows, "block_rows": round(state["block_rows"] / max(1, state["blocks"]))}))
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
