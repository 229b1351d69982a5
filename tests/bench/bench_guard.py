"""What a device that hangs costs the others: how far from their second they are asked, by the driver's own clock."""

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench.agents import DEVICES, agent, compile_packages
from tests.bench.figure import Figure
from tests.bench.machine import wait_for
from tests.standins.build import build
from tests.standins.scenario import Scenario

_CALL = "nvmlDeviceGetUtilizationRates"
_WARM_UP_S, _WELL_S, _HUNG_S = 20.0, 60.0, 120.0
_HUNG = 3
_PERIOD_S = 1.0


def run(progress: Callable[[str], None]) -> list[Figure]:
    """A real agent over the stand-in of 8 GPUs, first well, then with one that answers no more."""
    compile_packages()
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as name:
        folder = Path(name)
        calls = folder / "calls"
        scenario = Scenario(folder / "scenario", devices=DEVICES, **{f"log.{_CALL}": calls})
        library = build("nvml", folder / "nvml")
        # The samples stay in its spool: nobody listens there.
        with agent(folder, "node", library, [], "--collector", "127.0.0.1:9", scenario=scenario.path):
            wait_for(lambda: len(_asked_s(calls)) == DEVICES, "the first tick", _WARM_UP_S)
            progress(f"{_WELL_S:.0f} s with all devices well, then {_HUNG_S:.0f} s with GPU {_HUNG} hanging")
            time.sleep(_WARM_UP_S)
            well_s = time.monotonic()
            time.sleep(_WELL_S)
            hung_s = time.monotonic()
            scenario.set({f"hang.{_CALL}.{_HUNG}": 3600})
            time.sleep(_HUNG_S)
            asked_s = _asked_s(calls)
    others = {device: times for device, times in asked_s.items() if device != _HUNG}
    phases_s = {device: _phase_s([t for t in times if well_s <= t < hung_s]) for device, times in others.items()}
    before = sorted(_late_s(others, phases_s, well_s, hung_s))
    late = sorted(_late_s(others, phases_s, hung_s, hung_s + _HUNG_S))
    missed = len(others) * int(_HUNG_S) - len(late)
    how = f"{len(late)} ticks of {len(others)} GPUs, {max(0, missed)} left out; all well: {_ms(before, 0.99):.1f} ms"
    return [
        Figure("late_p99_ms", _ms(late, 0.99), "ms", "<= 50", how),
        Figure("late_max_ms", _ms(late, 1.0), "ms", "", "the tick in which it began to hang is among them"),
    ]


def _asked_s(calls: Path) -> Mapping[int, Sequence[float]]:
    """When each device was asked."""
    asked: dict[int, list[float]] = defaultdict(list)
    if calls.exists():
        for line in calls.read_text(encoding="ascii").splitlines():
            device, at_s = line.split()
            asked[int(device)].append(float(at_s))
    return asked


def _phase_s(times_s: Sequence[float]) -> float:
    """Where in a second a device is asked while all is well."""
    first_s = times_s[0] % _PERIOD_S
    return first_s + statistics.median(_off_s(at_s, first_s) for at_s in times_s)


def _off_s(at_s: float, phase_s: float) -> float:
    return (at_s - phase_s + _PERIOD_S / 2) % _PERIOD_S - _PERIOD_S / 2


def _late_s(
    asked_s: Mapping[int, Sequence[float]], phases_s: Mapping[int, float], from_s: float, to_s: float
) -> list[float]:
    return [
        abs(_off_s(at_s, phases_s[device]))
        for device, times in asked_s.items()
        for at_s in times
        if from_s <= at_s < to_s
    ]


def _ms(seconds: Sequence[float], quantile: float) -> float:
    return 1000 * seconds[min(len(seconds) - 1, int(quantile * len(seconds)))]
