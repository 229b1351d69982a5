"""Steps and training facts reach their tables as they were said, and what was not said is NULL."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steelyard_collector.ingest.accepted import Origin, Rows
from steelyard_collector.ingest.record_blocks import record_block
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_proto.v1 import batch_pb2

# Of today: facts are dropped a year after they were told.
DAY = int(time.time()) // 86_400
NOW_MS = DAY * 86_400_000
STEP, TRAINING = batch_pb2.KIND_STEP, batch_pb2.KIND_TRAINING


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"chdb://{tmp_path}/store")
    yield store
    store.close()


def put(store: Store, table: str, kind: int, seq: int, **rows: Any) -> None:
    records = batch_pb2.Records(kind=kind, **rows)  # type: ignore[arg-type]
    store.insert(table, record_block([Rows(Origin(7, 9, kind, seq), DAY, records, {1: 41})]), token=f"{table}-{seq}")


def rows_of(store: Store, table: str) -> list[dict[str, Any]]:
    return store.query(f"SELECT * FROM steelyard_store.{table} FINAL ORDER BY seq").to_pylist()


def test_a_step_is_stored_as_it_was_said(store: Store) -> None:
    whole = batch_pb2.Step(
        ts_ms=NOW_MS, device=1, devices=0.5, pid=12, start_ms=NOW_MS - 60_000, begin_ms=NOW_MS - 30_000, job="17",
        run="llama", rank=0, local_rank=0, world_size=2, data_parallel=2, step=40, steps=1, step_time_s=0.25,
        tokens=256, nonpad_tokens=200, loss_tokens=0, samples=4, token_copies=2, host_gap_s=0.0, mark="checkpoint",
        origin="inferred", tokens_origin="inferred", total_steps=39, total_tokens=9984, total_s=9.75,
        loss=-0.5,
    )  # fmt: skip
    bare = batch_pb2.Step(ts_ms=NOW_MS + 1, pid=12, step=41, steps=1, tokens_absent="no integer tensor went in")
    put(store, "step", STEP, 1, steps=[whole])
    put(store, "step", STEP, 2, steps=[bare])
    first, second = store.query(
        "SELECT * EXCEPT (ts, start_ts, begin_ts) FROM steelyard_store.step ORDER BY seq"
    ).to_pylist()
    assert first == {
        "agent": 7, "device_id": 41, "epoch": 9, "seq": 1, "devices": 0.5, "pid": 12, "job": "17", "run": "llama",
        "rank": 0, "local_rank": 0, "world_size": 2, "data_parallel": 2, "step": 40, "steps": 1, "step_time_s": 0.25,
        "tokens": 256, "nonpad_tokens": 200, "loss_tokens": 0, "samples": 4, "token_copies": 2, "host_gap_s": 0.0,
        "mark": "checkpoint", "origin": "inferred", "tokens_origin": "inferred", "tokens_absent": "", "total_steps": 39,
        "total_tokens": 9984, "total_s": 9.75, "loss": -0.5,
    }  # fmt: skip
    absent = ("device_id", "devices", "rank", "world_size", "step_time_s", "tokens", "nonpad_tokens", "loss_tokens",
              "samples", "host_gap_s", "total_tokens", "loss")  # fmt: skip
    assert [second[name] for name in absent] == [None] * len(absent)
    assert (second["token_copies"], second["tokens_absent"]) == (1, "no integer tensor went in")


def test_newer_facts_of_a_process_replace_the_older(store: Store) -> None:
    key = {"pid": 12, "start_ms": NOW_MS, "job": "17"}
    put(store, "training", TRAINING, 1, trainings=[batch_pb2.Training(ts_ms=NOW_MS, **key)])  # type: ignore[arg-type]
    newer = batch_pb2.Training(
        ts_ms=NOW_MS + 1, model="gpt2", parameters=124, recompute=False, software={"torch": "2.13.0"},
        origins={"parameters": "inferred"}, absent={"active_parameters": "no experts"}, **key,
    )  # type: ignore[arg-type]  # fmt: skip
    put(store, "training", TRAINING, 2, trainings=[newer])
    (row,) = rows_of(store, "training")
    assert (row["model"], row["parameters"], row["recompute"], row["layers"]) == ("gpt2", 124, 0, None)
    assert dict(row["software"]) == {"torch": "2.13.0"}
    assert dict(row["origins"]) == {"parameters": "inferred"}
    assert dict(row["absent"]) == {"active_parameters": "no experts"}
