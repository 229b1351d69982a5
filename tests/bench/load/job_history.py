"""`python -m tests.bench.load.job_history DSN`: a week of 512 jobs on six kinds of chips, 32 devices each.

Made by ClickHouse in the shipped tables, a day an insert; the hours are rolled up by the shipped query, those of the
devices are history's. Of the newest minutes there are the ranks' steps, for the collector to roll up itself. Prints
the rows of each table, and with `--read SECONDS` the rows of each table that the figures of so long a window read by
EXPLAIN ESTIMATE instead, beside those of the live view.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping

from steelyard_collector.store.base import PUBLIC_DATABASE, STORE_DATABASE, SqlValue, Store
from steelyard_collector.store.job_figures import figures_statement
from steelyard_collector.store.job_sums import job_sums
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import ROLL_SETTINGS
from steelyard_collector.store.statements import statement
from tests.bench.load.history import count, statements

JOBS, DAYS, DEVICES_OF_JOB = 512, 7, 32
CHIPS = {"H100": "nvidia", "A100-80G": "nvidia", "H20": "nvidia", "910B2": "huawei", "910B3": "huawei", "MI300X": "amd"}
LIVE = "SELECT * FROM efficiency_live"
_RATES = (1000, 450, 180, 400, 330, 900)
_MODELS = 12
_DAY_S = 86_400
# The ranks' newest steps: so long, a row each so often, of so many steps.
_LIVE_S, _ROW_S, _ROW_STEPS = 300, 10, 5
_TABLES = ("job_minute", "job_hour", "roll_1h", "device", "step")


def main() -> int:
    """Fills, or estimates."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load.job_history", description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--read", action="append", default=[], type=int, metavar="SECONDS")
    options = parser.parse_args()
    store = open_store(options.dsn)
    try:
        result = _read(store, options.read) if options.read else _made(store)
    finally:
        store.close()
    print(json.dumps(result))
    return 0


def _made(store: Store) -> dict[str, object]:
    for sql in (*_registry(), *statements(["roll_1h"]), *_minutes(), *_hours(), *_newest()):
        store.command(sql)
    return {table: count(store, table) for table in _TABLES}


def _read(store: Store, windows: list[int]) -> dict[str, object]:
    store.command(f"USE {PUBLIC_DATABASE}")
    now_s = int(time.time())
    read: dict[str, object] = {"live": _estimate(store, LIVE, {})}
    for seconds in windows:
        bounds = {"from_s": now_s - seconds, "to_s": now_s}
        read[str(seconds)] = _estimate(store, figures_statement(**bounds), bounds)
    return read


def _estimate(store: Store, query: str, parameters: Mapping[str, SqlValue]) -> dict[str, int]:
    rows = store.query(f"EXPLAIN ESTIMATE {query}", parameters).to_pylist()
    return {
        table: sum(row["rows"] for row in rows if row["table"] == table) for table in {row["table"] for row in rows}
    }


def _of_job(values: tuple[object, ...]) -> str:
    """What a job has by its number, which is its node's too: the chips take turns."""
    listed = ", ".join(repr(value) for value in values)
    return f"[{listed}][agent % {len(values)} + 1]"


_CHIP, _VENDOR = (_of_job(tuple(column)) for column in (CHIPS, CHIPS.values()))
_RATE = f"{_of_job(_RATES)} * (0.95 + 0.1 * (cityHash64(agent) % 1000) / 1000) * (0.97 + 0.06 * randCanonical())"


def _registry() -> Iterator[str]:
    yield f"""
        INSERT INTO {STORE_DATABASE}.agent (agent, agent_id, node, origin, epoch, first_seen, last_seen, ver)
        SELECT number + 1, concat('id-', toString(number)), concat('n', toString(number)), 'measured', 1,
            now(), now(), 1
        FROM numbers({JOBS})"""
    yield f"""
        INSERT INTO {STORE_DATABASE}.device (device_id, agent, epoch, uid, vendor, kind, chip, part, origin,
            first_seen, ver)
        SELECT number + 1, intDiv(number, {DEVICES_OF_JOB}) + 1 AS agent, 1, concat('dev-', toString(number)),
            {_VENDOR}, 'gpu', {_CHIP}, 'package', 'measured', now(), 1
        FROM numbers({JOBS * DEVICES_OF_JOB})"""
    yield f"""
        INSERT INTO {STORE_DATABASE}.training (agent, ts, epoch, seq, pid, start_ts, job, run, rank, model,
            precision, task, sequence_length, matmul_parameters, layers, heads, hidden, software)
        SELECT intDiv(number, {DEVICES_OF_JOB}) + 1 AS agent, now(), 1, number, 1 + number % {DEVICES_OF_JOB},
            now() - {8 * _DAY_S}, concat('job-', toString(agent)), '', number % {DEVICES_OF_JOB},
            concat('model-', toString(intDiv(agent - 1, {len(CHIPS)}) % {_MODELS})), 'bfloat16', 'pretrain', 4096,
            7000000000, 32, 32, 4096, map('torch', '2.7')
        FROM numbers({JOBS * DEVICES_OF_JOB})"""


