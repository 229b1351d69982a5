"""`steelyard ops` and `steelyard diff` of stored profiles: sums over a job's windows, two chips per token, points that
add up, and the same forms as of a file."""

import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from steelyard_collector.ingest.accepted import TABLES, Origin, Rows
from steelyard_collector.ingest.record_blocks import record_block
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_proto.v1 import batch_pb2
from steelyard_tui.cli import main
from steelyard_tui.client import connect
from steelyard_tui.traces.stored import Wanted, read_stored
from tests.integration.collector.fleet_rows import register
from tests.integration.collector.small_store import PATIENT, doors
from tests.standins.profile_records import PARTS, profile, profile_id, rows, stacks

Parts = Sequence[tuple[str, str, int]]
UUID_JOB = "1293924c-135d-4875-a410-a4ead429fc52"
NOW_MS = int(time.time() * 1000)
# As PARTS, but slower where it has to be found: format conversion, and an exposed all-reduce.
SLOW = (
    *((layer, name, ns * 3 if name == "all-reduce" else ns) for layer, name, ns in PARTS),
    ("compute", "format conversion", 9_000_000),
)


def window(
    store: Store, number: int, job: str, device: int, parts: Sequence[tuple[str, str, int]], **more: Any
) -> None:
    ts_ms = NOW_MS - number * 1000
    key: dict[str, Any] = {"job": job, "device": device}
    told = {
        batch_pb2.KIND_PROFILE: {"profiles": [profile(ts_ms, number, parts, **key)]},
        batch_pb2.KIND_PROFILE_ROW: {"profile_rows": rows(ts_ms, number, parts, **key)},
        batch_pb2.KIND_STACK: {"stacks": stacks(ts_ms, number, **key)},
    }
    for kind, lists in told.items():
        message = batch_pb2.Records(kind=kind, **lists)  # type: ignore[arg-type]
        block = record_block([Rows(Origin(7, 9, kind, number), ts_ms // 86_400_000, message, {1: 41, 2: 42})])
        store.insert(TABLES[kind], block, token=f"{kind}-{number}")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('stored')}/store")
    devices = [
        {"device_id": 41, "agent": 7},
        {"device_id": 42, "agent": 7, "chip": "910B2", "vendor": "huawei", "origin": "simulated"},
    ]
    register(store, devices, now_ms=NOW_MS)
    # Twice the tokens a step on the second chip's job.
    totals: dict[str, Any] = {"job": ["17", "18"], "steps": [10, 10], "tokens": [80 * 4096.0, 80 * 8192.0]}
    totals |= {"device_s": [8.0, 8.0], "ver": [NOW_MS] * 2}
    store.insert("job_total", pa.table(totals), token="totals")
    for number in (1, 2):
        window(store, number, "17", 1, PARTS)
    window(store, 3, "18", 2, SLOW)
    window(store, 4, UUID_JOB, 1, PARTS)
    failed = batch_pb2.Profile(ts_ms=NOW_MS, id=profile_id(9), job="19", state="failed", reason="its profiler was busy")
    block = record_block(
        [
            Rows(
                Origin(7, 9, batch_pb2.KIND_PROFILE, 9),
                0,
                batch_pb2.Records(kind=batch_pb2.KIND_PROFILE, profiles=[failed]),
                {},
            )
        ]
    )
    store.insert("profile", block, token="failed")
    with doors(store, limits=PATIENT) as opened:  # type: ignore[arg-type]
        yield opened.address
    store.close()


def said(address: str, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    found = main([*words, "--collector", address])
    out, err = capsys.readouterr()
    assert found == code, err
    return out if code == 0 else err


def test_a_job_is_the_sum_of_its_windows(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(address, capsys, "ops", "17", "--format", "json"))
    assert (told["steps"], told["devices"], told["chip"]) == (6, 1, "H100")
    assert told["totals"]["window_ns"] == 2 * 90_000_000
    assert told["totals"]["exposed_ns"] == 2 * 9_000_000
    assert {part["class"]: part["total_ns"] for part in told["by_class"]} == {n: 2 * ns for _, n, ns in PARTS}
    (matmul,) = told["by_operator"]
    assert (matmul["name"], matmul["count"], matmul["total_ns"], matmul["min_ns"]) == (
        "aten::mm", 600, 120_000_000, 100_000,
    )  # fmt: skip
    assert (matmul["flops"], matmul["precision"], matmul["shapes"]) == (
        6e13, "bfloat16", "[[4096, 4096], [4096, 4096]]",
    )  # fmt: skip
    assert told["calls"][0]["self_ns"] == 10_000_000
    one = json.loads(said(address, capsys, "ops", profile_id(2), "--format", "json"))
    assert one["totals"]["window_ns"] == 90_000_000
    newest = json.loads(said(address, capsys, "ops", "17", "--newest", "--format", "json"))
    assert newest["path"].startswith(f"profile {profile_id(1)} of job 17 on n7, ")


def test_windows_of_several_jobs_name_them_all(address: str) -> None:
    """As those of a node that `steelyard profile NODE` asked for."""
    with connect(address) as client:
        together = read_stored(client, Wanted(profiles=(profile_id(2), profile_id(4))))
    assert together.profile.path.startswith(f"jobs {UUID_JOB}, 17, 2 windows from ")


def test_a_job_may_be_named_as_a_profile_is(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(address, capsys, "ops", UUID_JOB, "--format", "json"))
    assert told["path"].startswith(f"profile {profile_id(4)} of job {UUID_JOB} ")


def test_it_comes_in_the_forms_of_a_file(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = said(address, capsys, "ops", "17")
    assert "exposed all-reduce" in table
    assert "6 steps, 30.000 ms each" in table
    (row,) = csv.DictReader(io.StringIO(said(address, capsys, "ops", "17", "--by", "type", "--format", "csv")))
    assert row["total_ns"] == "120000000"
    assert said(address, capsys, "ops", "17", "--format", "collapsed") == "aten::linear;aten::mm;nvjet 120000000\n"
    sampled = said(address, capsys, "ops", "17", "--format", "collapsed", "--stacks", "sampled")
    assert sampled == "train;next;_get_data 24\n"
    speed = json.loads(said(address, capsys, "ops", profile_id(1), "--format", "speedscope"))
    assert speed["profiles"][0]["endValue"] == 60_000_000


def test_two_chips_per_token_in_points_that_add_up(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(address, capsys, "diff", "17", "18", "--format", "json"))
    assert told["per"] == "token"
    assert told["a"]["each_ns"] == pytest.approx(30_000_000 / 4096)
    assert told["b"]["each_ns"] == pytest.approx(39_000_000 / 8192)
    assert sum(change["points"] for change in told["by_class"]) == pytest.approx(told["gap_percent"])
    per_step = said(address, capsys, "diff", "17", "18", "--per", "step")
    assert (
        "B takes 30.0 % more time a step than A; of these points are 20.0 exposed all-reduce, 10.0 format conversion"
        in per_step
    )
    assert "B  simulated profile " in per_step
    assert (told["a"]["origin"], told["b"]["origin"]) == ("measured", "simulated")


def test_what_is_not_there_is_said_with_the_reason(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "its profiler was busy" in said(address, capsys, "ops", "19", code=1)
    assert "`steelyard profile nobody` records one" in said(address, capsys, "ops", "nobody", code=1)
    assert "there is no profile" in said(address, capsys, "diff", profile_id(77), "17", code=1)
    assert "there is no profile" in said(address, capsys, "ops", profile_id(77), code=1)
    assert "name a job" in said(address, capsys, "ops", code=2)
    assert "1 jobs or profiles; give two" in said(address, capsys, "diff", "17", code=2)
    words = said(address, capsys, "ops", "17' OR '1' = '1", code=1)
    assert "there is no profile of job" in words
