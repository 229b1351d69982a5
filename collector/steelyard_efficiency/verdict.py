"""A claim against an interval: equivalence with a tolerance, not "lies inside"."""

from typing import Final, Literal

Verdict = Literal["consistent", "not consistent", "undecided", "not testable"]
# A claim of 0.80 is a rounding, not 0.800.
NEAR: Final = 0.05
FAR: Final = 0.10


def verdict(claim: float, low: float, high: float, *, near: float = NEAR, far: float = FAR) -> Verdict:
    """What a 95 % interval says about a claimed ratio.

    Args:
        claim: the claimed ratio.
        low: lower end of the interval over jobs (or workloads) like these, never over these jobs alone.
        high: its upper end.
        near: how far the truth may be from a claim that holds; half of the last digit quoted if that is larger.
        far: how far it may be at most for the word "consistent".
    """
    if high < claim - near or low > claim + near:
        return "not consistent"
    if claim - far <= low and high <= claim + far:
        return "consistent"
    return "undecided"
