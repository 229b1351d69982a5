"""A job's state as its steps, processes, devices and allocation say it."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from steelyard_collector.store.job_sums import job_totals
from steelyard_collector.store.open import open_store
from steelyard_collector.store.rollup import ROLL_SETTINGS
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.job_rows import empty, put_facts, put_held, put_minutes, put_process

HOUR_S = 3600
# By job: since when and until when it held its device, when its steps ended last, seconds of a step, and the rest.
JOBS: dict[str, dict[str, Any]] = {
    "trains": {"since": 7200, "step": 60, "state": "running"},
    "slow": {"since": 7200, "step": 1200, "step_s": 200.0, "process": True, "state": "running"},
    "stuck": {"since": 7200, "step": 1200, "process": True, "busy": 1.0, "state": "hung"},
    "left": {"since": 7200, "step": 1200, "state": "idle but held"},
    "new": {"since": 120, "process": True, "state": "starting"},
    "loads": {"since": 3000, "process": True, "busy": 0.5, "facts": True, "state": "starting"},
    "dumb": {"since": 7200, "process": True, "busy": 0.9, "state": "running"},
    "holds": {"since": 7200, "state": "idle but held"},
    "unsaid": {"since": 7200, "busy": None, "state": "running"},
    "done": {"since": 7200, "seen": 600, "step": 660, "closed": 1, "state": "finished"},
    "gone": {"since": 7200, "seen": 600, "step": 660, "state": "lost"},
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('states')}/store")
    empty(store)
    now_s = int(time.time())
    register(store, [{"device_id": n, "agent": 1} for n in range(1, len(JOBS) + 1)], now_ms=now_s * 1000)
    for device, (job, told) in enumerate(JOBS.items(), 1):
        seen_ms = (now_s - told.get("seen", 0)) * 1000
        held = {"job": job, "device_id": device, "from_ts": (now_s - told["since"]) * 1000, "to_ts": seen_ms}
        put_held(store, [held | {"closed": told.get("closed", 0)}])
        if "step" in told:
            bin_of_step = {2.0: 69, 200.0: 532}[told.get("step_s", 2.0)]
            minute = (now_s - told["step"]) // 60 * 60
            put_minutes(store, [{"job": job, "bucket": minute, "tokens": 5e5, "device_s": 50.0, "wall_s": 60.0,
                                 "step_hist": [(bin_of_step, 25)]}])  # fmt: skip
        if job == "stuck":
            idle = {"tokens": None, "device_s": 0.0, "wall_s": 60.0, "steps": 0, "n": 0, "tokens_origin": ""}
            put_minutes(store, [{"job": job, "bucket": (now_s - 600) // 60 * 60, **idle}])
        if told.get("process"):
            put_process(store, job, device, now_s)
        if told.get("facts"):
            put_facts(store, [{"job": job, "start_ts": now_s * 1000, "ts": now_s * 1000}])
        sample = {"device_id": device, "ts": now_s * 1000, "seq": 1, "busy": told.get("busy", 0.0)}
        store.insert("raw_device", raw_block([sample]), token=uuid.uuid4().hex)
    jobs = "SELECT job FROM steelyard_store.job_minute"
    store.command(job_totals(now_s, jobs, now_s * 1000, ROLL_SETTINGS))
    yield {row["job"]: row for row in store.query("SELECT * FROM steelyard.jobs").to_pylist()}
    store.close()


@pytest.mark.parametrize("job", JOBS)
def test_state(rows: dict[str, dict[str, Any]], job: str) -> None:
    assert rows[job]["state"] == JOBS[job]["state"]


def test_since_when(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["stuck"]["state_since"] == rows["stuck"]["last_step"]
    assert rows["gone"]["state_since"] == rows["gone"]["last_seen"]
    assert rows["trains"]["state_since"] == rows["trains"]["since"]


def test_totals_and_facts_stand_beside_it(rows: dict[str, dict[str, Any]]) -> None:
    done = rows["done"]
    assert (done["steps"], done["tokens"], done["tokens_origin"]) == (20, 5e5, "declared")
    assert done["step_p99_s"] == pytest.approx(2.0, rel=0.01)
    assert done["goodput"] == pytest.approx(50 / 60)
    # Of its newest steps, whatever minute came after them.
    assert rows["stuck"]["tokens_origin"] == "declared"
    assert (rows["loads"]["model"], rows["loads"]["steps"], rows["holds"]["tokens"]) == ("llama-7b", None, None)
