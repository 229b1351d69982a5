"""Shares and verdicts as rows: computed from stored jobs, the same in the views and in the answers."""

import io
import itertools
import logging
import math
import random
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from steelyard_collector.live.filter import BadRequest
from steelyard_collector.shares.asking import ShareAsker
from steelyard_collector.shares.keeper import ShareKeeper
from steelyard_collector.shares.ledger import Ledger
from steelyard_collector.shares.sources import Sources
from steelyard_collector.shares.window import Window, part_from, told_part
from steelyard_collector.store.base import Store
from steelyard_collector.store.job_rollup import JobRoller
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import Roller
from steelyard_proto.chips import load_chips
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import query_pb2
from steelyard_tui.present.figures import duration
from steelyard_tui.present.shares import window_text
from tests.integration.collector.fleet_rows import register
from tests.integration.collector.job_rows import put_facts, put_steps
from tests.standins.agent_parts import until

MINUTE_MS = 60_000
NOW_MS = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
CHIPS = load_chips()
# Tokens per device-second of each chip's jobs of two workloads; the truth of 910B2 over H100 is 0.40 and 0.36.
RATES = {
    ("H100", "llama-7b"): 1000.0,
    ("910B2", "llama-7b"): 400.0,
    ("H100", "glm-9b"): 800.0,
    ("910B2", "glm-9b"): 288.0,
    ("910C", "llama-7b"): 380.0,
}
JOBS_EACH = 3
# The clock: each look is a millisecond later.
TICKS = itertools.count()
MINUTES = 40
STEP_S = 6.0
CLAIMS = """
[[claim]]
id = "ours"
subject = "910B"
subject_chips = ["910B2"]
reference = "H100"
reference_chips = ["H100"]
unit = "device"
quantity = "training"
value = 0.38
said_by = "us"
said_on = "2026"
"""
PRICES = 'currency = "USD"\n[price]\nH100 = 2.0\n910B2 = 1.0\n'


def _fill(store: Store) -> None:
    chips = [chip for chip, _ in RATES for _ in range(JOBS_EACH)]
    devices = [
        {"device_id": n, "agent": n, "chip": chip, "part": "die" if chip == "910C" else "package",
         "vendor": "nvidia" if chip == "H100" else "huawei", "power_scope": "device", "package_uid": ""}
        for n, chip in enumerate([*chips, "A100-80G"], 1)
    ]  # fmt: skip
    register(store, devices, now_ms=NOW_MS)
    noise = random.Random(4)
    steps: list[dict[str, Any]] = []
    facts: list[dict[str, Any]] = []
    number = 0
    for (_, model), rate in RATES.items():
        for _ in range(JOBS_EACH):
            number += 1
            factor = math.exp(noise.gauss(0, 0.02))
            who = {"agent": number, "job": f"job-{number}"}
            start = NOW_MS - MINUTES * MINUTE_MS
            facts.append({**who, "ts": start, "start_ts": start, "model": model})
            steps += [
                {**who, "device_id": number, "ts": start + int(n * STEP_S * 1000), "step_time_s": STEP_S,
                 "begin_ts": start - 3_600_000, "start_ts": start,
                 "tokens": round(rate * STEP_S * factor * math.exp(noise.gauss(0, 0.05)))}
                for n in range(1, int(MINUTES * 60 / STEP_S))
            ]  # fmt: skip
    put_steps(store, steps)
    put_facts(store, facts)
    roller = Roller(store, store.dirty)
    roller.run_once(NOW_MS + MINUTE_MS)
    JobRoller(store, roller.rolled).run_once(NOW_MS + MINUTE_MS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"chdb://{tmp_path_factory.mktemp('shares')}/store")
    _fill(opened)
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    claims, prices = tmp_path / "claims.toml", tmp_path / "prices.toml"
    claims.write_text(CLAIMS)
    prices.write_text(PRICES)
    return claims, prices


def ledger_of(store: Store, files: tuple[Path, Path]) -> Ledger:
    return Ledger(store, CHIPS, Sources(CHIPS, *map(str, files)), lambda: NOW_MS + next(TICKS))


