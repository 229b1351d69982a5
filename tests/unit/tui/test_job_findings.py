"""What the page of a job says to look at: each rule where it holds, and where it doesn't."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steelyard_tui.job.findings import findings
from steelyard_tui.job.page import JobPage
from steelyard_tui.present.glyphs import ASCII, UNICODE
from steelyard_tui.present.job import job_lines
from steelyard_tui.present.line import plain, width_of

NOW = datetime(2026, 11, 25, 14, 14, tzinfo=UTC)
JOB: dict[str, Any] = {
    "job": "48213", "run": "48213", "name": None, "scheduler": "slurm", "user": "ines", "origin": "measured",
    "state": "running", "state_since": NOW - timedelta(hours=2), "since": NOW - timedelta(hours=2), "last_seen": NOW,
    "nodes": 2, "devices": 4, "world_size": 4, "power_w": 1200.0, "model": "llama-7b", "workload": "llama-7b | 4096",
    "sequence_length": 4096, "precision": "bfloat16", "task": None, "steps": 700, "tokens": 7e8,
    "tokens_origin": "declared", "tokens_absent": None, "last_step": NOW - timedelta(seconds=5), "step_p50_s": 10.0,
    "step_p99_s": 11.0, "goodput": 0.9,
}  # fmt: skip


def moment(seconds_ago: float) -> datetime:
    return NOW - timedelta(seconds=seconds_ago)


def job(**differs: Any) -> dict[str, Any]:
    return JOB | differs


def devices(busy: list[float | None], **differs: Any) -> tuple[dict[str, Any], ...]:
    """Two on each node, n1 first."""
    return tuple(
        {"device_id": n, "uid": f"d{n}", "node": f"n{n // 2 + 1}", "device_index": n % 2, "vendor": "nvidia",
         "chip": "H100", "part": "package", "state": "live" if value is not None else "silent",
         "age_s": 1.0 if value is not None else 300.0, "busy": value, **differs}
        for n, value in enumerate(busy)
    )  # fmt: skip


def ranks(seconds_ago: list[float], gap: float | None = None) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"node": f"n{n // 2 + 1}", "rank": n, "pid": 100 + n, "device_id": n, "last_step_at": moment(ago),
         "last_step": 70, "steps": 60, "step_time_s": 10.0, "host_gap_share": gap,
         "loss": None}
        for n, ago in enumerate(seconds_ago)
    )  # fmt: skip


def activity(**differs: Any) -> dict[int, dict[str, Any]]:
    calm = {"minutes": 10, "busy": 0.99, "core_active": 0.8, "core_clock_mhz": 1700.0, "power_w": 600.0,
            "throttled_power": None, "throttled_thermal": None, "throttled_hw": None, "health": None,
            "ecc_uncorrected_per_s": None}  # fmt: skip
    return {0: {"device_id": 0, **calm, **differs}}


def goodput(**differs: float) -> tuple[dict[str, Any], ...]:
    calm = {"wall_s": 1000.0, "productive_s": 950.0, "checkpoint_s": 20.0, "evaluate_s": 10.0, "first_steps_s": 10.0,
            "outside_steps_s": 10.0}  # fmt: skip
    return ({"vendor": "nvidia", "chip": "H100", "part": "package", "absent": None, **calm, **differs},)


def untold() -> tuple[dict[str, Any], ...]:
    """Of a job that told no steps."""
    parts = ("productive_s", "checkpoint_s", "evaluate_s", "first_steps_s", "outside_steps_s")
    return tuple(row | dict.fromkeys(parts) | {"absent": "it told no steps"} for row in goodput())


def said(**parts: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in findings(JobPage(**{"read_at": NOW, "job": JOB, "goodput": goodput(), **parts})):
        found.setdefault(finding.rule, []).append(finding.text)
    return found


HUNG = job(state="hung", last_step=moment(720), state_since=moment(720))
BUSY = devices([0.9] * 4)


def test_a_calm_job_has_nothing_to_look_at() -> None:
    calm = activity(throttled_power=0.01, throttled_thermal=0.0, health=0.0, ecc_uncorrected_per_s=0.0)
    assert said(devices=BUSY, ranks=ranks([5, 5, 5, 6], 0.02), activity=calm) == {}
    assert said() == {}


def test_a_hung_job_names_the_rank_that_fell_silent_first() -> None:
    found = said(job=HUNG, devices=devices([1.0, 1.0, 1.0, 0.0]), ranks=ranks([720, 720, 720, 760]))
    assert found["state"][0].startswith("hung since 14:02:00 (12 min): no step for longer than 5 min")
    assert found["silent rank"] == [
        "rank 3 (node n2) told its last step at 14:01:20, 40 s before the others; its device is busy for 0% now"
    ]
    assert found["device"] == ["n2/1 (H100) is idle while 3 others of the job work"]


@pytest.mark.parametrize(
    ("ago", "count"),
    [
        ([720, 720, 720, 735], 0),  # less than two steps
        ([720, 760, 760, 760], 0),  # most fell silent: no one is to blame
        ([720, 720, 760, 770], 2),
        ([720], 0),
    ],
)
def test_ranks_are_blamed_where_they_are_few_and_clearly_first(ago: list[float], count: int) -> None:
    assert len(said(job=HUNG, devices=BUSY, ranks=ranks(ago)).get("silent rank", [])) == count


def test_what_devices_do_while_nothing_gets_on() -> None:
    assert "wait inside a collective call" in said(job=HUNG, devices=devices([1.0] * 4))["device"][0]
    assert "its ranks wait on their hosts" in said(job=HUNG, devices=devices([0.0] * 4))["device"][0]
    assert said(job=HUNG, devices=devices([0.5] * 4)).get("device") is None
    found = said(job=HUNG, devices=devices([1.0, 1.0, None, None]))["device"]
    assert found[0] == "n2 has sent no sample for 5 min: the node or its agent is down"
    found = said(devices=devices([1.0, 1.0, 1.0, None]))["device"]
    assert found == ["n2/1 (H100) sent no sample of late, others of n2 did"]


def test_a_device_that_its_running_job_never_uses() -> None:
    calm = activity()[0]
    minutes = {n: calm | {"device_id": n, "busy": 0.0 if n == 2 else 0.9} for n in range(4)}
    now = devices([0.0] * 4)
    assert said(devices=now, activity=minutes)["device"] == [
        "n2/0 (H100) did nothing in its last minutes, 3 others of the job worked"
    ]
    assert said(devices=now, activity={n: row | {"busy": 0.0} for n, row in minutes.items()}) == {}


def test_steps_that_do_not_count_yet_were_told_all_the_same() -> None:
    young = job(steps=0, tokens=None, step_p50_s=None, step_p99_s=None)
    assert "untold" not in said(job=young, ranks=ranks([1.0, 1.0]))
    assert "untold" in said(job=young, ranks=(), goodput=goodput(first_steps_s=0.0))
    page = JobPage(NOW, young, ranks=ranks([1.0, 1.0]))
    assert any("none counted yet" in plain(line) for line in job_lines(page, 100, UNICODE))


def test_states_that_want_a_hand() -> None:
    idle = job(state="idle but held", state_since=moment(3600), steps=0, tokens=None, last_step=None)
    found = said(
        job=idle,
        devices=devices([0.0] * 4),
        goodput=untold(),
    )
    assert found["state"] == [
        "holds 4 devices and does nothing since 13:14:00 (60 min), drawing 1200 W: end it, or start its work"
    ]
    assert found["untold"][0].startswith("it told no steps")
    assert "lost time" not in found
    assert "nobody said that it ended" in said(job=job(state="lost"))["state"][0]
    fresh = job(state="starting", since=moment(120), steps=None, tokens=None)
    assert said(job=fresh) == {}
    assert "no step in 20 min" in said(job=fresh | {"since": moment(1200)})["state"][0]


def test_stragglers_with_cause_and_gain() -> None:
    slow = {"rank": 3, "device_id": 3, "node": "n2", "chip": "H100", "kind": "became slow", "cause": "clock",
            "since": moment(600), "slow_ratio": 0.08, "gain_ratio": 0.06, "ranks": 4, "profile": "p1",
            "confirmed": True, "profile_excess": 0.084, "confirmed_absent": None}  # fmt: skip
    by_nature = slow | {"rank": None, "kind": "slowest by nature", "gain_ratio": None, "confirmed": None,
                        "confirmed_absent": "no window"}  # fmt: skip
    refuted = by_nature | {"cause": "link", "confirmed": False, "profile_excess": -0.01, "rank": 4}
    assert said(stragglers=(slow, by_nature, refuted))["straggler"] == [
        "rank 3 (node n2) became slow since 14:04:00 by its clock: 8.0% slower in that; like the others, steps would "
        "be 6.0% shorter; its next profile window confirms that: compute +8.4% against its peers'",
        "a device of node n2 slowest by nature by its clock: 8.0% slower in that; its cause is not confirmed: "
        "no window",
        "rank 4 (node n2) slowest by nature by its link: 8.0% slower in that; its group's next profile windows refute "
        "that: exposed collectives -1.0% of the time against other groups'",
    ]


def test_what_holds_devices_down() -> None:
    hot = activity(throttled_thermal=0.3, throttled_power=0.04, health=3.0, ecc_uncorrected_per_s=0.1)
    found = said(devices=BUSY, activity=hot)
    assert found["throttled"] == ["heat held the clock of n1/0 (H100) down for 30% of its last minutes"]
    assert found["unwell"] == [
        "n1/0 (H100): its driver calls it unwell (health 3 of 3)",
        "n1/0 (H100): memory errors that could not be corrected in its last minutes",
    ]


def test_the_host_is_to_blame_only_where_devices_wait_for_it() -> None:
    assert said(ranks=ranks([5] * 4, 0.1)) == {}
    bound = said(ranks=ranks([5] * 4, 0.4), activity=activity(busy=0.6))["host"]
    assert bound[0].startswith("host bound: 40% of its step time passes between")
    kept = said(ranks=ranks([5] * 4, 0.4), activity=activity(busy=0.95))["host"]
    assert kept == [
        "40% of its step time passes between a step's end and the next forward: it waits for data, or its host for its "
        "devices"
    ]


def test_where_the_time_went() -> None:
    lost = goodput(checkpoint_s=100.0, evaluate_s=60.0, first_steps_s=120.0, outside_steps_s=200.0)
    assert [text.split(" of its")[0] for text in said(goodput=lost)["lost time"]] == ["10%", "6%", "12%", "20%"]


def test_events_near_the_end_come_first_and_others_are_counted() -> None:
    def event(ago: float, code: str, severity: str = "error") -> dict[str, Any]:
        return {"ts": moment(ago), "severity": severity, "node": "n2", "device_id": 3, "chip": "H100", "code": code,
                "text": f"what {code} means", "source": "nvml"}  # fmt: skip

    events = (event(700, "xid_79"), event(5000, "xid_48"), event(6000, "xid_48"), event(10, "calm", "info"))
    assert said(job=HUNG, devices=BUSY, events=events)["event"] == [
        "near its end, 14:02:20 on n2: what xid_79 means", "error on n2 (2 times): what xid_48 means"
    ]  # fmt: skip


def test_losses_and_what_nobody_told() -> None:
    gap = {"node": "n1", "kind": "step", "from_ts": moment(90), "to_ts": moment(60), "reason": "ring", "recorded": NOW}
    assert said(gaps=(gap, gap))["gap"] == ["2 ranges of what n1 told are lost (ring): figures leave those times out"]
    silent = job(tokens=None, tokens_absent="no sequence length")
    assert said(job=silent)["untold"] == [
        "its tokens aren't known (no sequence length): declare STEELYARD_TOKENS_PER_STEP in its environment"
    ]


def test_the_page_fits_its_width_and_says_what_is_simulated() -> None:
    page = JobPage(
        read_at=NOW, job=HUNG | {"origin": "simulated", "name": "x\x1b[2Jy"}, devices=BUSY, ranks=ranks([720] * 4),
        goodput=goodput(), figures=(figures(),),
    )  # fmt: skip
    for glyphs in (UNICODE, ASCII):
        lines = [plain(line) for line in job_lines(page, 78, glyphs)]
        assert max(width_of(line) for line in lines) <= 78
        text = "\n".join(lines)
        assert "SIMULATED: no such job exists" in text
        assert "\x1b" not in text
        assert "2 nodes (n1, n2), 4 H100, world size 4; 4 ranks told its last steps" in text
        assert "95.0% in productive steps (goodput), 2.0% checkpoints" in text.replace("\n" + " " * 18, " ")
    assert all(plain(line).isascii() for line in job_lines(page, 78, ASCII))


def test_a_job_that_told_no_steps_says_so_and_keeps_its_energy() -> None:
    row = figures() | {"steps": 0, "tokens": None, "tokens_per_s_device": None, "energy_j": 5e6, "energy_coverage": 0.9}
    page = JobPage(NOW, job(steps=0, tokens=None), goodput=untold(), figures=(row,))
    lines = {line[:18].strip(): line[18:].strip() for line in map(plain, job_lines(page, 100, UNICODE))}
    assert lines["time went"] == "not known: it told no steps"
    assert lines["tokens/J"].split(maxsplit=1)[1] == "no tokens"
    assert lines["energy"].endswith("over 90% of its time")


def test_a_job_that_warms_up_is_told_of_no_lost_time() -> None:
    warm = goodput(productive_s=0.0, checkpoint_s=0.0, evaluate_s=0.0, first_steps_s=800.0, outside_steps_s=190.0)
    assert "lost time" not in said(goodput=warm)


def figures() -> dict[str, Any]:
    return {
        "vendor": "nvidia", "chip": "H100", "part": "package", "devices": 4, "steps": 700, "tokens": 7e8,
        "tokens_per_s_device": 3000.0, "mfu": 0.41, "mfu_basis": "datasheet", "mfu_absent": None, "ofu": None,
        "ofu_validated": None, "ofu_absent": "no tensor_active, or no clock", "tokens_per_j": None, "energy_j": None,
        "energy_coverage": 0.0, "cost_per_mtoken": None, "currency": None,
    }  # fmt: skip
