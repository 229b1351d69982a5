"""What a process costs over the measured time."""

from dataclasses import dataclass, field

from tests.bench.machine import Cost, cost_of


@dataclass(slots=True)
class Watched:
    """A process over the measured time."""

    pid: int
    first: Cost = field(init=False)
    last: Cost = field(init=False)
    rss_mb: float = 0.0

    def begin(self) -> None:
        self.first = cost_of(self.pid)

    def look(self) -> None:
        self.last = cost_of(self.pid)
        self.rss_mb = max(self.rss_mb, self.last.rss_mb)

    def share(self, seconds: float) -> float:
        return (self.last.cpu_s - self.first.cpu_s) / seconds

    def wakeups(self, seconds: float) -> float:
        return (self.last.wakeups - self.first.wakeups) / seconds
