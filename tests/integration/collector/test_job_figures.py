"""The figures of the comparison: the SQL over a run's minutes gives what the pure functions give."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.job_figures import job_figures
from steelyard_collector.store.open import open_store
from steelyard_efficiency.within import job_figure
from tests.integration.collector.fleet_rows import register
from tests.integration.collector.job_rows import Rollers, empty, put_facts, put_held, put_minutes, put_steps

DAY_S = 86_400
NOW_S = int(time.time()) // 3600 * 3600
BEGIN_S = NOW_S - 6 * 3600
DEVICES = [
    {"device_id": 1, "agent": 1, "labels": {"network": "InfiniBand 8 x 400 Gb/s"}},
    {"device_id": 2, "agent": 2, "chip": "910C", "part": "die", "vendor": "huawei", "name": "Ascend910"},
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('figures')}/store")
    register(store, [{"power_scope": "device", "package_uid": ""} | device for device in DEVICES], now_ms=NOW_S * 1000)
    yield store
    store.close()


@pytest.fixture
def store(opened: Store) -> Store:
    empty(opened)
    return opened


def minutes(job: str, counts: list[float], seconds: list[float], **same: Any) -> list[dict[str, Any]]:
    return [
        {"job": job, "bucket": BEGIN_S + 60 * n, "tokens": float(c), "device_s": float(s), **same}
        for n, (c, s) in enumerate(zip(counts, seconds, strict=True))
    ]


def figures(store: Store, from_s: int = BEGIN_S, to_s: int = NOW_S, **same: Any) -> list[dict[str, Any]]:
    wanted = {"quantity": "tokens_per_s_device", "marked": "productive", "token_kind": "processed"} | same
    rows = job_figures(store.query, from_s, to_s).to_pylist()
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def assert_same(row: dict[str, Any], counts: list[float], amounts: list[float], steps: float) -> None:
    expected = job_figure(counts, amounts, steps=steps)
    assert expected is not None
    assert row["y"] == pytest.approx(expected.y, rel=1e-12, abs=1e-12)
    assert row["variance"] == pytest.approx(expected.variance, rel=1e-8, abs=1e-20)
    assert (row["df"], row["batches"]) == (expected.df, expected.batches)
    assert row["correlation"] == pytest.approx(expected.correlation, rel=1e-8, abs=1e-12)
    assert row["steps"] == steps


WORKED = [
    ([30, 31, 29, 30, 28, 32, 30, 27, 29, 30, 31, 30],
     [60.2, 59.8, 60.1, 60.5, 59.7, 60.3, 61, 60.2, 59.5, 60, 60.1, 60.4], -0.704012, "1.654814e-04", 12, 11),
    ([20, 22, 21, 25, 24, 26, 25, 21, 20, 19, 20, 22], [60.0] * 12, -0.999521, "4.271178e-03", 12, 1),
    ([30 + k % 5 - 2 for k in range(47)], [60 + k % 3 - 1 for k in range(47)], -0.694922, "4.983828e-05", 23, 22),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "seconds", "y", "variance", "batches", "df"), WORKED)
def test_worked_examples(
    store: Store, counts: list[float], seconds: list[float], y: float, variance: str, batches: int, df: int
) -> None:
    put_minutes(store, minutes("17", counts, seconds))
    (row,) = figures(store)
    assert (round(row["y"], 6), f"{row['variance']:.6e}", row["batches"], row["df"]) == (y, variance, batches, df)


def test_random_runs_of_any_length_and_step(store: Store) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    noise = random.Random(seed)
    series = {}
    for number in range(30):
        length, rate, steps = noise.choice([1, 2, 5, 19, 20, 21, 39, 40, 41, 100, 359]), noise.uniform(1, 1e4), 0
        rows = []
        drift = 0.0
        for minute in range(length):
            drift = 0.8 * drift + noise.gauss(0, 0.05)
            spent, ended = noise.uniform(400, 500), noise.randrange(1, 4) if number % 3 else 20
            steps += ended
            rows.append((rate * spent * (1 + drift), spent, ended, BEGIN_S + 60 * minute))
        series[f"job-{number}"] = (rows, steps)
    put_minutes(
        store,
        [
            {"job": job, "bucket": at, "tokens": c, "device_s": s, "steps": ended}
            for job, (rows, _) in series.items()
            for c, s, ended, at in rows
        ],
    )
    found = {row["run"]: row for row in figures(store)}
    assert found.keys() == series.keys()
    for job, (rows, steps) in series.items():
        assert_same(found[job], [row[0] for row in rows], [row[1] for row in rows], steps)


def test_restarts_of_one_run_are_one_and_nodes_are_summed(store: Store) -> None:
    put_minutes(
        store,
        [
            *minutes("a", [100, 110, 90], [60, 61, 59], run="mine", agent=1),
            *minutes("a", [101, 109, 91], [60, 61, 59], run="mine", agent=3),
            *[
                row | {"bucket": row["bucket"] + 600}
                for row in minutes("b", [95, 105, 99], [60, 61, 59], run="mine", agent=1)
            ],
        ],
    )
    (row,) = figures(store)
    assert (row["run"], row["nodes"]) == ("mine", 2)
    counts, amounts = [201, 219, 181, 95, 105, 99], [120, 122, 118, 60, 61, 59]
    assert_same(row, counts, amounts, steps=6 * 20)
    assert (row["tokens"], row["amount"]) == (sum(counts), sum(amounts))
    assert row["from_ts"].timestamp() == BEGIN_S
    assert row["to_ts"].timestamp() == BEGIN_S + 780


def test_the_network_counts_for_jobs_of_several_nodes(store: Store) -> None:
    for job, agents in (("one", (1,)), ("two", (1, 2))):
        put_minutes(store, [row for agent in agents for row in minutes(job, [100, 110], [60, 60], agent=agent)])
        same = {"job": job, "start_ts": BEGIN_S * 1000, "ts": BEGIN_S * 1000}
        put_facts(store, [{**same, "agent": agent, "recompute": True} for agent in agents])
    found = {row["run"]: (row["network"], row["nodes"], row["recompute"]) for row in figures(store)}
    assert found == {"one": (None, 1, True), "two": ("InfiniBand 8 x 400 Gb/s", 2, True)}


def test_energy_comes_of_covered_minutes_and_productive_of_calm_ones(store: Store) -> None:
    rows = minutes("a", [100, 110, 90, 80, 95], [60, 60, 60, 40, 60], wall_s=60.0, held_devices=1)
    for row, joules in zip(rows, [500.0, 510.0, None, 450.0, 505.0], strict=True):
        row["energy_j"] = joules
    rows[3] |= {"checkpoint_steps": 1, "checkpoint_device_s": 20.0, "checkpoint_tokens": 7.0}
    put_minutes(store, rows)
    (wall,) = figures(store, quantity="tokens_per_j", marked="wall")
    (calm,) = figures(store, quantity="tokens_per_j")
    (system,) = figures(store, marked="wall")
    assert (wall["tokens"], wall["amount"]) == (100 + 110 + 87 + 95, 500 + 510 + 450 + 505)
    assert (calm["tokens"], calm["amount"]) == (100 + 110 + 95, 500 + 510 + 505)
    assert (system["tokens"], system["amount"]) == (482, 300)


def test_facts_make_the_workload_and_reasons_say_what_is_missing(store: Store) -> None:
    start = {"start_ts": BEGIN_S * 1000, "ts": BEGIN_S * 1000}
    put_minutes(store, minutes("told", [9] * 3, [60] * 3) + minutes("untold", [9] * 3, [60] * 3))
    put_minutes(store, minutes("quiet", [9] * 3, [60] * 3, tokens=None, tokens_absent="no integer tensor went in"))
    facts = {"task": "pretrain", "price_per_device_hour": 2.5, "currency": "USD", "software": [("torch", "2.13.0")]}
    put_facts(
        store, [{"job": "told", **start, **facts}, {"job": "quiet", **start, "model": "", "sequence_length": None}]
    )
    found = {row["run"]: row for row in figures(store)}
    told = found["told"]
    assert told["workload"] == "llama-7b | 4096 | bfloat16 | pretrain"
    assert (told["model"], told["sequence_length"], told["precision"]) == ("llama-7b", 4096, "bfloat16")
    assert (told["per"], told["origin"], told["tokens_origin"], told["excluded"]) == (
        "package",
        "measured",
        "declared",
        "",
    )
    assert (told["price_per_device_hour"], told["currency"], dict(told["software"])) == (
        2.5,
        "USD",
        {"torch": "2.13.0"},
    )
    assert found["untold"]["excluded"] == "what it trains was never told"
    assert (found["quiet"]["y"], found["quiet"]["excluded"]) == (None, "no tokens: no integer tensor went in")


def test_what_is_trained_is_told_with_where_each_fact_is_from(store: Store) -> None:
    start = {"start_ts": BEGIN_S * 1000, "ts": BEGIN_S * 1000}
    sizes = {"matmul_parameters": 7_000_000_000, "layers": 32, "heads": 32, "head_size": 128}
    origins = [(name, "inferred") for name in sizes] + [("sequence_length", "declared"), ("model", "declared")]
    put_facts(store, [
        {"job": "told", **start, **sizes, "origins": origins, "software": [("torch", "2.13.0")], "tensor_parallel": 2},
        {"job": "sharded", **start, "absent": [("matmul_parameters", "its parameters are shards")]},
    ])  # fmt: skip
    told, sharded = (
        store.query(f"SELECT * FROM steelyard.trainings WHERE job = '{job}'").to_pylist()[0]
        for job in ("told", "sharded")
    )
    assert (told["model"], told["tensor_parallel"], told["flops_origin"]) == ("llama-7b", 2, "declared and inferred")
    assert (dict(told["origins"])["layers"], dict(told["software"])["torch"]) == ("inferred", "2.13.0")
    assert (told["flops_absent"], told["workload"]) == (None, "llama-7b | 4096 | bfloat16 | any task")
    assert (sharded["flops_per_token"], sharded["flops_origin"]) == (None, None)
    assert sharded["flops_absent"] == "matmul parameters not known"
    assert dict(sharded["absent"]) == {"matmul_parameters": "its parameters are shards"}


def test_a_long_window_goes_by_hours(store: Store) -> None:
    put_steps(
        store,
        [
            {"job": "17", "ts": (BEGIN_S + 600 * n) * 1000, "step_time_s": 60.0, "tokens": 1000 + n, "device_id": 1}
            for n in range(24)
        ],
    )
    put_held(store, [{"job": "17", "device_id": 1, "from_ts": BEGIN_S * 1000, "to_ts": NOW_S * 1000}])
    Rollers(store).run((NOW_S + 60) * 1000)
    (short,) = figures(store)
    (long,) = figures(store, from_s=BEGIN_S - 7 * DAY_S)
    assert short["tokens"] == long["tokens"] == sum(1000 + n for n in range(24))
    assert short["amount"] == long["amount"] == 24 * 60
    assert_same(long, [float(sum(range(1000 + 6 * h, 1006 + 6 * h))) for h in range(4)], [360.0] * 4, steps=24)
