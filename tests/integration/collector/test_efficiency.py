"""Each figure of efficiency on small cases counted by hand; live and over a window the definitions are the same."""

import math
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from steelyard_collector.store.base import Store
from steelyard_collector.store.chips import put_prices
from steelyard_collector.store.job_figures import chip_figures
from steelyard_collector.store.job_sums import live_efficiency
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import ROLL_SETTINGS
from steelyard_proto.chips import load_chips
from steelyard_proto.prices import Prices
from tests.integration.collector.fleet_rows import register
from tests.integration.collector.job_rows import empty, put_facts, put_held, put_minutes, put_steps

LLAMA = {"matmul_parameters": 7_000_000_000, "parameters": 7_100_000_000, "layers": 32, "heads": 32, "head_size": 128,
         "sequence_length": 4096}  # fmt: skip
# 6 x 7e9 + 12 x 32 x 32 x 128 x 4096
LLAMA_FLOPS = 42e9 + 6_442_450_944
# Live figures are those of the last five minutes: so far ahead of the clock that a slow machine is in time.
AHEAD_S = 900
DEVICES = [
    {"device_id": 1, "agent": 1},
    {"device_id": 2, "agent": 2, "chip": "910C", "part": "die", "vendor": "huawei"},
    {"device_id": 3, "agent": 3, "chip": "", "name": "NVIDIA Q9000"},
    {"device_id": 4, "agent": 4, "chip": "MI250X", "part": "gcd", "vendor": "amd"},
]


@cache
def now_s() -> int:
    """A minute that is the same for all tests."""
    return int(time.time()) // 60 * 60 + AHEAD_S


def begin_s() -> int:
    return now_s() - 180


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('efficiency')}/store")
    register(store, [{"name": "NVIDIA H100"} | device for device in DEVICES], now_ms=now_s() * 1000)
    yield store
    store.close()


@pytest.fixture
def store(opened: Store) -> Store:
    empty(opened)
    return opened


def train(store: Store, job: str, *, facts: dict[str, Any] | None = None, **same: Any) -> None:
    """Three minutes of one device, 3,000 tokens a second in 50 seconds of steps of each."""
    rows = [
        {"job": job, "bucket": begin_s() + 60 * n, "tokens": 150_000.0, "device_s": 50.0, "wall_s": 60.0, "steps": 25,
         "held_devices": 1, "step_hist": [(69, 24), (231, 1)], **same}
        for n in range(3)
    ]  # fmt: skip
    put_minutes(store, rows)
    agent = same.get("agent", 1)
    known = {"job": job, "agent": agent, "start_ts": begin_s() * 1000, "ts": begin_s() * 1000, **LLAMA, **(facts or {})}
    put_facts(store, [known])


def over(store: Store, job: str) -> dict[str, Any]:
    """The newest of its minutes."""
    sql = f"SELECT * FROM steelyard.efficiency WHERE job = '{job}' AND level = '1m' ORDER BY ts DESC LIMIT 1"
    (row,) = store.query(sql).to_pylist()
    return row


def live(store: Store) -> dict[tuple[str, str], dict[str, Any]]:
    store.command(live_efficiency(now_s(), int(time.time() * 1000), ROLL_SETTINGS))
    return {
        (row["scope"], row["name"]): row for row in store.query("SELECT * FROM steelyard.efficiency_live").to_pylist()
    }