def _minutes() -> Iterator[str]:
    for day in range(DAYS):
        yield f"""
            INSERT INTO {STORE_DATABASE}.job_minute (job, agent, vendor, chip, part, bucket, n, ranks, devices, steps,
                device_s, tokens, step_hist, origin, tokens_origin, held_devices, wall_s, energy_j, tensor_clock_sum,
                tensor_clock_n, ver)
            SELECT concat('job-', toString(agent)), intDiv(number, 1440) + 1 AS agent, {_VENDOR}, {_CHIP}, 'package',
                toStartOfMinute(now()) - {day * _DAY_S} - 60 * (1440 - number % 1440) AS bucket, 960, {DEVICES_OF_JOB},
                {DEVICES_OF_JOB}, 30, {DEVICES_OF_JOB} * 59 AS device_s, {_RATE} * device_s,
                map(toInt16(66 + number % 8), toUInt64(30)), 'declared', 'declared', {DEVICES_OF_JOB},
                {DEVICES_OF_JOB} * 60 AS wall_s, wall_s * (300 + 200 * randCanonical(1)), {DEVICES_OF_JOB} * 700.,
                {DEVICES_OF_JOB}, 1
            FROM numbers({JOBS * 1440})
            SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 1000000"""


def _hours() -> Iterator[str]:
    end_s = int(time.time()) // 3600 * 3600
    for day in range(DAYS + 1):
        where = (
            f"m.bucket >= toDateTime({end_s - (day + 1) * _DAY_S}) AND m.bucket < toDateTime({end_s - day * _DAY_S})"
        )
        yield statement("queries", "roll_job_hour", job_sums=job_sums(where), ver=1, settings=ROLL_SETTINGS)


def _newest() -> Iterator[str]:
    """What the ranks and devices have told in the last minutes."""
    yield f"""
        INSERT INTO {STORE_DATABASE}.job_interval (agent, device_id, ts, epoch, seq, job, from_ts, to_ts, closed,
            scheduler, user, name, world_size, ranks)
        SELECT intDiv(number, {DEVICES_OF_JOB}) + 1 AS agent, number + 1, now(), 1, number,
            concat('job-', toString(agent)), now() - {_LIVE_S}, now(), 0, 'slurm', 'user',
            concat('run of ', toString(agent)), {DEVICES_OF_JOB}, [toInt32(number % {DEVICES_OF_JOB})]
        FROM numbers({JOBS * DEVICES_OF_JOB})"""
    yield f"""
        INSERT INTO {STORE_DATABASE}.live_device (is_slow, device_id, ts, ver, busy, core_active, tensor_active,
            power_w)
        SELECT 0, number + 1, now(), 1, 0.9, 0.8, 0.4, 500 FROM numbers({JOBS * DEVICES_OF_JOB})"""
    rows = _LIVE_S // _ROW_S
    yield f"""
        INSERT INTO {STORE_DATABASE}.step (agent, device_id, ts, epoch, seq, devices, pid, start_ts, begin_ts, job,
            rank, local_rank, world_size, step, steps, step_time_s, tokens, token_copies, origin, tokens_origin,
            total_steps, total_s)
        SELECT intDiv(intDiv(number, {rows}), {DEVICES_OF_JOB}) + 1 AS agent, intDiv(number, {rows}) + 1 AS device,
            now() - {_ROW_S} * ({rows} - number % {rows}), 1, number, 1, 1 + device % {DEVICES_OF_JOB},
            now() - {8 * _DAY_S}, now() - {8 * _DAY_S}, concat('job-', toString(agent)), device % {DEVICES_OF_JOB},
            device % {DEVICES_OF_JOB}, {DEVICES_OF_JOB}, 300000 + {_ROW_STEPS} * (number % {rows}), {_ROW_STEPS},
            {_ROW_S / _ROW_STEPS}, toUInt64({_RATE} * {_ROW_S}), 1, 'declared', 'declared', 300000, 600000
        FROM numbers({JOBS * DEVICES_OF_JOB * rows})"""


if __name__ == "__main__":
    sys.exit(main())
