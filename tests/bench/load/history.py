"""`python -m tests.bench.load.history DSN`: a week of hours of 16,384 devices and two days of minutes of 1,024.

Made by ClickHouse in the shipped tables, a day an insert, for the devices that the store's registry has. Prints the
rows of each level, and with `--estimate QUERY` the rows that a query reads by EXPLAIN ESTIMATE instead.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from steelyard_collector.store.base import PUBLIC_DATABASE, STORE_DATABASE, Store
from steelyard_collector.store.open import open_store
from steelyard_proto.metrics import catalogue
from tests.bench.load.samples import shape_of

WEEK_DEVICES, WEEK_DAYS = 16_384, 8
DAY_DEVICES, DAY_DAYS = 1_024, 2
_DAY_S = 86_400
# Devices, days and seconds of a bucket.
LEVELS = {"roll_1h": (WEEK_DEVICES, WEEK_DAYS, 3600), "roll_1m": (DAY_DEVICES, DAY_DAYS, 60)}


def main() -> int:
    """Fills, or estimates."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load.history", description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--estimate", action="append", default=[], metavar="QUERY")
    options = parser.parse_args()
    store = open_store(options.dsn)
    try:
        if options.estimate:
            result: dict[str, object] = {"rows": [estimate(store, query) for query in options.estimate]}
        else:
            for statement in statements(LEVELS):
                store.command(statement)
            result = {table: count(store, table) for table in LEVELS}
    finally:
        store.close()
    print(json.dumps(result))
    return 0


def statements(levels: Iterable[str]) -> Iterator[str]:
    """What fills these levels."""
    for table in levels:
        devices, days, step_s = LEVELS[table]
        names, figures = _columns(step_s)
        for day in range(days):
            yield f"""
                INSERT INTO {STORE_DATABASE}.{table} (device_id, bucket, n, last_ts, ver, {", ".join(names)})
                SELECT intDiv(number, {_DAY_S // step_s}) + 1 AS device_id,
                    toStartOfInterval(now(), INTERVAL {step_s} SECOND) - {day * _DAY_S}
                        - {step_s} * ({_DAY_S // step_s} - number % {_DAY_S // step_s}) AS bucket,
                    {step_s} AS n, bucket + {step_s - 1} AS last_ts, 1 AS ver, {", ".join(figures)}
                FROM numbers({devices * (_DAY_S // step_s)})
                SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 1000000"""


def _columns(samples: int) -> tuple[list[str], list[str]]:
    """The columns of 30 metrics, and what stands in them: two digits of noise, as sensors give."""
    shape, known = shape_of(1, 1, 30), catalogue().by_id
    names: list[str] = []
    figures: list[str] = []
    for metric in shape.gauges:
        name = known[metric].name
        mean = f"round(0.2 + 0.6 * randCanonical({metric}), 2)"
        names += [f"{name}_sum", f"{name}_n", f"{name}_min", f"{name}_max"]
        figures += [f"{samples} * {mean}", f"{samples}", f"{mean} * 0.5", f"{mean} * 1.2"]
    for metric in shape.counters:
        name = known[metric].name
        names += [f"{name}_inc", f"{name}_ms", f"{name}_first", f"{name}_last"]
        rise = f"rand({metric}) % 1000 + 1000"
        figures += [rise, f"{1000 * samples}", f"1000 * {samples} * number", f"1000 * {samples} * (number + 1)"]
    return names, figures


def count(store: Store, table: str) -> int:
    """Rows of a table."""
    return int(store.query(f"SELECT count() AS n FROM {STORE_DATABASE}.{table}")["n"][0].as_py())


def estimate(store: Store, query: str) -> int:
    """Rows that a query reads."""
    store.command(f"USE {PUBLIC_DATABASE}")
    return int(sum(store.query(f"EXPLAIN ESTIMATE {query}")["rows"].to_pylist()))


if __name__ == "__main__":
    sys.exit(main())