def test_a_dense_model_on_a_known_chip_live_and_over_a_minute(store: Store) -> None:
    train(store, "a", energy_j=30_000.0, tensor_clock_sum=0.5 * 1647, tensor_clock_n=1,
          facts={"price_per_device_hour": 2.16, "currency": "USD"})  # fmt: skip
    minute, now = over(store, "a"), live(store)
    for row in (minute, now["job", "a"], now["chip", "H100"], now["vendor", "nvidia"], now["node", "n1"]):
        assert row["tokens_per_s_device"] == row["tokens_per_s_package"] == pytest.approx(3000)
        assert row["wall_tokens_per_s_device"] == pytest.approx(2500)
        assert row["tflops_per_device"] == pytest.approx(3000 * LLAMA_FLOPS / 1e12)
        assert row["mfu"] == pytest.approx(3000 * LLAMA_FLOPS / 989e12)
        assert row["share_of_ceiling"] == pytest.approx(3000 * LLAMA_FLOPS / 789e12)
        assert row["mfu_basis"].startswith("datasheet, dense")
        assert (row["mfu_absent"], row["ofu_absent"], row["ofu_validated"]) == (None, None, True)
        assert row["ofu"] == pytest.approx(0.5 * 1647 / 1830)
        assert row["tokens_per_j"] == pytest.approx(5)
        # 50 of 3,600 s x 2.16 for 0.15 million tokens.
        assert (row["cost_per_mtoken"], row["currency"]) == (pytest.approx(0.2), "USD")
        assert row["goodput"] == pytest.approx(50 / 60)
        assert row["step_p50_s"] == pytest.approx(1.01**69.5)
        assert row["step_p99_s"] == pytest.approx(1.01**231.5)
        assert (row["origin"], row["tokens_origin"]) == ("measured", "declared")
    assert minute["flops_of_peak"] / minute["peak_flops"] == pytest.approx(minute["mfu"])
    assert now["job", "a"]["devices"] == 1


def test_a_die_and_its_package(store: Store) -> None:
    train(store, "c", agent=2, vendor="huawei", chip="910C", part="die", tensor_clock_sum=900.0, tensor_clock_n=1)
    row = live(store)["job", "c"]
    assert (row["tokens_per_s_device"], row["tokens_per_s_package"]) == (pytest.approx(3000), pytest.approx(6000))
    assert row["mfu"] == pytest.approx(3000 * LLAMA_FLOPS / 376e12)
    assert (row["ofu"], row["ofu_absent"]) == (None, "the clock of its peak is not known")
    assert (row["tokens_per_j"], row["cost_per_mtoken"], row["energy_coverage"]) == (None, None, 0)


