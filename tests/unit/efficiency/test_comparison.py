"""What is matched with what, which interval comes of it, and what is said where none does."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from steelyard_efficiency.between import NoShare, Share
from steelyard_efficiency.compare import Comparison, compare, cost, per_package
from steelyard_efficiency.jobs import Basis, JobRow
from steelyard_efficiency.matching import match
from steelyard_efficiency.pool import pool_of
from steelyard_efficiency.within import JobFigure

PRODUCTIVE = Basis("productive", "processed")
WALL = Basis("wall", "processed")


def job(chip: str, rate: float, model: str = "7B", **changes: object) -> JobRow:
    """A job of a long window."""
    precision = str(changes.get("precision", "bf16"))
    length = changes.get("sequence_length", 4096)
    row = JobRow(
        run=f"{chip}-{model}-{rate}",
        name=f"train {model}",
        vendor="huawei" if chip.startswith("9") else "nvidia",
        chip=chip,
        per="package",
        workload=f"{model} {length} {precision} pretrain",
        model=model,
        sequence_length=4096,
        precision="bf16",
        task="pretrain",
        quantity="tokens_per_s_device",
        basis=PRODUCTIVE,
        figure=JobFigure(math.log(rate), 1e-4, 12, 20, 0.1),
        tokens=1e9,
        amount=1e9 / rate,
        devices=8,
        nodes=1,
        origin="measured",
        tokens_origin="declared",
        marks=True,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def jobs(chip: str, rates: Sequence[float], model: str = "7B", **changes: object) -> list[JobRow]:
    return [job(chip, rate, model, **changes) for rate in rates]


def shown(result: Comparison) -> Share:
    assert isinstance(result.shown, Share)
    return result.shown


def reason_of(result: Comparison, run: str) -> str:
    return next(left.reason for left in result.excluded if left.run == run)


THREE = [*jobs("910B2", (820, 780, 800)), *jobs("H100", (1000, 1040, 960))]
# Ten groups of three with a CV of 5 %: a fleet that says how much jobs differ.
FLEET = [
    job("A100-80G", 500 * math.exp(0.05 * step), f"other-{number}") for number in range(10) for step in (-1.0, 0.0, 1.0)
]


def test_one_workload_gives_both_labelled_intervals() -> None:
    result = compare(THREE, "910B2", "H100")
    like, these = result.shares
    assert isinstance(like, Share)
    assert isinstance(these, Share)
    assert (like.kind, these.kind) == ("jobs like these", "these jobs")
    assert (round(like.ratio, 5), round(like.low, 5), round(like.high, 5)) == (0.80026, 0.73744, 0.86843)
    assert these.ratio == pytest.approx(like.ratio)
    assert these.high - these.low < like.high - like.low
    assert (result.jobs, result.reference_jobs, result.missing) == (3, 3, "")
    assert result.shown is like


def test_the_fleet_s_variance_comes_from_the_other_jobs_of_the_same_basis() -> None:
    result = compare([*THREE, *FLEET, *jobs("H20", (1, 9), "far", basis=WALL)], "910B2", "H100")
    assert result.prior is not None
    assert (result.prior.df, result.prior.groups) == (20, 10)
    assert result.prior.variance == pytest.approx(0.05**2)
    assert (round(shown(result).low, 5), round(shown(result).high, 5)) == (0.73847, 0.86722)
    assert shown(result).prior_cv == pytest.approx(0.05)


def test_one_job_a_side_without_a_fleet_is_these_jobs_only() -> None:
    result = compare([job("910B2", 800), job("H100", 1000)], "910B2", "H100")
    assert shown(result).kind == "these jobs"
    assert isinstance(result.between, NoShare)
    assert "fleet is too small" in result.between.reason


def test_workloads_are_strata_and_never_one_pot() -> None:
    # Simpson's: one pot of job means says 2.93 where every workload is 0.90.
    rows = [
        *jobs("910B2", [90 + 0.01 * n for n in range(9)], "1B"),
        job("910B2", 9, "70B"),
        *jobs("H100", (100, 100.04), "1B"),
        *jobs("H100", [10 + 0.001 * n for n in range(8)], "70B"),
    ]
    result = compare(rows, "910B2", "H100")
    assert result.ratio == pytest.approx(0.90, rel=2e-3)
    assert [dot.ratio for dot in result.workloads] == [pytest.approx(0.90, rel=2e-3)] * 2
    assert shown(result).kind == "these workloads"


def test_three_workloads_are_judged_over_workloads_like_these() -> None:
    rows = [
        row
        for model, a, r in (("7B", (80, 84), (100, 104)), ("13B", (40, 42), (52, 50)), ("70B", (9, 9.4), (10, 10.6)))
        for row in (*jobs("910B2", a, model), *jobs("H100", r, model))
    ]
    result = compare(rows, "910B2", "H100")
    like, these, _ = result.shares
    assert isinstance(like, Share)
    assert isinstance(these, Share)
    assert (like.kind, round(like.ratio, 5)) == ("workloads like these", 0.83264)
    assert (round(like.low, 5), round(like.high, 5)) == (0.71561, 0.96880)
    assert (round(these.low, 5), round(these.high, 5)) == (0.79463, 0.87246)
    assert result.between is like


def test_one_job_of_each_workload_takes_the_fleet_s_variance() -> None:
    rows = [
        *(job("910B2", a, model) for model, a in (("7B", 80), ("13B", 42))),
        *(job("H100", r, model) for model, r in (("7B", 100), ("13B", 50))),
    ]
    alone = compare(rows, "910B2", "H100")
    assert shown(alone).kind == "these jobs"
    result = shown(compare([*rows, *FLEET], "910B2", "H100"))
    assert (result.kind, result.df) == ("these workloads", 3)
    # Two keys with a job a side: the variance of the mean of two differences of two jobs.
    assert result.se == pytest.approx(0.05)
    assert result.ratio == pytest.approx(math.sqrt(0.80 * 0.84))


def test_precision_is_matched_unless_asked_for_as_run() -> None:
    rows = [*jobs("910B2", (800, 780)), *jobs("H100", (2000, 1950), precision="fp8")]
    assert compare(rows, "910B2", "H100").missing == (
        "the same models run at another precision on H100: ask for it `as run`"
    )
    result = compare(rows, "910B2", "H100", "as run")
    assert result.mode == "as run"
    assert shown(result).ratio == pytest.approx(0.4, rel=0.01)
    assert "splits by chip: precision: bf16 on 910B2, fp8 on H100" in result.warnings


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        (jobs("910B2", (800, 780)), "no job on H100 counts it in this window"),
        (jobs("H100", (800, 780)), "no job on 910B2 counts it in this window"),
        (
            [job("910B2", 800), job("H100", 1000, workload="")],
            "no job on H100 can be matched: its model isn't known; declare its name, or its parameters and sequence "
            "length",
        ),
        (
            [job("910B2", 800, sequence_length=8192), job("H100", 1000)],
            "7B runs on both, but not with the same sequence length",
        ),
        (
            [job("910B2", 800, "glm"), job("H100", 1000, "llama")],
            "no workload runs on both: 910B2 runs glm 4096 bf16 pretrain; H100 runs llama 4096 bf16 pretrain",
        ),
        (
            [job("910B2", 800, basis=Basis("productive", "loss")), job("H100", 1000)],
            "no kind of token is counted on both: 910B2 counts loss, H100 processed",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(rows: list[JobRow], missing: str) -> None:
    result = compare(rows, "910B2", "H100")
    assert result.missing == missing
    assert (result.ratio, result.shown) == (None, None)


def test_kinds_of_tokens_are_never_mixed() -> None:
    rows = [*THREE, job("910B2", 500, basis=Basis("productive", "loss"), run="other")]
    result = compare(rows, "910B2", "H100")
    assert (result.jobs, result.basis) == (3, PRODUCTIVE)
    assert reason_of(result, "other") == (
        "counts loss tokens over productive time, the jobs that are compared processed tokens over productive time"
    )


def test_marks_on_one_side_only_make_it_wall_time_for_both() -> None:
    def rows(marks: bool) -> list[JobRow]:
        return [
            *jobs("910B2", (800, 780), marks=True),
            *(replace(row, basis=WALL) for row in jobs("910B2", (700, 690), marks=True)),
            *jobs("H100", (1000, 990), marks=marks),
            *(replace(row, basis=WALL) for row in jobs("H100", (950, 940), marks=marks)),
        ]

    assert compare(rows(marks=True), "910B2", "H100").basis == PRODUCTIVE
    result = compare(rows(marks=False), "910B2", "H100")
    assert result.basis == WALL
    assert result.ratio == pytest.approx(math.sqrt(700 * 690 / 950 / 940))


def test_jobs_that_are_left_out_are_listed_with_the_reason() -> None:
    short = JobFigure(math.log(500), 1e-2, 1, 2, 0.0)
    rows = [
        *THREE,
        job("910B2", 500, run="short", figure=short),
        job("910B2", 500, "glm", run="alone"),
        job("910B2", 500, run="both"),
        job("H100", 500, run="both"),
        job("H100", 900, run="nameless", workload=""),
    ]
    result = compare(rows, "910B2", "H100")
    assert (result.jobs, result.reference_jobs) == (3, 3)
    assert {left.run: left.reason for left in result.excluded} == {
        "short": "its window is too short: 2 minutes of steps",
        "alone": "no job of its workload on H100: glm 4096 bf16 pretrain",
        "both": "runs on several kinds of chips at once",
        "nameless": "its model isn't known; declare its name, or its parameters and sequence length",
    }


def test_a_young_fleet_has_a_ratio_and_no_interval() -> None:
    short = JobFigure(math.log(500), 1e-2, 1, 2, 0.0)
    result = compare([job("910B2", 500, figure=short), job("H100", 500)], "910B2", "H100")
    assert result.ratio == pytest.approx(1.0)
    assert isinstance(result.shown, NoShare)
    assert "window too short" in [share.reason for share in result.shares if isinstance(share, NoShare)][1]


def test_what_splits_as_the_chips_do_is_warned_of() -> None:
    rows = [
        *jobs("910B2", (800, 790), nodes=2, software={"torch": "2.6", "cann": "8.1"}, network="hccs"),
        *jobs("H100", (1000, 990), software={"torch": "2.7", "cuda": "12.8"}, network="ib", recompute=True),
    ]
    assert compare(rows, "910B2", "H100").warnings == (
        "splits by chip: network: hccs on 910B2, ib on H100",
        "splits by chip: node count: 2 on 910B2, 1 on H100",
        "splits by chip: version of torch: 2.6 on 910B2, 2.7 on H100",
    )
    shared = [*rows, job("910B2", 805, nodes=1, software={"torch": "2.7"}, network="ib")]
    assert compare(shared, "910B2", "H100").warnings == ()


def test_energy_of_half_of_the_time_is_none_and_of_less_than_nine_tenths_is_said() -> None:
    rows = [job("910B2", 800, coverage=0.4), *jobs("910B2", (780, 790), coverage=0.8), *jobs("H100", (1000, 990))]
    result = compare(rows, "910B2", "H100")
    assert reason_of(result, "910B2-7B-800") == "its energy is known over 40% of its time; 50 % are needed"
    assert result.jobs == 2
    assert result.warnings == ("energy is known over 80% of the time of some jobs: only minutes with both are counted",)


def test_cost_swaps_the_ends_and_needs_both_prices() -> None:
    rows = [*THREE, *FLEET]
    result = cost(compare(rows, "910B2", "H100"), {"910B2": 1.2, "H100": 2.0})
    share = shown(result)
    assert (round(share.ratio, 5), round(share.low, 5), round(share.high, 5)) == (0.74976, 0.69187, 0.81249)
    assert result.ratio == pytest.approx(share.ratio)
    assert result.workloads[0].ratio == pytest.approx(share.ratio)
    lacking = cost(compare(rows, "910B2", "H100"), {"H100": 2.0})
    assert lacking.missing == "no price of a device-hour of 910B2; add it to the file of prices"
    assert (lacking.ratio, lacking.shown) == (None, None)


def test_a_package_of_two_dies_is_worth_two_devices() -> None:
    result = compare([*jobs("910C", (400, 410)), *jobs("H100", (1000, 990))], "910C", "H100")
    package = per_package(result, 2)
    assert package.ratio == pytest.approx(2 * (result.ratio or 0))
    assert shown(package).low == pytest.approx(2 * shown(result).low)
    assert per_package(replace(result, quantity="tokens_per_j"), 2).ratio == result.ratio


def test_a_job_alone_on_its_side_is_matched_by_its_key() -> None:
    found = match(pool_of([job("910B2", 800), job("H100", 1000)]), "910B2", "H100")
    assert list(found.strata) == ["7B 4096 bf16 pretrain"]
    assert found.basis == PRODUCTIVE


def test_energy_of_part_of_the_time_is_bracketed() -> None:
    # All of the tokens over the joules of 80 % of the time, scaled: 5 % less than over the minutes with both.
    partly = job("910B2", 800, basis=WALL, coverage=0.8, scaled_y=math.log(760))
    result = compare([partly, job("H100", 1000, basis=WALL, coverage=1.0)], "910B2", "H100")
    assert result.ratio == pytest.approx(0.8)
    assert result.warnings[0].endswith("scaled up to all of the time the ratio is 0.760")
