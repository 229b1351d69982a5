"""The CPU's own energy counters (RAPL), where the kernel shows them and lets the agent read them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.devices.procfs import KeptFile

# No package draws this much: a gap in which the counter could have wrapped more than once is not counted.
_MOST_W: Final = 2000.0


@dataclass(frozen=True, slots=True)
class _Package:
    energy: KeptFile
    limit: KeptFile
    range_uj: int


class Rapl:
    """The packages' energy since the agent started, and their power between two readings."""

    def __init__(self, sys: Path, clock: Callable[[], float]) -> None:
        """Looks for the packages.

        Args:
            sys: root of sysfs.
            clock: monotonic seconds.
        """
        self._clock = clock
        self._packages = tuple(_packages(sys / "class/powercap"))
        self._last_uj: list[int] = []
        self._last_s = 0.0
        self._sum_uj = 0

    @property
    def is_there(self) -> bool:
        """Whether any package's counter exists; it may still be root's alone."""
        return bool(self._packages)

    def read(self) -> tuple[float | None, int]:
        """Power in W since the reading before (None at the first, or after too long a gap) and energy in mJ.

        Raises:
            OSError: a counter may not be read.
            ValueError: a counter isn't a number.
        """
        now_uj = [package.energy.number() for package in self._packages]
        now_s = self._clock()
        before_uj, before_s = self._last_uj, self._last_s
        self._last_uj, self._last_s = now_uj, now_s
        if not before_uj or now_s <= before_s:
            return None, self._sum_uj // 1000
        drawn_uj = self._drawn_uj(before_uj, now_uj, now_s - before_s)
        if drawn_uj is None:
            return None, self._sum_uj // 1000
        self._sum_uj += drawn_uj
        return drawn_uj * 1e-6 / (now_s - before_s), self._sum_uj // 1000

    def limit_w(self) -> float:
        """What the packages may draw over the long term.

        Raises:
            OSError: there is no limit, or it may not be read.
            ValueError: it isn't a number.
        """
        return sum(package.limit.number() for package in self._packages) * 1e-6

    def close(self) -> None:
        """Closes the files."""
        for package in self._packages:
            package.energy.close()
            package.limit.close()

    def _drawn_uj(self, before_uj: list[int], now_uj: list[int], passed_s: float) -> int | None:
        drawn_uj = 0
        for package, before, now in zip(self._packages, before_uj, now_uj, strict=True):
            if passed_s * _MOST_W * 1e6 > package.range_uj:
                return None
            drawn_uj += now - before if now >= before else now + package.range_uj - before
        return drawn_uj


def _packages(powercap: Path) -> list[_Package]:
    found = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        # intel-rapl:0 is a package and intel-rapl:0:1 a part of it, which the package's figure holds already.
        if zone.name.count(":") != 1 or not _text(zone / "name").startswith("package"):
            continue
        range_uj = _text(zone / "max_energy_range_uj")
        if range_uj.isdigit():
            limit = KeptFile(zone / "constraint_0_power_limit_uw")
            found.append(_Package(KeptFile(zone / "energy_uj"), limit, int(range_uj)))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
