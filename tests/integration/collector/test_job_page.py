"""`steelyard job` over a real store: how a job stands and what to look at, while it runs and days after."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from steelyard_collector.sql.pool import QueryLimits
from steelyard_collector.store.base import ReadLimits, Store
from steelyard_collector.store.open import open_store
from steelyard_tui.cli import build_parser, main
from steelyard_tui.client import connect
from steelyard_tui.commands.job import follow
from tests.integration.collector.fleet_rows import raw_block, register
from tests.integration.collector.job_rows import (
    Rollers,
    put_facts,
    put_held,
    put_minutes,
    put_process,
    put_steps,
)
from tests.integration.collector.small_store import doors
from tests.standins.screens import running_app, until, until_text

LIMITS = QueryLimits(
    read=ReadLimits(seconds=60, memory_bytes=1_000_000_000, result_rows=10_000, threads=1),
    running=2,
    waiting=4,
    wait_s=60,
)
MINUTE_S = 60
DAY_S = 86_400
# Device ids by job; hangs has two on either of two nodes.
DEVICES = {"hangs": [1, 2, 3, 4], "runs-1": [5], "old": [6], "idles": [7], "gone": [8], "short": [9]}
# Two attempts at one training.
RUNS = {"old": "pretrain", "hangs": "pretrain"}
STEP_S = 10.0
# What is live is told so far ahead of the clock that a slow machine still finds it new.
AHEAD_S = 900
LLAMA = {"matmul_parameters": 7_000_000_000, "parameters": 7_100_000_000, "layers": 32, "heads": 32, "head_size": 128,
         "sequence_length": 4096}  # fmt: skip


def agent_of(device: int) -> int:
    return (device + 1) // 2


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store]]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('page')}/store")
    now_s = int(time.time())
    fill(store, now_s)
    Rollers(store).run(now_s * 1000)
    # What the TTL does to a job that ended longer than a week ago.
    store.command("ALTER TABLE steelyard_store.live_job DELETE WHERE job = 'old' SETTINGS mutations_sync = 2")
    try:
        with doors(store, limits=LIMITS) as opened:
            yield opened.address, store
    finally:
        store.close()


def fill(store: Store, now_s: int) -> None:
    devices = [
        {"device_id": n, "agent": agent_of(n), "device_index": (n - 1) % 2, "power_scope": "device", "package_uid": ""}
        for jobs in DEVICES.values()
        for n in jobs
    ]
    register(store, devices, now_ms=now_s * 1000)
    old_s = now_s - 9 * DAY_S
    train(store, "old", old_s, old_s + 2400, now_s=now_s, closed=1)
    Rollers(store).run(1000 * (old_s + 7200))
    train(store, "hangs", now_s - 3600, now_s - 1200, silent_s={4: 40}, now_s=now_s)
    train(store, "runs-1", now_s - 1200, now_s, now_s=now_s, host_gap_s=4.0)
    # Steps whose devices nobody allotted; they run while their newest minute isn't five minutes old.
    minutes = [
        {"job": "loose", "bucket": (now_s // 60 + 7 * n) * 60, "tokens": 6e5, "device_s": 60.0} for n in range(3)
    ]
    put_minutes(store, [{**minute, "evaluate_steps": 0, "evaluate_device_s": 0.0, "evaluate_tokens": None,
                         "first_steps": 0, "first_device_s": 0.0, "first_tokens": None,
                         "step_hist": [(69, 20)]} for minute in minutes])  # fmt: skip
    hold(store, "idles", now_s - 7200, now_s + AHEAD_S)
    hold(store, "gone", now_s - 7200, now_s - 1800)
    for device in DEVICES["hangs"]:
        put_process(store, "hangs", device, now_s + AHEAD_S)
    put_process(store, "runs-1", 5, now_s + AHEAD_S)
    sample(store, now_s)
    happen(store, now_s)


def train(store: Store, job: str, from_s: int, to_s: int, *, now_s: int, silent_s: dict[int, int] | None = None,
          host_gap_s: float | None = None, closed: int = 0) -> None:  # fmt: skip
    """All of its ranks in lockstep; some fall silent before the others."""
    for rank, device in enumerate(DEVICES[job]):
        until_s = to_s - (silent_s or {}).get(device, 0)
        who = {
            "agent": agent_of(device),
            "device_id": device,
            "job": job,
            "pid": 100 + device,
            "rank": rank,
            "run": RUNS.get(job, ""),
        }
        put_steps(store, [
            {**who, "ts": 1000 * int(from_s + n * STEP_S), "step_time_s": STEP_S, "tokens": 40_960, "step": 1000 + n,
             "begin_ts": 1000 * (from_s - DAY_S), "host_gap_s": host_gap_s}
            for n in range(1, int((until_s - from_s) / STEP_S) + 1)
        ])  # fmt: skip
        put_facts(store, [{"job": job, "ts": 1000 * from_s, "start_ts": 1000 * from_s, "agent": agent_of(device),
                           "pid": 100 + device, "rank": rank, "run": RUNS.get(job, ""), **LLAMA}])  # fmt: skip
    hold(store, job, from_s, to_s if closed else now_s + AHEAD_S, closed=closed)


def hold(store: Store, job: str, from_s: int, to_s: int, closed: int = 0) -> None:
    put_held(store, [{"job": job, "device_id": device, "agent": agent_of(device), "from_ts": 1000 * from_s,
                      "to_ts": 1000 * to_s, "closed": closed} for device in DEVICES[job]])  # fmt: skip


def sample(store: Store, now_s: int) -> None:
    """The newest samples; of the hung job, its silence; of the running job, a quarter of an hour with its counters."""
    busy = {1: 1.0, 2: 1.0, 3: 1.0, 4: 0.0, 5: 0.5, 7: 0.0}
    silence = [
        {"device_id": n, "ts": 1000 * (now_s - 60 * minutes), "seq": 20 - minutes, "busy": busy[n], "power_w": 100.0}
        for n in DEVICES["hangs"]
        for minutes in range(20)
    ]
    store.insert("raw_device", raw_block(silence), token=uuid.uuid4().hex)
    begin_s = now_s - 900
    store.insert("raw_device", raw_block([
        {"device_id": 5, "ts": 1000 * (begin_s + n), "seq": 2 + n, "busy": 0.5, "power_w": 500.0,
         "energy_mj": 500_000 * n, "throttle_power_ns": 200_000_000 * n}
        for n in range(0, 900, 5)
    ]), token=uuid.uuid4().hex)  # fmt: skip
    # By its number, too: that says which sample is a device's newest.
    newest = [
        {"device_id": n, "ts": 1000 * (now_s + AHEAD_S), "seq": 1000, "busy": value, "power_w": 100.0}
        for n, value in busy.items()
    ]
    store.insert("raw_device", raw_block(newest), token=uuid.uuid4().hex)


def happen(store: Store, now_s: int) -> None:
    time_ms: Any = pa.timestamp("ms", tz="UTC")
    ts = pa.array([1000 * (now_s - 1230)], time_ms)
    event = {"agent": [2], "epoch": [1], "seq": [1], "device_id": [4], "severity": ["error"], "code": ["xid_79"],
             "text": ["XID 79: the device has fallen off the bus"], "source": ["nvml"]}  # fmt: skip
    table = pa.table({**event, "ts": ts})
    for name, kind in {
        "agent": pa.uint32(),
        "epoch": pa.uint32(),
        "seq": pa.uint32(),
        "device_id": pa.uint32(),
    }.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    store.insert("event", table, token=uuid.uuid4().hex)
    span = ", ".join(f"fromUnixTimestamp64Milli({1000 * (now_s - ago_s)})" for ago_s in (2000, 1900))
    columns = "agent, epoch, kind, seq_from, seq_to, from_ts, to_ts, reason"
    store.command(f"INSERT INTO steelyard_store.gap ({columns}) VALUES (1, 1, 1, 5, 9, {span}, 'ring')")


@pytest.fixture(autouse=True)
def a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def asked(opened: tuple[str, Store], capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["job", *arguments, "--collector", opened[0]])
    said = capsys.readouterr()
    return code, (said.out or said.err)


def test_a_hung_job_says_which_rank_fell_silent_first(
    opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = asked(opened, capsys, "hangs", "--json")
    told = json.loads(said)
    assert (code, told["exit_code"], told["state"], told["devices"], told["nodes"]) == (4, 4, "hung", 4, 2)
    look_at = {finding["rule"]: finding["text"] for finding in told["look_at"]}
    assert "rank 3 (node n2) told its last step at " in look_at["silent rank"]
    assert look_at["silent rank"].endswith(", 40 s before the others; its device is busy for 0% now")
    assert look_at["device"] == "n2/1 (H100) is idle while 3 others of the job work"
    assert look_at["event"].endswith("on n2: XID 79: the device has fallen off the bus")
    assert look_at["gap"] == "1 range of what n1 told is lost (ring): figures leave those times out"
    assert look_at["lost time"].endswith("outside any step: start, input, restarts, waiting")
    # Its hours and its minutes make one sum, in which nothing is there twice.
    [figures] = told["figures"]
    assert (figures["tokens"], figures["steps"]) == (told["tokens"], told["steps"]) == (956 * 40_960, 240)
    assert figures["tokens_per_s_device"] == pytest.approx(4096)
    assert (figures["mfu_basis"][:9], figures["ofu_absent"]) == ("datasheet", "no tensor_active, or no clock")
    assert told["ranks"][0]["rank"] == 3


def test_a_job_that_runs_says_what_it_waits_for(opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asked(opened, capsys, "runs-1", "--ascii")
    assert code == 0
    assert said.isascii()
    assert "job runs-1  RUNNING since " in said
    assert "by slurm, user ines, trains llama-7b | 4096 | bfloat16" in said
    assert "1 node (n3), 1 H100; 1 rank told its last steps" in said
    lines = {line[:18].strip(): line[18:].split() for line in said.splitlines()}
    assert lines["tokens"] == ["4", "915", "200", "(inferred)"]
    assert lines["tokens/s/device"] == ["4", "096"] * 2
    assert lines["MFU"][:3] == ["20.1%", "20.1%", "of"]
    assert lines["OFU"] == ["-", "-", "no", "tensor_active,", "or", "no", "clock"]
    # 500 W over whole minutes of a quarter of an hour; the first of them may lack five seconds.
    assert lines["energy"][2:4] == ["kJ", "over"]
    assert 300 <= int(lines["energy"][1]) <= 450
    assert -int(lines["energy"][1]) % 30 <= 3
    assert lines["waited for"][:8] == [*["data,", "or", "its", "host", "for", "its", "devices:"], "40%"]
    assert "the power cap held the clock of n3/0 (H100) down for 20% of its last minutes" in said
    assert "host bound: 40% of its step time passes" in said


def test_a_job_of_last_week_still_answers(opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asked(opened, capsys, "old")
    assert code == 0
    assert "job old  FINISHED since " in said
    assert "9 830 400 (inferred)" in said, said
    assert "4 096" in said
    assert "1 node (n3), 1 H100; 1 rank told its last steps" in said
    assert "100.0% in productive steps (goodput)" in said
    assert "nothing stands out" in said


def test_idle_and_lost_jobs_have_codes_of_their_own(
    opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = asked(opened, capsys, "idles")
    assert code == 5
    assert "IDLE BUT HELD since " in said
    assert "holds 1 device and does nothing since " in said
    assert "none told" in said
    code, said = asked(opened, capsys, "loose")
    assert code == 0
    assert "job loose  RUNNING since " in said
    assert "its devices and nodes aren't known: no allocation was told" in said
    assert "1 800 000 (declared)" in said
    code, said = asked(opened, capsys, "gone")
    assert code == 6
    assert "nobody said that it ended" in said


def test_the_name_of_a_run_gives_its_newest_job_and_names_the_others(
    opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = asked(opened, capsys, "pretrain", "--json")
    told = json.loads(said)
    assert (code, told["job"], told["run"]) == (4, "hangs", "pretrain")
    assert [row["job"] for row in told["run_jobs"]] == ["hangs", "old"]
    assert "run pretrain (also job old), trains" in asked(opened, capsys, "hangs")[1]
    assert "run pretrain (also job hangs), trains" in asked(opened, capsys, "old")[1]


def test_an_unknown_job_names_the_nearest(opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asked(opened, capsys, "run-1")
    assert (code, said) == (7, "steelyard: no job 'run-1'; the nearest are runs-1\n")
    code, said = asked(opened, capsys, "0815")
    assert code == 7
    assert said.startswith("steelyard: no job '0815'; the newest are ")
    assert asked(opened, capsys, " ")[0] == 2


def test_following_ends_with_the_job(opened: tuple[str, Store], capsys: pytest.CaptureFixture[str]) -> None:
    address, store = opened
    now_s = int(time.time())

    def pause(seconds: float) -> None:
        assert seconds == 2
        hold(store, "short", now_s - 120, now_s + AHEAD_S + 1, closed=1)

    hold(store, "short", now_s - 120, now_s + AHEAD_S)
    arguments = build_parser().parse_args(["job", "short", "--follow", "--json", "--every", "2"])
    with connect(address) as client:
        assert follow(client, arguments, clock=time.monotonic, pause=pause) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [page["state"] for page in told] == ["starting", "finished"]


async def test_the_screen_of_jobs_leads_to_the_same_page(opened: tuple[str, Store], tmp_path: Path) -> None:
    async with running_app(opened[0], tmp_path, (100, 30)) as pilot:
        await pilot.press("3", "slash", *"hangs", "enter")
        await until_text(pilot, "1 of ")
        await pilot.press("enter")
        await until(pilot, lambda text: "HUNG since " in text, "the job's page")
        await pilot.press("end")
        await until_text(pilot, "n2/1 (H100) is idle while 3 others of the job work")
        await pilot.press("enter")
        await until_text(pilot, "filter job=hangs")
