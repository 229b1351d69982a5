"""The host's figures of a simulated node."""

import random
from typing import Final

from steelyard_agent.model import Value

MEMORY_BYTES: Final = 2048 << 30
CPUS: Final = 192
FAST: Final = (100, 101, 102, 103, 105, 106, 107, 108, 109, 110, 111, 112)
SLOW: Final = (104, 116)
_NICS: Final = 8


class SimulatedHost:
    """Moves on with each reading."""

    def __init__(self, seed: str) -> None:
        """The same seed and the same calls give the same figures."""
        self._random = random.Random(seed)
        self._counters = [self._random.uniform(1e10, 1e12) for _ in range(6)]

    def fast(self, window_s: float, load: float, *, is_slow: bool) -> tuple[Value, ...]:
        """Values of `FAST`.

        Args:
            window_s: since the last call.
            load: share of the node's devices that work, 0-1.
            is_slow: the host is what holds the job up: its CPUs are taken by something else.
        """
        draw = self._random
        busy = 0.97 if is_slow else 0.04 + 0.22 * load
        busy = min(1.0, max(0.0, busy + draw.gauss(0, 0.015)))
        wait = 0.08 if is_slow else 0.004
        network = 9e9 * load
        rates = (4e8 * load, 3e7 + 2e8 * load * (draw.random() < 0.02), 3e6, 2e6, network, network)
        for place, rate in enumerate(rates):
            self._counters[place] += rate * draw.uniform(0.8, 1.2) * window_s
        return (
            busy,
            min(1.0 - busy, wait * draw.random()),
            CPUS * busy * draw.uniform(0.97, 1.03),
            float(int(MEMORY_BYTES * (0.06 + 0.28 * load) * draw.uniform(0.995, 1.005))),
            0.0,
            float(int(2e8 + 6e8 * draw.random())),
            *(int(counter) for counter in self._counters),
        )

    def slow(self) -> tuple[Value, ...]:
        """Values of `SLOW`."""
        return (float(MEMORY_BYTES), float(_NICS))