def rows(table: pa.Table, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def only(table: pa.Table, **wanted: Any) -> dict[str, Any]:
    found = rows(table, **wanted)
    assert len(found) == 1, found
    return found[0]


BAR = {"scope": "all", "is_shown": True, "quantity": "tokens_per_s_device", "mode": "matched", "unit": "device"}


def test_the_kept_rows_hold_the_truth(store: Store, files: tuple[Path, Path]) -> None:
    ledger = ledger_of(store, files)
    assert ledger.keep(3600) == ()
    shares = store.query("SELECT * FROM steelyard.shares WHERE window = '1h'")
    bar = only(shares, chip="910B2", reference="H100", **BAR)
    truth = math.sqrt(0.40 * 0.36)
    assert bar["lo"] < truth < bar["hi"]
    assert bar["ratio"] == pytest.approx(truth, rel=0.05)
    assert (bar["kind"], bar["n_a"], bar["n_r"], bar["workloads"]) == ("these workloads", 6, 6, 2)
    assert bar["matched_on"] == ["model", "sequence length", "precision", "task"]
    assert (bar["marked"], bar["token_kind"], bar["vendor"]) == ("productive", "processed", "huawei")
    dots = rows(shares, chip="910B2", reference="H100", **{**BAR, "scope": "workload", "is_shown": False})
    assert {dot["workload"].partition(" ")[0]: round(dot["ratio"], 2) for dot in dots} == {
        "llama-7b": pytest.approx(0.40, abs=0.02),
        "glm-9b": pytest.approx(0.36, abs=0.02),
    }
    die = only(shares, chip="910C", reference="H100", **BAR)
    package = only(shares, chip="910C", reference="H100", **{**BAR, "unit": "package"})
    assert package["ratio"] == pytest.approx(2 * die["ratio"])
    cost = only(shares, chip="910B2", reference="H100", **{**BAR, "quantity": "cost_per_mtoken"})
    assert (cost["ratio"], cost["lo"], cost["hi"]) == pytest.approx(
        (0.5 / bar["ratio"], 0.5 / bar["hi"], 0.5 / bar["lo"])
    )
    none = only(shares, chip="A100-80G", reference="H100", **BAR)
    assert (none["ratio"], none["kind"]) == (None, None)
    assert none["reason"] == "no job on A100-80G counts it in this window"


def test_longer_windows_than_the_store_are_told_of_what_there_is(store: Store, files: tuple[Path, Path]) -> None:
    ledger = ledger_of(store, files)
    bars = {}
    for seconds, name in ((3600, "1h"), (86_400, "24h"), (7 * 86_400, "7d")):
        ledger.keep(seconds)
        kept = store.query(f"SELECT * FROM steelyard.shares WHERE window = '{name}'")
        bars[name] = only(kept, chip="910B2", reference="H100", **BAR)
    same = ("ratio", "lo", "hi", "df", "n_a", "n_r", "kind", "from_ts", "to_ts")
    for name in ("24h", "7d"):
        assert [bars[name][column] for column in same] == [bars["1h"][column] for column in same]
    assert bars["7d"]["ratio"] is not None
    assert bars["7d"]["from_ts"].timestamp() * 1000 == pytest.approx(NOW_MS - MINUTES * MINUTE_MS, abs=MINUTE_MS)
    assert f"all that there is of {duration(7 * 86_400)}" in window_text(bars["7d"])
    assert "all that there is" in window_text(bars["1h"])


def test_a_window_of_hours_ends_with_the_newest_closed_one(store: Store) -> None:
    def at(text: str) -> int:
        return int(datetime.fromisoformat(f"2020-01-{text}:00+00:00").timestamp()) * 1000

    assert told_part(store, Window(at("01T00:00"), at("08T00:00"), 7 * 86_400)) is None
    store.command(
        "INSERT INTO steelyard_store.job_hour (job, bucket) VALUES ('old', '2020-01-02 03:00:00'), "
        "('old', '2020-01-05 07:00:00')"
    )
    told = told_part(store, Window(at("01T00:00"), at("08T00:00"), 7 * 86_400))
    assert told == Window(at("02T03:00"), at("05T08:00"), 7 * 86_400)
    assert told.name == "7d"
    # The first hour is told as a whole, though its first minute is later; not where the window begins within it.
    week = Window(at("01T00:30"), at("08T00:30"), 7 * 86_400)
    assert part_from(week, at("02T03:25") // 1000, at("05T08:00") // 1000) == told
    assert part_from(week, at("01T00:40") // 1000, at("05T08:00") // 1000).from_ms == week.from_ms
    # A short one is told by minutes, up to its end.
    day = Window(at("05T00:00"), at("06T00:00"), 86_400)
    assert told_part(store, day) == Window(at("05T07:00"), at("06T00:00"), 86_400)


def test_claims_have_a_verdict_for_each_pair(store: Store, files: tuple[Path, Path]) -> None:
    ledger = ledger_of(store, files)
    ledger.keep(3600)
    claims = store.query("SELECT * FROM steelyard.claims WHERE window = '1h'")
    ours = only(claims, claim="ours")
    assert ours["verdict"] == "consistent"
    assert ours["probability"] > 0.9
    assert (ours["n_a"], ours["n_r"], ours["kind"]) == (6, 6, "these workloads")
    pairs = {row["chip"]: row["reason"] for row in rows(claims, claim="910b-a100-iflytek-2025")}
    assert pairs == {
        "910B1": "no 910B1 here",
        "910B2": "no job on the reference counts tokens in this window",
        "910B3": "no 910B3 here",
        "910B4": "no 910B4 here",
    }
    package = only(claims, claim="910c-h100-huawei-2025")
    assert package["ratio"] == pytest.approx(0.76, rel=0.1)
    assert only(claims, claim="910c-h100-deepseek-2025")["verdict"] == "not testable"


def test_what_is_asked_is_what_is_kept(store: Store, files: tuple[Path, Path]) -> None:
    ledger = ledger_of(store, files)
    asker = ShareAsker(ledger, CHIPS)
    try:
        computed = _table(asker.compare(query_pb2.CompareRequest(window_s=3540, reference="H100")).result().arrow_ipc)
        ledger.keep(3600)
        request = query_pb2.CompareRequest(
            window_s=3600, reference="H100", quantity="tokens_per_s_device", mode="matched"
        )
        kept = _table(asker.compare(request).result().arrow_ipc)
        assert set(kept["reference"].to_pylist()) == {"H100"}
        assert set(kept["quantity"].to_pylist()) == {"tokens_per_s_device"}
        assert set(kept["mode"].to_pylist()) == {"matched"}
        # Both windows hold all of the jobs, so that all their numbers are the same.
        assert set(computed["window"].to_pylist()) == {"3540s"}
        same = ("ratio", "lo", "hi", "df", "n_a", "n_r", "kind")
        pair = {"chip": "910B2", "reference": "H100", **BAR}
        told, asked = only(kept, **pair), only(computed, **{**pair, "is_shown": 1})
        assert {name: told[name] for name in same} == {name: asked[name] for name in same}
        claims = _table(asker.claims(query_pb2.ClaimsRequest(window_s=3600)).result().arrow_ipc)
        assert only(claims, claim="ours")["verdict"] == "consistent"
        asked_chips, chips = (
            _table(asker.chips(query_pb2.ChipsRequest(window_s=seconds)).result().arrow_ipc) for seconds in (3540, 3600)
        )
        assert set(chips["window"].to_pylist()) == {"1h"}
        assert set(asked_chips["window"].to_pylist()) == {"3540s"}
        stamps = ["window", "from_ts", "to_ts", "computed_at"]
        # The last digit of a sum is its parts' order, which the store's threads make up.
        rows_kept, rows_asked = (table.drop_columns(stamps).to_pylist() for table in (chips, asked_chips))
        assert rows_kept == [pytest.approx(row) for row in rows_asked]
        die, package = (only(chips, chip="910C", part=part) for part in ("die", "package"))
        assert (die["jobs"], package["units"]) == (JOBS_EACH, die["units"] / 2)
        assert package["tokens_per_s"] == pytest.approx(2 * die["tokens_per_s"]) == pytest.approx(760, rel=0.05)
        for request in (query_pb2.CompareRequest(window_s=30), query_pb2.CompareRequest(reference="H1000")):
            with pytest.raises(BadRequest):
                asker.compare(request)
    finally:
        asker.close()


def _table(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(io.BytesIO(data)).read_all()


def test_a_typo_in_the_user_s_claims_leaves_them_out_and_says_so(store: Store, files: tuple[Path, Path]) -> None:
    files[0].write_text(CLAIMS.replace("value", "values"))
    ledger = ledger_of(store, files)
    complaint = f"{files[0]}: ours: values is no field of a claim; do you mean value?"
    assert ledger.keep(3600) == (complaint,)
    answer = ledger.claims(3600)
    assert answer.faults == (complaint,)
    assert "ours" not in answer.table["claim"].to_pylist()
    assert "910c-h100-huawei-2025" in answer.table["claim"].to_pylist()
    files[0].write_text(CLAIMS)
    assert ledger.keep(3600) == ()
    assert "ours" in ledger.claims(3600).table["claim"].to_pylist()


class BrokenLedger(Ledger):
    """A ledger over a store that refuses twice."""

    def __init__(self, whole: Ledger) -> None:
        self.whole = whole
        self.calls = 0

    def has_jobs(self) -> bool:
        return self.whole.has_jobs()

    def keep(self, seconds: int) -> tuple[str, ...]:
        self.calls += 1
        if self.calls < 3:
            raise StoreError("no space left") if self.calls == 1 else ZeroDivisionError("a slip")
        return self.whole.keep(seconds)


class YoungLedger(Ledger):
    """A ledger of a fleet whose first job comes when the test says so."""

    def __init__(self) -> None:
        self.is_training = False
        self.kept: list[int] = []

    def has_jobs(self) -> bool:
        return self.is_training

    def keep(self, seconds: int) -> tuple[str, ...]:
        self.kept.append(seconds)
        return ()


def test_a_first_job_does_not_wait_for_the_next_minute() -> None:
    ledger = YoungLedger()
    keeper = ShareKeeper(ledger, period_s=10_000, look_s=0.01)
    keeper.start()
    try:
        until(lambda: len(ledger.kept) == 3, 60)
        ledger.is_training = True
        until(lambda: len(ledger.kept) == 6, 60)
    finally:
        keeper.stop()
    assert sorted(ledger.kept[:3]) == sorted(ledger.kept[3:])


def test_a_fault_of_the_comparison_is_logged_and_tried_again(
    store: Store, files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    broken = BrokenLedger(ledger_of(store, files))
    keeper = ShareKeeper(broken, period_s=0.0, look_s=0.01)
    with caplog.at_level(logging.ERROR):
        keeper.start()
        try:
            until(lambda: keeper.state.runs > 0, 60)
        finally:
            keeper.stop()
    assert keeper.state.last_error == ""
    assert "no space left" in caplog.text
    assert "a slip" in caplog.text
