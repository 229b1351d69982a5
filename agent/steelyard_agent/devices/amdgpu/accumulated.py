"""What the table's accumulators tell between two readings: busy share, throttled time, energy once it is checked."""

from typing import Final

from steelyard_agent.devices.amdgpu.gpu_metrics import Figures
from steelyard_agent.model import Absent, Value

_FIRST: Final = Absent("needs two readings")
_WRAP_32: Final = 1 << 32
_10NS_PER_MS: Final = 100_000
# The unit of the energy accumulator is 2^-16 J; AMD's own library takes 15.3 uJ, which is 0.27 % too much.
_MJ_PER_TICK: Final = 1000 / 65536
# So long, and with so much power, the counter is held against the power before it is believed.
_CHECK_S: Final = 5.0
_CHECK_LEAST_J: Final = 50.0
_CHECK_FACTOR: Final = 1.5

ENERGY_NOTE: Final = "the driver's accumulator, given once it has kept pace with the power for 5 s"
THROTTLE_NOTE: Final = "share of firmware cycles, times the time that passed, since the agent started"


class BusyShare:
    """The firmware adds the busy percentage every millisecond: the rise over the milliseconds is the mean."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None

    def read(self, figures: Figures) -> Value:
        """The share since the last reading, by the table's own clock.

        Args:
            figures: a table with `gfx_acc` and `time_10ns`.
        """
        if "gfx_acc" not in figures or "time_10ns" not in figures:
            return Absent("the table gives no accumulator")
        now = figures["gfx_acc"][0], figures["time_10ns"][0]
        before, self._before = self._before, now
        if before is None or now[1] <= before[1]:
            return _FIRST
        share = (now[0] - before[0]) % _WRAP_32 / ((now[1] - before[1]) / _10NS_PER_MS) / 100
        # A reset starts the accumulator anew, which looks like a wrap.
        return min(share, 1.0) if share <= 1.05 else Absent("the accumulator was set back")


class ThrottledTime:
    """Nanoseconds in which a cause held the clocks down, out of the residencies of versions 1.6 and later."""

    def __init__(self, *causes: str) -> None:
        """Args: the fields that are summed up."""
        self._causes = causes
        self._before: tuple[int, int, float] | None = None
        self._sum_ns = 0

    def read(self, figures: Figures, now_s: float) -> Value:
        """The time so far."""
        if "cycles" not in figures or not any(cause in figures for cause in self._causes):
            return Absent("the table gives no residencies")
        held = sum(figures.get(cause, (0,))[0] for cause in self._causes)
        now = held, figures["cycles"][0], now_s
        before, self._before = self._before, now
        if before is None:
            return _FIRST
        cycles, held = (now[1] - before[1]) % _WRAP_32, now[0] - before[0]
        if 0 < held <= cycles:
            self._sum_ns += int(held / cycles * (now_s - before[2]) * 1e9)
        return self._sum_ns


class CheckedEnergy:
    """The energy accumulator, held against the power first: on some chips it ticks at another rate than is written."""

    def __init__(self) -> None:
        self._start: tuple[int, float] | None = None
        self._last_s = 0.0
        self._expected_j = 0.0
        self._verdict: Absent | None = Absent("being checked against the power")

    def read(self, figures: Figures, power_w: float | None, now_s: float) -> Value:
        """The counter in mJ, or why not."""
        if "energy" not in figures:
            return Absent("the table gives no energy")
        energy_mj = int(figures["energy"][0] * _MJ_PER_TICK)
        if self._verdict is not None:
            if power_w is None:
                return Absent("the table gives no power to hold the energy against")
            self._check(energy_mj, power_w, now_s)
        return energy_mj if self._verdict is None else self._verdict

    def _check(self, energy_mj: int, power_w: float, now_s: float) -> None:
        if self._start is None or energy_mj < self._start[0]:
            self._start, self._last_s, self._expected_j = (energy_mj, now_s), now_s, 0.0
            return
        self._expected_j += power_w * (now_s - self._last_s)
        self._last_s = now_s
        if now_s - self._start[1] < _CHECK_S or self._expected_j < _CHECK_LEAST_J:
            return
        factor = (energy_mj - self._start[0]) / 1e3 / self._expected_j
        if 1 / _CHECK_FACTOR <= factor <= _CHECK_FACTOR:
            self._verdict = None
        else:
            self._verdict = Absent(f"the counter runs at {factor:.2g} times the power")
            self._start = None
