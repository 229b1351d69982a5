"""What a simulated fleet did before anybody looked: its time begins in the past and runs until it meets the present."""

from collections.abc import Sequence
from typing import Final

from steelyard_agent.sampling.sampler import Clock
from steelyard_agent.simulate.node import SimulatedNode

# Two samples a minute carry the minute's figures, and its energy, as well as sixty; sixty cost thirty times as much.
TICK_S: Final = 30.0
# The slow class, steps, holders and messages once in five minutes.
_FLUSH_TICKS: Final = 10


class Past:
    """A clock that stands still in the past but for what its user makes it go on, until it meets the present."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        """Args: the present's clock; how far behind it to begin."""
        self._present = clock
        self._at_s = clock.monotonic() - seconds
        self._offset_ms = clock.wall_ms() - clock.monotonic() * 1000
        self.is_over = seconds <= 0

    @property
    def clock(self) -> Clock:
        """The same as a clock, which is the present's once the past is over."""
        return Clock(self._monotonic, self._wall_ms, self._present.pause)

    @property
    def left_s(self) -> float:
        """How far behind the present it is."""
        return self._present.monotonic() - self._at_s

    def go_on(self, seconds: float) -> None:
        """Comes so much closer to the present."""
        self._at_s += seconds
        self.is_over = self.left_s <= 0

    def _monotonic(self) -> float:
        return self._present.monotonic() if self.is_over else self._at_s

    def _wall_ms(self) -> int:
        return self._present.wall_ms() if self.is_over else int(self._offset_ms + self._at_s * 1000)


def live_through(nodes: Sequence[SimulatedNode], past: Past) -> None:
    """Makes and sends all that lies between the past's clock and now, as fast as it can be made.

    Args:
        nodes: started, and on the past's clock.
        past: is over when this returns, unless the clock's pause says to stop.
    """
    clock, number = past.clock, 0
    while not past.is_over and not clock.pause(0.0):
        is_last = number % _FLUSH_TICKS == _FLUSH_TICKS - 1 or past.left_s <= TICK_S
        for node in nodes:
            node.tick(clock.wall_ms(), is_slow=is_last, is_own=number == 0 or is_last, is_past=True)
            if is_last:
                node.flush()
        past.go_on(TICK_S)
        number += 1
