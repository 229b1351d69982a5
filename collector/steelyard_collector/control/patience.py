"""How long agents may be silent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a word after which an agent counts as silent.

    Attributes:
        first_s: for the first word: an agent answers at once, or doesn't know such asks.
        more_s: between two of a profile: a window may wait for long steps.
        piece_s: between two pieces of a trace.
    """

    first_s: float = 20.0
    more_s: float = 900.0
    piece_s: float = 60.0
