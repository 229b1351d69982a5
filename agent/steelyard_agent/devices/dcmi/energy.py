"""Energy where a device has no counter of it: the integral of its power."""

from collections.abc import Callable
from typing import Final

# A device that wasn't asked for longer than this may have done anything in between: nothing is made up for it.
MAX_GAP_S: Final = 2.0

NOTE: Final = "integrated from power read at 10 Hz since the agent started; gaps over 2 s are left out"


class EnergyIntegral:
    """The trapezoid sum of power readings over the time that really passed between them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts empty.

        Args:
            clock: monotonic seconds.
        """
        self._clock = clock
        self._last: tuple[float, float] | None = None
        self._sum_mj = 0.0

    def add(self, power_w: float) -> None:
        """Takes a reading that was made just now."""
        now_s = self._clock()
        if self._last is not None:
            before_s, before_w = self._last
            passed_s = now_s - before_s
            if 0.0 < passed_s <= MAX_GAP_S:
                self._sum_mj += (before_w + power_w) / 2.0 * passed_s * 1e3
        self._last = (now_s, power_w)

    @property
    def energy_mj(self) -> int | None:
        """What has been drawn since the first reading; None before it."""
        return None if self._last is None else int(self._sum_mj)
