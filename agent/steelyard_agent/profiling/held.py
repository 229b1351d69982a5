"""One profiler at a time in a process and on a device: whoever comes second waits, and says for whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from steelyard_agent.profiling.window import Window


@dataclass(slots=True)
class Held:
    """The windows in which processes and devices are being profiled. Used by the fabric's thread alone.

    Attributes:
        devices: that a process holds, as far as it is known.
    """

    devices: Callable[[int], Iterable[str]] = lambda pid: ()
    _by_place: dict[int | str, Window] = field(default_factory=dict)

    def take(self, window: Window) -> str:
        """Begins a window's time; where that is another's, why it has to wait."""
        pid = window.trainer.pid
        places: list[int | str] = [pid, *self.devices(pid)]
        for place in places:
            other = self._by_place.get(place, window)
            if other is not window:
                where = "in the process" if place == pid else f"on its device, in process {other.trainer.pid}"
                return f"waits until {other.tool} has ended {where}"
        self._by_place |= dict.fromkeys(places, window)
        return ""

    def give_back(self, window: Window) -> None:
        """Ends it; nothing where it has not begun."""
        self._by_place = {place: other for place, other in self._by_place.items() if other is not window}
