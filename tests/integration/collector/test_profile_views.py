"""Profiles, rows and stacks reach their tables as they were said, and the public views join what is known of them."""

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from steelyard_collector.ingest.accepted import TABLES, Origin, Rows
from steelyard_collector.ingest.record_blocks import record_block
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_proto.v1 import batch_pb2
from tests.integration.collector.fleet_rows import register
from tests.standins.profile_records import profile, profile_id, rows, stacks

DAY = int(time.time()) // 86_400
NOW_MS = DAY * 86_400_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('profiles')}/store")
    register(store, [{"device_id": 41, "agent": 7, "chip": "H100"}], now_ms=NOW_MS)
    yield store
    store.close()


def put(store: Store, kind: int, seq: int, **records: Any) -> None:
    message = batch_pb2.Records(kind=kind, **records)  # type: ignore[arg-type]
    block = record_block([Rows(Origin(7, 9, kind, seq), DAY, message, {1: 41})])
    store.insert(TABLES[kind], block, token=f"{TABLES[kind]}-{seq}")


def asked(store: Store, sql: str) -> list[dict[str, Any]]:
    return store.query(sql).to_pylist()


@pytest.fixture(scope="module")
def told(store: Store) -> Store:
    put(store, batch_pb2.KIND_PROFILE, 1, profiles=[profile(NOW_MS)])
    put(store, batch_pb2.KIND_PROFILE_ROW, 1, profile_rows=rows(NOW_MS))
    put(store, batch_pb2.KIND_STACK, 1, stacks=stacks(NOW_MS))
    total = {"job": ["17"], "steps": [100], "tokens": [3_276_800.0], "device_s": [800.0], "ver": [NOW_MS]}

    store.insert("job_total", pa.table(total), token="total")
    return store


def test_a_profile_has_its_split_and_what_is_known_of_its_node_chip_and_job(told: Store) -> None:
    (row,) = asked(told, f"SELECT * FROM steelyard.profiles WHERE profile = '{profile_id(1)}'")
    assert (row["job"], row["run"], row["chip"], row["rank"], row["device_id"]) == ("17", "17", "H100", 0, 41)
    assert row["node"] is not None
    assert (row["window_ns"], row["exposed_ns"], row["data_wait_ns"]) == (90_000_000, 9_000_000, 6_000_000)
    assert row["step_s"] == pytest.approx(0.030)
    # 32,768 tokens a step over 8 ranks.
    assert row["tokens_per_step"] == 4096
    assert row["token_ns"] == pytest.approx(30_000_000 / 4096)
    assert [row[name] for name in ("loss_s", "samples", "reason")] == [None] * 3


def test_a_newer_row_of_a_profile_replaces_the_older(told: Store) -> None:
    put(told, batch_pb2.KIND_PROFILE, 2, profiles=[profile(NOW_MS, loss_s=-0.01, loss_low_s=-0.05, loss_high_s=0.03)])
    found = asked(told, f"SELECT loss_s, loss_high_s FROM steelyard.profiles WHERE profile = '{profile_id(1)}'")
    assert found == [{"loss_s": -0.01, "loss_high_s": 0.03}]


def test_rates_of_memory_and_links_have_a_row_each(told: Store) -> None:
    rates = [
        batch_pb2.Rate(index=3, link="hbm", direction="read", part="0", mean_bytes_per_s=8e11),
        batch_pb2.Rate(
            index=3, link="hccs", direction="sent", mean_bytes_per_s=5e9, min_bytes_per_s=0, max_bytes_per_s=9e9,
            samples=100,
        ),
    ]  # fmt: skip
    sampled = batch_pb2.Profile(
        ts_ms=NOW_MS, device=1, id=profile_id(7), job="21", rank=4, profiler="msprof", state="stored", rates=rates
    )
    put(told, batch_pb2.KIND_PROFILE, 7, profiles=[sampled])
    hbm, hccs = asked(told, "SELECT * FROM steelyard.rates WHERE job = '21' ORDER BY link")
    assert (hbm["profile"], hbm["device_id"], hbm["device_index"], hbm["chip"]) == (profile_id(7), 41, 3, "H100")
    assert [hbm[name] for name in ("rank", "part", "mean_bytes_per_s", "min_bytes_per_s", "samples")] == [
        4, "0", 8e11, None, None,
    ]  # fmt: skip
    assert [hccs[name] for name in ("part", "direction", "min_bytes_per_s", "max_bytes_per_s", "samples")] == [
        None, "sent", 0, 9e9, 100,
    ]  # fmt: skip


@pytest.mark.parametrize("view", ["profiles", "ops", "step_split", "stacks", "rates"])
def test_a_filter_of_the_job_finds_its_rows_by_the_tables_own_order(told: Store, view: str) -> None:
    plan = asked(told, f"EXPLAIN indexes = 1 SELECT count() FROM steelyard.{view} WHERE job = '17'")
    lines = [line for row in plan for line in row.values()]
    assert any("job in ['17', '17']" in line or "by_job" in line for line in lines), lines


def test_parts_add_up_to_the_window(told: Store) -> None:
    found = asked(told, f"SELECT * FROM steelyard.step_split WHERE profile = '{profile_id(1)}' AND job = '17'")
    assert sum(row["duration_ns"] for row in found) == found[0]["window_ns"]
    assert sum(row["share"] for row in found) == pytest.approx(1)
    (matmul,) = [row for row in found if row["class"] == "matmul"]
    assert (matmul["layer"], matmul["ms_per_step"], matmul["chip"]) == ("compute", 20.0, "H100")
    assert matmul["token_ns"] == pytest.approx(20_000_000 / 4096)


def test_operators_have_what_they_reach_and_calls_their_own_time(told: Store) -> None:
    by = {row["by"]: row for row in asked(told, "SELECT * FROM steelyard.ops WHERE job = '17' AND class = 'matmul'")}
    assert by["operator"]["tflops"] == pytest.approx(500)
    assert (by["operator"]["precision"], by["type"]["precision"]) == ("bfloat16", None)
    assert by["operator"]["peak_share"] == pytest.approx(500 / 989, rel=0.01)
    assert (by["type"]["tflops"], by["type"]["self_ns"], by["type"]["shapes"]) == (None, None, None)
    assert by["call"]["self_ns"] == 5_000_000


def test_stacks_are_paths_with_time_or_samples(told: Store) -> None:
    found = {row["kind"]: row for row in asked(told, "SELECT * FROM steelyard.stacks WHERE job = '17'")}
    assert found["device"]["stack"] == "aten::linear;aten::mm;nvjet"
    assert (found["device"]["samples"], found["sampled"]["duration_ns"]) == (None, None)
    assert (found["sampled"]["waits"], found["sampled"]["thread"], found["host"]["waits"]) == (
        "data", "MainThread", None,
    )  # fmt: skip


def test_a_failed_window_says_why_and_has_no_figures(told: Store) -> None:
    failed = batch_pb2.Profile(
        ts_ms=NOW_MS + 5,
        id=profile_id(2),
        job="18",
        pid=12,
        profiler="kineto",
        cause="asked",
        state="failed",
        reason="it ended",
    )
    put(told, batch_pb2.KIND_PROFILE, 3, profiles=[failed])
    (row,) = asked(told, f"SELECT * FROM steelyard.profiles WHERE profile = '{profile_id(2)}'")
    assert (row["state"], row["reason"], row["job"], row["chip"]) == ("failed", "it ended", "18", None)
    assert [row[name] for name in ("window_ns", "exposed_ns", "idle_share", "step_s", "steps", "rank")] == [None] * 6
