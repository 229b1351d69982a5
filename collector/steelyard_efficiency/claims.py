"""Claims against what was measured: a verdict with its interval, its probability and its data, or why there is none."""

from dataclasses import dataclass
from typing import Protocol

from steelyard_efficiency.between import Share, probability_within
from steelyard_efficiency.compare import Comparison
from steelyard_efficiency.verdict import FAR, Verdict, verdict


class Claim(Protocol):
    """What is needed of a claim; the fields are explained in claims.toml."""

    @property
    def quantity(self) -> str:
        """training, inference or peak."""
        ...

    @property
    def value(self) -> float:
        """The claimed share of the reference."""
        ...

    @property
    def near(self) -> float:
        """How far the truth may be from a claim that holds."""
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of a claim for one pair of chips.

    Attributes:
        reason: why it can't be tested; empty otherwise.
        share: the interval it was judged on.
        probability: of the ratio being within `near` of the claim; None where it can't be told.
    """

    verdict: Verdict
    reason: str
    share: Share | None = None
    probability: float | None = None


def judge(claim: Claim, comparison: Comparison | None, *, absent: tuple[str, ...] = ()) -> Judgement:
    """A claim's verdict.

    Args:
        claim: what is claimed.
        comparison: of tokens per second, in the claim's unit; None where the reference ran nothing.
        absent: chips of the pair that the fleet doesn't have.
    """
    if claim.quantity != "training":
        return _untested(f"it is of {claim.quantity}; only training is measured here")
    if absent:
        return _untested(f"no {' and no '.join(absent)} here")
    if comparison is None:
        return _untested("no job on the reference counts tokens in this window")
    if comparison.missing:
        return _untested(comparison.missing)
    share = comparison.between
    if not isinstance(share, Share):
        return _untested("nothing is matched" if share is None else share.reason)
    word = verdict(claim.value, share.low, share.high, near=claim.near, far=max(FAR, 2 * claim.near))
    return Judgement(word, "", share, probability_within(share, claim.value, claim.near))


def _untested(reason: str) -> Judgement:
    return Judgement("not testable", reason)
