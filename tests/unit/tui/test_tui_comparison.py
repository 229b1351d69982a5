"""The comparison as data and as text; the text is compared with files that a person has looked at.

UPDATE_GOLDEN=1 writes them anew; look at the difference before it is committed.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard_tui.comparison import METRICS, WINDOWS, Chip, Row, Weighed, chips_of, usual_reference
from steelyard_tui.history import RATE, History, Series
from steelyard_tui.present import comparison, comparison_panels
from steelyard_tui.present.comparison_detail import detail_lines
from steelyard_tui.present.fleet import Key, key_of
from steelyard_tui.present.glyphs import ASCII, COARSE, SMOOTH, UNICODE, Glyphs
from steelyard_tui.present.line import Painted, line_width, plain
from steelyard_tui.present.reasons import explain_none, why_no_share
from steelyard_tui.present.shares import share_axis, share_bar
from steelyard_tui.present.tones import look_of
from steelyard_tui.workloads import main_workload

FOLDER = Path(__file__).parent / "golden"
NOW_MS = 1_800_000_000_000
LLAMA = "llama-8b | 4096 | bfloat16 | pretrain"


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW_MS / 1000 + seconds, UTC)


def kind(vendor: str, chip: str, origin: str = "simulated", **figures: object) -> Row:
    known = {"part": "package", "devices": 64, "reporting": 64, "stale": 0, "nodes": 8, "jobs": 2, "power_w": 640.0}
    return {"vendor": vendor, "chip": chip, "origin": origin, **known, **figures}


FLEET = [
    kind("amd", "MI300X"),
    kind("cpu", "", "measured", devices=1, reporting=1, nodes=1, jobs=0, power_w=None),
    kind("huawei", "910B2", devices=512, reporting=508, stale=1),
    kind("huawei", "910C", part="die", devices=384, reporting=384),
    kind("nvidia", "A100-80G"),
    kind("nvidia", "H100", devices=256, reporting=256),
]


def live(row: Row, rate: float, **figures: object) -> tuple[Key, Row]:
    known = {
        "workload": LLAMA, "workloads": 1, "tokens_origin": "declared", "tokens_absent": None, "mfu": 0.418,
        "mfu_basis": "datasheet, dense", "mfu_absent": None, "ofu": 0.469, "ofu_validated": False, "ofu_absent": None,
        "tokens_per_j": 2.213, "energy_coverage": 1.0, "cost_per_mtoken": None, "currency": None, "step_p50_s": 0.812,
        "step_p95_s": 0.85, "step_p99_s": 0.904, "goodput": 0.94, "tokens_per_s_device": rate,
    }  # fmt: skip
    return key_of(row), {**row, "devices": 16, "jobs": 1, **known, **figures}


LIVE = dict(
    [
        live(FLEET[0], 1198.0, ofu=None, ofu_absent="no tensor_active", step_p99_s=1.34),
        live(FLEET[2], 579.4, step_p50_s=1.981, step_p95_s=2.0, step_p99_s=2.21, energy_coverage=0.91),
        live(FLEET[3], 563.0, step_p50_s=13.02, step_p95_s=13.4, step_p99_s=14.0),
        live(FLEET[4], 61_440.0, workload="bert | 512", mfu=None, mfu_absent="its FLOPs per token aren't known"),
        live(FLEET[5], 1412.0, ofu_validated=True, share_of_ceiling=0.524),
    ]
)


def share(chip: str, ratio: float | None, half: float | None, jobs: int = 3, **columns: Any) -> Row:
    low, high = (ratio - half, ratio + half) if ratio is not None and half is not None else (None, None)
    return {
        "from_ts": at(-3600), "to_ts": at(-20), "computed_at": at(-10), "scope": "all", "workload": None,
        "origin": "simulated", "vendor": "", "chip": chip, "reference": "H100", "quantity": "tokens_per_s_device",
        "mode": "matched", "unit": "device", "kind": "jobs like these", "is_shown": True, "ratio": ratio, "lo": low,
        "hi": high, "n_a": jobs, "n_r": 3, "workloads": 1, "marked": "productive", "token_kind": "processed",
        "matched_on": ["model", "sequence length", "precision", "task"], "prior_cv": None, "prior_groups": 0,
        "reason": None, "warnings": [], "excluded": [], **columns,
    }  # fmt: skip


NONE_RUNS_BOTH = "no workload runs on both: A100-80G runs bert | 512; H100 runs llama-8b | 4096"
SHARES = [
    share("MI300X", 0.85, 0.03, warnings=["the node count differs exactly as the chips do"]),
    share("910B2", 0.41, 0.012, 4, excluded=["job-9 on 910B2: no steps in the window", "and 2 more"]),
    share("910C", 0.40, None, 1, kind="jobs like these", reason="window too short: 3 batches of steps"),
    share("910C", 0.80, None, 1, unit="package", reason="window too short: 3 batches of steps"),
    share("A100-80G", None, None, 0, kind=None, reason=NONE_RUNS_BOTH, workloads=0),
    share("MI300X", 0.77, 0.02, quantity="tokens_per_j"),
    share("910B2", 0.80, 0.01, quantity="tokens_per_j"),
]


def claim(name: str, chip: str, value: float, **columns: Any) -> Row:
    return {
        "claim": name, "subject": "910B", "chip": chip, "claimed_of": "A100", "reference": "A100-80G",
        "unit": "package", "quantity": "training", "value": value, "near": 0.05, "said_by": "the press, twice",
        "said_on": "2025-04", "origin": None, "verdict": "not testable", "reason": f"no {chip} here", "ratio": None,
        "lo": None, "hi": None, "kind": None, "probability": None, "n_a": 0, "n_r": 0, "workloads": 0, **columns,
    }  # fmt: skip


JUDGED = {"origin": "simulated", "reason": None, "ratio": 0.8, "lo": 0.77, "hi": 0.83, "kind": "jobs like these",
          "probability": 0.01, "n_a": 2, "n_r": 3, "workloads": 1}  # fmt: skip
CLAIMS = [
    *(claim("b-press", chip, 0.8) for chip in ("910B1", "910B3")),
    claim("b-press", "910B2", 0.8, reason="no job on the reference counts tokens in this window"),
    claim("c-huawei", "910C", 1.0, subject="910C", claimed_of="H100", verdict="not consistent", **JUDGED),
    claim("x-user", "X9", 0.5, subject="X9", reason="no X9 here"),
]


def rates() -> dict[Key, History]:
    start = NOW_MS - 3_600_000
    at_ms = start + np.arange(60) * 60_000.0
    found = {}
    for row, dip in ((FLEET[0], 0.91), (FLEET[2], 1.0), (FLEET[5], 1.0)):
        mean = np.full(60, 1000.0) * (1 + 0.005 * np.sin(np.arange(60)))
        mean[40:43] *= dip
        found[key_of(row)] = History(at_ms, 60_000, start, NOW_MS, "1m", {RATE: Series(mean, mean, mean)})
    return found


WEIGHED = Weighed("H100", WINDOWS[0], SHARES, CLAIMS, [], workload=LLAMA, rates=rates(), is_read=True)
YOUNG = replace(WEIGHED, shares=(), claims=CLAIMS, rates={})


def job(chip: str, since_s: float, workload: str | None = LLAMA, **columns: object) -> Row:
    known = {"job": f"on {chip}", "origin": "simulated", "steps": 40, "step_p50_s": 1.0, "tokens_absent": None}
    return {**known, "chips": [chip], "since": at(since_s), "workload": workload, **columns}


def drawn(weighed: Weighed, size: tuple[int, int], glyphs: Glyphs, cursor: int = 2) -> list[Painted]:
    width, height = size[0], size[1] - 3
    chips = chips_of(FLEET, LIVE, weighed, METRICS[0])
    look = comparison.Look(width, height, METRICS[0], cursor, glyphs, NOW_MS)
    upper = comparison.draw(chips, weighed, look)
    assert len(upper.lines) == len(upper.owners)
    lower = comparison_panels.lower_lines(chips, weighed, look, height - len(upper.lines))
    scope = comparison.scope_line(chips, weighed, METRICS[0], width, glyphs)
    return [Painted(scope), *upper.lines, *map(Painted, lower)]


@pytest.mark.parametrize(
    ("name", "weighed", "size", "glyphs"),
    [
        ("compare_80x24", WEIGHED, (80, 24), SMOOTH),
        ("compare_80x24_mono", WEIGHED, (80, 24), UNICODE),
        ("compare_80x24_ascii", WEIGHED, (80, 24), ASCII),
        ("compare_160x48", WEIGHED, (160, 48), SMOOTH),
        ("compare_160x48_ascii", WEIGHED, (160, 48), ASCII),
        ("compare_40x10", WEIGHED, (40, 10), SMOOTH),
        ("compare_80x24_young", replace(YOUNG, jobs=[job("H100", -200), job("910B2", -90)]), (80, 24), SMOOTH),
    ],
)
def test_the_comparison_reads_as_agreed(name: str, weighed: Weighed, size: tuple[int, int], glyphs: Glyphs) -> None:
    lines = drawn(weighed, size, glyphs)
    text = "\n".join(plain(painted.line).rstrip() for painted in lines) + "\n"
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert len(lines) <= size[1] - 2
    assert glyphs is not ASCII or text.isascii()
    for painted in lines:
        for _, tone in painted.line:
            look_of(tone)


def test_the_upper_part_never_runs_over_and_keeps_the_cursor_in_sight() -> None:
    chips = chips_of(FLEET, LIVE, WEIGHED, METRICS[0])
    for size in ((40, 7), (60, 12), (80, 21), (120, 27), (200, 60)):
        for cursor in range(len(chips)):
            look = comparison.Look(*size, METRICS[0], cursor, COARSE, NOW_MS)
            upper = comparison.draw(chips, WEIGHED, look)
            assert len(upper.lines) <= size[1]
            assert cursor in upper.owners
            assert all(line_width(painted.line) <= size[0] for painted in upper.lines if painted.ground == "bar")


def test_chips_stand_by_their_share_and_cost_the_other_way_round() -> None:
    order = [chip.name for chip in chips_of(FLEET, LIVE, WEIGHED, METRICS[0])]
    assert order == ["H100", "MI300X", "910B2", "910C", "A100-80G", ""]
    costs = [
        share("MI300X", 1.2, 0.1, quantity="cost_per_mtoken"),
        share("910B2", 0.7, 0.1, quantity="cost_per_mtoken"),
    ]
    dear = chips_of(FLEET, LIVE, replace(WEIGHED, shares=costs), METRICS[2])
    assert [chip.name for chip in dear][:3] == ["910B2", "H100", "MI300X"]


def test_the_reference_is_the_h100_else_what_there_is_most_of() -> None:
    assert usual_reference(FLEET) == "H100"
    assert usual_reference(FLEET[:5]) == "910B2"
    assert usual_reference(FLEET[1:2]) == ""


def of(name: str, weighed: Weighed) -> Chip:
    return next(chip for chip in chips_of(FLEET, LIVE, weighed, METRICS[0]) if chip.name == name)


@pytest.mark.parametrize(
    ("weighed", "words"),
    [
        (Weighed("H100", WINDOWS[0]), "asking for its share"),
        (WEIGHED, "no simulated job runs on 910B2"),
        (replace(YOUNG, jobs=None), "no share is kept of it; asking for its jobs"),
        (replace(YOUNG, jobs=None, fault="it is lost"), "it is lost"),
        (replace(YOUNG, jobs=[job("910B2", -900)]), "no simulated job runs on H100"),
        (
            replace(YOUNG, jobs=[job("910B2", -9, None, tokens_absent="why")]),
            "what the jobs on 910B2 train isn't known: why",
        ),
        (replace(YOUNG, jobs=[job("910B2", -9), job("H100", -60)]), "first ratio in about 7 min"),
        (replace(YOUNG, jobs=[job("910B2", -9, step_p50_s=60.0), job("H100", -9)]), "first ratio in about 22 min"),
        (replace(YOUNG, jobs=[job("910B2", -450), job("H100", -600)]), "first ratio any minute now"),
        (replace(YOUNG, jobs=[job("910B2", -9), job("H100", -9, "bert")]), "no workload runs on both: 910B2 has llama"),
        (replace(YOUNG, jobs=[job("910B2", -9000), job("H100", -9000)]), "it does so once a minute"),
    ],
)
def test_a_chip_without_a_share_says_what_is_missing(weighed: Weighed, words: str) -> None:
    chip = replace(of("910B2", weighed), share=None)
    assert words in why_no_share(chip, weighed, NOW_MS)


def recent(chip: str, workload: str, rate: float, device_s: float = 480.0) -> Row:
    row = next(row for row in FLEET if row["chip"] == chip)
    figures = {"tokens_per_j": 2.0, "cost_per_mtoken": None, "currency": None, "step_p50_s": 1.0, "step_p95_s": 1.1}
    return {
        **row,
        **figures,
        "workload": workload,
        "device_s": device_s,
        "tokens_per_s_device": rate,
        "step_p99_s": 1.2,
    }


def test_a_chip_of_several_workloads_shows_its_rates_in_the_one_that_most_can_be_compared_in() -> None:
    rows = [recent("H100", "big", 9.0, 9999.0), recent("H100", LLAMA, 1400.0), recent("910C", LLAMA, 560.0)]
    rows += [recent(chip, "elsewhere", 7.0) for chip in ("910B2", "910C", "A100-80G")]
    assert main_workload(rows, "H100") == LLAMA
    assert main_workload([row for row in rows if row["workload"] != LLAMA], "H100") == "big"
    assert main_workload([], "H100") == ""
    several = {"workloads": 2, "workload": None, "tokens_absent": "several", "tokens_per_s_device": None}
    mixed = dict(live(FLEET[at_], 0.0, **several) for at_ in (2, 3, 5))
    weighed = replace(WEIGHED, recent=rows, workload=LLAMA)
    shown = {chip.name: chip.row for chip in chips_of(FLEET, {**LIVE, **mixed}, weighed, METRICS[0])}
    assert (shown["H100"]["tokens_per_s_device"], shown["H100"]["step_p99_s"], shown["H100"]["mfu"]) == (
        1400.0,
        1.2,
        0.418,
    )
    assert shown["910B2"]["tokens_per_s_device"] is None
    assert shown["910B2"]["tokens_absent"] == f"several workloads, none of them {LLAMA}"
    assert [shown[name]["unlike"] for name in ("H100", "910C", "A100-80G")] == [None, None, "bert | 512"]


def test_beside_mfu_stands_the_measured_ceiling_and_without_it_what_is_achieved() -> None:
    known = live(FLEET[2], 579.4, share_of_ceiling=0.47, tflops_per_device=148.0)
    unknown = live(FLEET[4], 900.0, mfu=None, mfu_absent="the chip table has no such chip", tflops_per_device=31.02)
    chips = {chip.name: chip for chip in chips_of(FLEET, {**LIVE, **dict([known, unknown])}, WEIGHED, METRICS[0])}
    look = comparison.Look(400, 40, METRICS[0], 0, UNICODE, NOW_MS)

    def said(name: str) -> str:
        return " ".join(plain(line) for line in detail_lines(chips[name], WEIGHED, look, 40))

    assert "MFU of the dense peak: datasheet, dense; 47% of what a large matrix product was measured to" in said(
        "910B2"
    )
    assert "148" not in said("910B2")
    assert "31.0 TFLOP/s a device; " in said("A100-80G")
    assert "no MFU: the chip table has no such chip" in said("A100-80G")


def test_the_collector_s_own_reason_stands_where_nothing_is_on_its_way() -> None:
    assert why_no_share(of("A100-80G", WEIGHED), WEIGHED, NOW_MS) == NONE_RUNS_BOTH
    assert why_no_share(of("", WEIGHED), WEIGHED, NOW_MS) == "a chip of no known name: held against nothing"


@pytest.mark.parametrize(
    ("jobs", "news"),
    [
        ([], "No share yet: no job runs here."),
        ([job("H100", -9, None)], "No share yet: no job tells what it trains. Start it under"),
        ([job("H100", -9)], "No share yet: no workload runs on H100 and on another chip."),
        ([job("H100", -9000), job("910C", -9000)], "No share yet: the collector weighs what has run once a minute."),
        ([job("H100", -9), job("910C", -9)], "No share yet: first ratio in about 7 min."),
    ],
)
def test_a_young_fleet_is_told_when_its_first_share_comes(jobs: list[Row], news: str) -> None:
    weighed = replace(YOUNG, jobs=jobs)
    chips = chips_of(FLEET, LIVE, weighed, METRICS[0])
    said = explain_none(chips, weighed, NOW_MS)
    assert said[0].startswith(news)
    assert "first minutes don't count (20 steps or 5 min, whichever is longer)" in said[1]


def test_a_smooth_bar_ends_to_an_eighth_of_a_cell() -> None:
    row = {**share("910B2", 0.5, 0.1), "vendor": "huawei"}
    bar = share_bar(row, 1.25, 50, SMOOTH)
    assert plain(bar) == "█" * 16 + "█" * 4 + "┃" + "█" * 3 + " " * 16 + "▏" + " " * 9
    assert [tone for _, tone in bar][:3] == ["huawei", "huawei-pale", "strong@huawei-pale"]
    odd = share_bar({**row, "lo": 0.41, "hi": 0.595}, 1.25, 50, SMOOTH)
    assert ("▍", "huawei@huawei-pale") in odd
    assert plain(share_bar(row, 1.25, 50, ASCII)) == "=" * 16 + "-" * 4 + "#" + "-" * 3 + " " * 16 + "|" + " " * 9
    assert plain(share_bar({**row, "ratio": None, "lo": None}, 1.25, 50, SMOOTH)).strip() == "▏"


def test_the_axis_of_shares_has_room_for_its_labels() -> None:
    assert share_axis(1.25, 40).split() == ["0", "0.25", "0.5", "0.75", "1"]
    assert share_axis(2.5, 40).split() == ["0", "0.5", "1", "1.5", "2"]
    assert share_axis(40.0, 12).strip() == "0"
    assert all(len(share_axis(scale, 30)) == 30 for scale in (1.1, 1.25, 3.0, 11.0))
