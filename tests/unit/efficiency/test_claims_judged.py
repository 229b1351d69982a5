"""A claim's verdict: from which interval, with which probability, and why none."""

from dataclasses import dataclass

import pytest

from steelyard_efficiency.claims import judge
from steelyard_efficiency.compare import compare
from tests.unit.efficiency.test_comparison import FLEET, THREE, job


@dataclass(frozen=True)
class Claimed:
    value: float
    quantity: str = "training"
    near: float = 0.05


RATIO = compare([*THREE, *FLEET], "910B2", "H100")


def test_the_worked_example_s_probabilities() -> None:
    found = judge(Claimed(0.80), RATIO)
    assert (found.verdict, found.reason) == ("consistent", "")
    assert found.share is RATIO.between
    assert found.probability is not None
    assert round(found.probability, 4) == 0.8863
    other = judge(Claimed(1.00), RATIO)
    assert other.verdict == "not consistent"
    assert other.probability is not None
    assert round(other.probability, 4) == 0.0004
    assert judge(Claimed(0.90), RATIO).verdict == "undecided"


def test_a_claim_that_was_rounded_more_coarsely_is_judged_more_coarsely() -> None:
    assert judge(Claimed(0.9, near=0.2), RATIO).verdict == "consistent"


@pytest.mark.parametrize(
    ("claim", "absent", "reason"),
    [
        (Claimed(0.6, "inference"), (), "it is of inference; only training is measured here"),
        (Claimed(0.8), ("910C",), "no 910C here"),
        (Claimed(0.8), ("910C", "H100"), "no 910C and no H100 here"),
    ],
)
def test_what_can_t_be_tested_here(claim: Claimed, absent: tuple[str, ...], reason: str) -> None:
    found = judge(claim, RATIO, absent=absent)
    assert (found.verdict, found.reason, found.share) == ("not testable", reason, None)


def test_one_job_a_side_without_a_fleet_tests_no_claim() -> None:
    found = judge(Claimed(0.8), compare([job("910B2", 800), job("H100", 1000)], "910B2", "H100"))
    assert found.verdict == "not testable"
    assert found.reason == "one job on a side, and the fleet is too small to say how much jobs differ"


def test_nothing_matched_says_what_is_missing() -> None:
    found = judge(Claimed(0.8), compare([job("910B2", 800)], "910B2", "H100"))
    assert found.reason == "no job on H100 counts it in this window"
    assert judge(Claimed(0.8), None).reason == "no job on the reference counts tokens in this window"
