"""Decimal microseconds as integer nanoseconds, exact where a float is not."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

import numpy as np
from numpy.typing import NDArray

from steelyard_traces.intervals import Ints

FLOAT_EXACT_BELOW_US: Final = 2.0**43
"""Below it a float is nearer than half a nanosecond to the decimal that it was read from; an epoch lies above it."""

_LIMIT_NS: Final = 2**62


def nanoseconds(microseconds: str | bytes) -> int | None:
    """A decimal number of microseconds, by its digits; None for `N/A`, nothing, and what is no number or no time.

    Tabs and quotes around it, which some exports write, don't matter.
    """
    text = microseconds.decode("ascii", "replace") if isinstance(microseconds, bytes) else microseconds
    whole, _, part = text.strip(' \t\r\n"').partition(".")
    if len(whole) <= 16 and len(part) <= 3 and whole.isdecimal() and (not part or part.isdecimal()):
        return int(whole) * 1000 + int(part.ljust(3, "0"))
    value = exact_nanoseconds(text)
    return None if value is None else int(value.to_integral_value(ROUND_HALF_EVEN))


def exact_nanoseconds(microseconds: str) -> Decimal | None:
    """The same with what is below a nanosecond: some tables have it."""
    try:
        value = Decimal(microseconds.strip(' \t\r\n"')).scaleb(3)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < _LIMIT_NS else None


class WholeNanoseconds:
    """Rounds numbers one after the other so that the sum of what it gave is the rounded sum of what it got."""

    def __init__(self) -> None:
        self._exact = Decimal(0)
        self._given = 0

    def take(self, microseconds: str) -> int | None:
        """The next number; None where it is none."""
        value = exact_nanoseconds(microseconds)
        if value is None:
            return None
        self._exact += value
        whole = int(self._exact.to_integral_value(ROUND_HALF_EVEN)) - self._given
        self._given += whole
        return whole


def nanoseconds_of_floats(microseconds: NDArray[np.float64]) -> Ints:
    """The same for many floats, each below `FLOAT_EXACT_BELOW_US`."""
    whole = np.floor(microseconds)
    part = np.rint((microseconds - whole) * 1000)
    return whole.astype(np.int64) * 1000 + part.astype(np.int64)
