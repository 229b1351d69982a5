"""The seam between windows and programs that sample a process or its devices from outside."""

from dataclasses import dataclass
from typing import Protocol


class Unsampled(Exception):
    """Nothing could be sampled; says why."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """What came of it.

    Attributes:
        text: as the program writes it; empty where it leaves a folder.
        cpu_s: that it took.
    """

    text: str
    cpu_s: float


class Sampler(Protocol):
    """A program at work; what was seen is also in the place that was named."""

    def poll(self) -> Sampled | None:
        """What was seen; None while it looks.

        Raises:
            Unsampled: it could not look.
        """
        ...

    def close(self) -> None:
        """Ends it."""
        ...