def chips_of(store: Store) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of `steelyard compare`, by chip and part."""
    asked = chip_figures("1h", begin_s() * 1000, now_s() * 1000, now_s() * 1000)
    return {(row["chip"], row["part"]): row for row in store.query(*asked).to_pylist()}


def test_chips_have_a_row_per_device_and_one_per_package(store: Store) -> None:
    of_energy = {"energy_j": 30_000.0, "facts": {"price_per_device_hour": 2.16, "currency": "USD"}}
    train(store, "c", agent=2, vendor="huawei", chip="910C", part="die", **of_energy)
    train(store, "m", agent=4, vendor="amd", chip="MI250X", part="gcd", **of_energy)
    train(store, "a")
    train(store, "q", agent=3, chip="NVIDIA Q9000", part="package", step_hist=[])
    rows = chips_of(store)
    assert (rows["NVIDIA Q9000", "package"]["step_p50_s"], rows["NVIDIA Q9000", "package"]["step_p99_s"]) == (
        None,
        None,
    )
    assert set(rows) == {("910C", "die"), ("910C", "package"), ("MI250X", "gcd"), ("MI250X", "package"),
                         ("H100", "package"), ("NVIDIA Q9000", "package")}  # fmt: skip
    same = ("jobs", "workloads", "mfu", "tokens_per_j", "cost_per_mtoken", "step_p50_s", "step_p99_s", "goodput")
    for chip, part in (("910C", "die"), ("MI250X", "gcd")):
        device, package = rows[chip, part], rows[chip, "package"]
        assert [device[name] for name in same] == [package[name] for name in same]
        assert None not in [device[name] for name in same]
        assert (device["tokens_per_s"], package["tokens_per_s"]) == (pytest.approx(3000), pytest.approx(6000))
        assert (device["units"], package["units"]) == (1, 0.5)
    h100 = rows["H100", "package"]
    assert (h100["step_p50_s"], h100["step_p99_s"]) == (pytest.approx(1.01**69.5), pytest.approx(1.01**231.5))
    train(store, "b", facts={"model": "gpt"})
    mixed = chips_of(store)["H100", "package"]
    assert (mixed["workloads"], mixed["mfu"]) == (2, pytest.approx(h100["mfu"]))


RATES = ("tokens_per_s", "tokens_per_j", "cost_per_mtoken", "step_p50_s", "step_p99_s")


def test_a_chip_of_several_workloads_has_its_rates_in_the_one_that_most_chips_ran(store: Store) -> None:
    priced = {"facts": {"price_per_device_hour": 2.16, "currency": "USD"}, "energy_j": 30_000.0}
    train(store, "a", **priced)
    train(store, "silent", tokens=None, energy_j=90_000.0)
    fast = {"tokens": 600_000.0, "step_hist": [(300, 75)], "energy_j": 30_000.0}
    train(store, "b", **fast, facts={"model": "gpt"})
    train(store, "c", agent=2, vendor="huawei", chip="910C", part="die")
    train(store, "m", agent=4, vendor="amd", chip="MI250X", part="gcd", **fast, facts={"model": "gpt"})
    train(store, "n", agent=4, vendor="amd", chip="MI250X", part="gcd", **fast, facts={"model": "bert"})
    train(store, "q", agent=3, chip="NVIDIA Q9000", part="package", facts={"model": "bert"})
    train(store, "r", agent=2, vendor="huawei", chip="910C", part="die", facts={"model": "gpt"}, device_s=1.0)
    rows = chips_of(store)
    # gpt ran on three chips, llama on two of them.
    h100 = rows["H100", "package"]
    assert (h100["workload"], h100["tokens_per_s"]) == ("gpt | 4096 | bfloat16 | any task", pytest.approx(12_000))
    assert (h100["tokens_per_j"], h100["cost_per_mtoken"], h100["step_p50_s"]) == (
        pytest.approx(20), None, pytest.approx(1.01**300.5)
    )  # fmt: skip
    # What achieves its TFLOP/s on a peak that nobody knows, and a chip that ran one workload alone.
    alone = rows["NVIDIA Q9000", "package"]
    assert (alone["workload"], alone["mfu"]) == ("bert | 4096 | bfloat16 | any task", None)
    assert alone["tflops"] == pytest.approx(3000 * LLAMA_FLOPS / 1e12)
    die, package = rows["910C", "die"], rows["910C", "package"]
    assert package["tflops"] == pytest.approx(2 * die["tflops"])


def test_a_chip_that_ran_several_workloads_but_not_that_one_has_no_rates(store: Store) -> None:
    for agent, chip in ((1, "H100"), (3, "NVIDIA Q9000")):
        train(store, f"a{agent}", agent=agent, chip=chip)
    for job in ("gpt", "bert"):
        train(store, job, agent=4, vendor="amd", chip="MI250X", part="gcd", energy_j=30_000.0, facts={"model": job})
    row = chips_of(store)["MI250X", "gcd"]
    assert {row[name] for name in RATES} == {None}
    assert (row["workload"], row["workloads"]) == (None, 2)


def test_joules_of_jobs_that_tell_no_tokens_divide_no_other_s(store: Store) -> None:
    train(store, "a", energy_j=30_000.0)
    train(store, "silent", tokens=None, energy_j=90_000.0)
    assert chips_of(store)["H100", "package"]["tokens_per_j"] == pytest.approx(5)


def test_a_job_that_tells_no_steps_has_no_goodput(store: Store) -> None:
    idle = {"bucket": begin_s(), "tokens": None, "device_s": 0.0, "wall_s": 60.0, "steps": 0, "n": 0, "held_devices": 1}
    put_minutes(store, [{"job": "notebook", **idle}])
    put_held(store, [{"job": "notebook", "device_id": 1, "from_ts": begin_s() * 1000, "to_ts": now_s() * 1000}])
    assert over(store, "notebook")["goodput"] is None
    assert live(store)["job", "notebook"]["goodput"] is None
    (row,) = store.query("SELECT * FROM steelyard.goodput").to_pylist()
    parts = ("productive_s", "checkpoint_s", "evaluate_s", "first_steps_s", "outside_steps_s", "goodput")
    assert {row[name] for name in parts} == {None}
    assert (row["wall_s"], row["absent"]) == (60, "it told no steps")
    # One that told its steps and makes none has its time in the sum, the other has not.
    train(store, "a")
    train(store, "hangs", tokens=None, device_s=0.0, steps=0, step_hist=[])
    assert live(store)["job", "hangs"]["goodput"] == 0
    assert live(store)["chip", "H100"]["goodput"] == pytest.approx(150 / 360)
    assert chips_of(store)["H100", "package"]["goodput"] == pytest.approx(150 / 360)


def test_goodput_is_of_the_times_whose_allocation_is_known(store: Store) -> None:
    train(store, "a")
    put_minutes(store, [{"job": "a", "bucket": begin_s() - 60, "tokens": 1.0, "device_s": 60.0, "wall_s": None}])
    sums = "sum(wall_device_s) / sum(told_wall_s) AS goodput"
    (over_time,) = store.query(f"SELECT {sums} FROM steelyard.efficiency WHERE level = '1m'").to_pylist()
    (row,) = store.query("SELECT goodput FROM steelyard.goodput").to_pylist()
    assert row["goodput"] == over_time["goodput"] == pytest.approx(150 / 180)


def test_what_marked_steps_trained_counts_for_the_system(store: Store) -> None:
    apart = {"checkpoint_tokens": 6000.0, "checkpoint_device_s": 4.0, "evaluate_tokens": 9000.0, "evaluate_steps": 3,
             "evaluate_device_s": 3.0, "first_tokens": None, "first_steps": 0, "first_device_s": 0.0}  # fmt: skip
    train(store, "a", checkpoint_steps=2, energy_j=33_000.0, **apart)
    row = over(store, "a")
    assert (row["tokens_per_s_device"], row["wall_tokens_per_s_device"]) == (pytest.approx(3000), pytest.approx(2750))
    assert row["tokens_per_j"] == pytest.approx(5)
    assert (row["steps"], row["trained_steps"], row["trained_tokens"]) == (25, 30, 165_000)


def test_quantiles_of_steps_over_any_window(store: Store) -> None:
    train(store, "a")
    train(store, "b", step_hist=[(300, 75)])
    train(store, "none", steps=0, step_hist=[])
    quantiles = ", ".join(f"quantileExactWeightedOrNullArray({p})(step_bins_s, step_counts)" for p in (0.5, 0.97, 0.99))
    sql = f"SELECT {quantiles} FROM steelyard.efficiency WHERE level = '1m' AND job IN "

    def of(jobs: str) -> list[float | None]:
        return list(store.query(sql + jobs).to_pylist()[0].values())

    assert of("('a')") == [pytest.approx(1.01**n) for n in (69.5, 231.5, 231.5)]
    assert of("('a', 'b')") == [pytest.approx(1.01**n) for n in (300.5, 300.5, 300.5)]
    assert of("('none')") == [None, None, None]


def test_an_unknown_chip_has_what_it_achieves_and_no_share_of_a_peak(store: Store) -> None:
    train(store, "q", agent=3, chip="NVIDIA Q9000", part="package")
    row = over(store, "q")
    assert row["tflops_per_device"] == pytest.approx(3000 * LLAMA_FLOPS / 1e12)
    assert (row["mfu"], row["mfu_absent"]) == (None, "the chip table has no such chip")
    assert (row["ofu"], row["ofu_validated"]) == (None, None)
    assert (row["tokens_per_s_device"], row["tokens_per_s_package"]) == (pytest.approx(3000), None)


def test_what_has_no_peak_is_in_no_share_of_others(store: Store) -> None:
    train(store, "a")
    train(store, "b", facts={"precision": "float8"})
    train(store, "q", agent=3, chip="NVIDIA Q9000", part="package")
    now, chip = live(store), chips_of(store)["H100", "package"]
    for row in (now["chip", "H100"], now["vendor", "nvidia"], chip):
        assert row["mfu"] == pytest.approx(3000 * LLAMA_FLOPS / 989e12)
        assert row["share_of_ceiling"] == pytest.approx(3000 * LLAMA_FLOPS / 789e12)
    assert now["chip", "H100"]["tflops_per_device"] == chip["tflops"] == pytest.approx(3000 * LLAMA_FLOPS / 1e12)


def test_costs_of_two_currencies_are_not_added(store: Store) -> None:
    priced = {"price_per_device_hour": 2.16, "currency": "USD"}
    train(store, "a", facts=priced)
    train(store, "free")
    row = chips_of(store)["H100", "package"]
    # Of the jobs that have a price.
    assert (row["cost_per_mtoken"], row["currency"]) == (pytest.approx(0.2), "USD")
    train(store, "b", facts={**priced, "currency": "EUR"})
    row = chips_of(store)["H100", "package"]
    assert (row["cost_per_mtoken"], row["currency"]) == (None, None)


def test_a_capped_chip_has_no_ofu(store: Store) -> None:
    train(store, "h", chip="H20", tensor_clock_sum=900.0, tensor_clock_n=1)
    row = over(store, "h")
    assert row["mfu"] == pytest.approx(3000 * LLAMA_FLOPS / 148e12)
    assert (row["ofu"], row["ofu_absent"]) == (None, "its peak is capped by other means than its clock")


FLOPS = [
    ({"trainable_parameters": 7_000_000_000}, LLAMA_FLOPS, None),
    ({"trainable_parameters": 20_000_000}, LLAMA_FLOPS - 2 * 6.98e9, None),
    ({"experts": 8, "active_parameters": 2_000_000_000}, LLAMA_FLOPS - 30e9, None),
    ({"experts": 8}, None, "active parameters of the experts not known"),
    ({"matmul_parameters": None}, None, "matmul parameters not known"),
    ({"head_size": None, "hidden": 4096}, LLAMA_FLOPS, None),
    ({"head_size": None}, None, "layers, heads or head size not known"),
    ({"sequence_length": None}, None, "sequence length not known"),
    ({"precision": "float8"}, LLAMA_FLOPS, "the chip table has no peak for float8"),
]  # fmt: skip


def test_flops_per_token_of_dense_lora_and_experts(store: Store) -> None:
    for number, (facts, _, _) in enumerate(FLOPS):
        train(store, f"job-{number}", facts=facts)
    rows = store.query("SELECT DISTINCT job, flops_per_token, mfu, mfu_absent FROM steelyard.efficiency").to_pylist()
    found = {row["job"]: row for row in rows}
    for number, (facts, flops, absent) in enumerate(FLOPS):
        row = found[f"job-{number}"]
        assert row["flops_per_token"] == (None if flops is None else pytest.approx(flops)), facts
        assert row["mfu_absent"] == absent, facts
        assert (row["mfu"] is None) == (absent is not None), facts


def test_rates_of_several_workloads_are_not_mixed(store: Store) -> None:
    train(store, "a", energy_j=1000.0)
    train(store, "b", facts={"model": "gpt"})
    row = live(store)["chip", "H100"]
    assert (row["tokens_per_s_device"], row["tokens_absent"]) == (None, "several workloads: see them by job")
    assert row["mfu"] == pytest.approx(3000 * LLAMA_FLOPS / 989e12)
    assert (row["jobs"], row["devices"], row["workloads"]) == (2, 2, 2)


def test_jobs_without_tokens_are_no_several_workloads(store: Store) -> None:
    for job, model in (("a", "llama"), ("b", "gpt")):
        train(store, job, facts={"model": model}, tokens=None, tokens_absent="no integer tensor went in")
    row = live(store)["chip", "H100"]
    assert (row["workloads"], row["tokens_absent"]) == (2, "no integer tensor went in")


def test_no_tokens_is_absent_with_its_reason(store: Store) -> None:
    train(store, "a", tokens=None, tokens_absent="no integer tensor went in")
    row = live(store)["job", "a"]
    assert (row["tokens_per_s_device"], row["mfu"], row["tokens_absent"]) == (None, None, "no integer tensor went in")
    assert row["mfu_absent"] == "no tokens: no integer tensor went in"
    assert row["goodput"] == pytest.approx(50 / 60)


def test_devices_have_their_job_s_rates(store: Store) -> None:
    train(store, "a")
    put_held(store, [{"job": "a", "device_id": 1, "from_ts": begin_s() * 1000, "to_ts": now_s() * 1000}])
    row = live(store)["device", "dev-1"]
    assert (row["job"], row["node"], row["devices"]) == ("a", "n1", 1)
    assert row["tokens_per_s_device"] == pytest.approx(3000)


def test_the_prices_file_s_price_counts_where_the_job_declares_none(store: Store) -> None:
    train(store, "a")
    train(store, "b", facts={"price_per_device_hour": 4.32, "currency": "EUR"})
    put_prices(store, Prices("USD", {"H100": 2.16}), load_chips())
    now = live(store)
    found = {job: (now["job", job]["cost_per_mtoken"], now["job", job]["currency"]) for job in ("a", "b")}
    assert found == {"a": (pytest.approx(0.2), "USD"), "b": (pytest.approx(0.4), "EUR")}
    put_prices(store, Prices(), load_chips())
    assert live(store)["job", "a"]["cost_per_mtoken"] is None


def test_sums_over_a_window_give_the_window_s_figure(store: Store) -> None:
    train(store, "a")
    sums = "sum(tokens) / sum(tokens_device_s) AS rate, sum(flops_of_peak) / sum(peak_flops) AS mfu"
    (row,) = store.query(f"SELECT {sums} FROM steelyard.efficiency WHERE level = '1m'").to_pylist()
    assert (row["rate"], row["mfu"]) == (pytest.approx(3000), pytest.approx(3000 * LLAMA_FLOPS / 989e12))
    assert math.isclose(over(store, "a")["tokens_per_s_device"], row["rate"])


def test_goodput_says_where_the_time_went(store: Store) -> None:
    train(store, "a", checkpoint_device_s=4.0, evaluate_device_s=3.0)
    (row,) = store.query("SELECT * FROM steelyard.goodput").to_pylist()
    parts = ("wall_s", "productive_s", "checkpoint_s", "evaluate_s", "first_steps_s", "outside_steps_s")
    assert [row[name] for name in parts] == [180, 150, 12, 9, 0, 9]
    assert row["goodput"] == pytest.approx(150 / 180)


def test_steps_are_readable(store: Store) -> None:
    put_steps(store, [{"job": "a", "ts": now_s() * 1000, "step_time_s": 2.0, "tokens": 100, "token_copies": 4,
                       "steps": 3, "device_id": 1}])  # fmt: skip
    (row,) = store.query("SELECT * FROM steelyard.steps").to_pylist()
    assert (row["job"], row["run"], row["node"], row["chip"], row["tokens"]) == ("a", "a", "n1", "H100", 25)
    assert (row["device_s"], row["mark"], row["origin"]) == (6, None, "measured")


def test_without_an_allocation_there_is_no_goodput(store: Store) -> None:
    train(store, "a", wall_s=None)
    now = live(store)
    assert over(store, "a")["goodput"] is None
    assert now["job", "a"]["goodput"] is None
    assert now["chip", "H100"]["goodput"] is None
    assert chips_of(store)["H100", "package"]["goodput"] is None
    (row,) = store.query("SELECT * FROM steelyard.goodput").to_pylist()
    assert (row["goodput"], row["absent"]) == (None, "its allocation is not known")
