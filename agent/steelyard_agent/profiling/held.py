"""One profiler at a time in a process: whoever comes second waits, and says for whom."""

from dataclasses import dataclass, field

from steelyard_agent.profiling.window import Window


@dataclass(slots=True)
class Held:
    """The windows in which processes are being profiled. Used by the fabric's thread alone."""

    _by_pid: dict[int, Window] = field(default_factory=dict)

    def take(self, window: Window) -> str:
        """Begins a window's time in its process; where that is another's, why it has to wait."""
        other = self._by_pid.setdefault(window.trainer.pid, window)
        return "" if other is window else f"waits until {other.tool} has ended in the process"

    def give_back(self, window: Window) -> None:
        """Ends it; nothing where it has not begun."""
        if self._by_pid.get(window.trainer.pid) is window:
            del self._by_pid[window.trainer.pid]
