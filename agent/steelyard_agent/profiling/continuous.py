"""Windows that nobody asks for: one rank of each job that has opted in, in turns, as often as its budget allows."""

import fnmatch
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from steelyard_agent.jobs.facts import ProcessFacts, ProcessReader
from steelyard_agent.profiling.budget import Budget
from steelyard_agent.profiling.loss import Loss
from steelyard_agent.profiling.request import WindowSpec
from steelyard_agent.profiling.roster import Roster, Trainer
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.trainers import Pair, trainers_of
from steelyard_agent.profiling.window import Tool, Window, tool_of
from steelyard_agent.profiling.windows import Clocks

_MOST_JOBS: Final = 64
_THREE_STEPS: Final = WindowSpec()
# Between looks at who trains.
LOOK_S: Final = 5.0


class Beginner(Protocol):
    """Has windows; see windows.py and child_windows.py."""

    def is_busy(self, trainer: Trainer) -> bool:
        """Whether a window of this process would have to wait."""
        ...

    def begin(self, window: Window) -> None:
        """Takes a window."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is profiled continuously, and how often.

    Attributes:
        patterns: of jobs' ids and names, or of partition:NAME; none where it is off.
        partition: of this node.
        every_s: between two windows of a job on this node, give or take a half.
        share: of a job's time that its windows may take.
        tool: what profiles; None for what the process has for operators.
        spec: a window.
    """

    patterns: tuple[str, ...]
    partition: str
    every_s: float
    share: float
    tool: Tool | None = None
    spec: WindowSpec = _THREE_STEPS

    def fits(self, trainer: Trainer) -> bool:
        """Whether the process has what profiles."""
        if self.tool == "msprof":
            return trainer.profiler != "kineto"
        return self.tool != "npu_monitor" or trainer.profiler == "npu"

    def counts(self, tool: str) -> bool:
        """Whether a window by this tool is one of the plan's kind."""
        return self.tool == tool if self.tool else tool not in ("py_spy", "npu_monitor", "msprof")

    def includes(self, who: ProcessFacts) -> bool:
        """Whether the process's job has opted in."""
        names = [who.job.id, who.job.name, f"partition:{self.partition}" if self.partition else ""]
        return any(fnmatch.fnmatchcase(name, one) for one in self.patterns for name in names if name)


@dataclass(slots=True)
class _Job:
    """A job that has opted in."""

    budget: Budget
    due_s: float
    last_pid: int = 0
    told_period_s: float = 0.0


@dataclass(slots=True)
class Continuous:
    """The schedule. Used by the fabric's thread alone."""

    plan: Plan
    roster: Roster
    reader: ProcessReader
    steps: StepLog
    windows: Beginner
    clocks: Clocks
    note: Callable[[str, str], None]
    draw: Callable[[], float] = random.random
    is_paused: bool = False
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _looked_s: float = float("-inf")

    @property
    def is_on(self) -> bool:
        """Whether any job can have opted in."""
        return bool(self.plan.patterns)

    def price(self, job: str, loss: Loss) -> None:
        """Takes what a window cost a job."""
        known = self._jobs.get(job)
        if known is not None:
            known.budget.add(loss)

    def advance(self) -> None:
        """Begins the windows that are due."""
        now_s = self.clocks.monotonic()
        if not self.is_on or now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        members = self._members()
        self._jobs = {job: known for job, known in self._jobs.items() if job in members}
        for job, pairs in members.items():
            known = self._jobs.get(job)
            if known is None:
                if len(self._jobs) >= _MOST_JOBS:
                    continue
                # Somewhere in the first period: else all nodes of a job would begin together.
                first_s = now_s + self.draw() * self.plan.every_s
                known = self._jobs[job] = _Job(Budget(self.plan.share, self.plan.every_s), first_s)
            if now_s >= known.due_s and not self.is_paused:
                self._begin(job, known, pairs, now_s)

    def _members(self) -> Mapping[str, list[Pair]]:
        """By job the processes that can be profiled and whose steps are known: what a window costs is told by them."""
        members: dict[str, list[Pair]] = {}
        for trainer, who in trainers_of(self.roster, self.reader, self.steps):
            if self.plan.fits(trainer) and self.plan.includes(who) and self.steps.has(trainer.pid, who.start_ms):
                members.setdefault(who.job.id, []).append((trainer, who))
        return members

    def _begin(self, job: str, known: _Job, pairs: Sequence[Pair], now_s: float) -> None:
        ordered = sorted(pairs, key=lambda pair: (pair[1].ranks.rank is None, pair[1].ranks.rank or 0, pair[0].pid))
        free = [
            pair
            for pair in ordered
            if (pair[0].is_free or self.plan.tool == "py_spy") and not self.windows.is_busy(pair[0])
        ]
        if not free:
            return
        last = next((at for at, pair in enumerate(ordered) if pair[0].pid == known.last_pid), -1)
        turn = [pair for pair in ordered[last + 1 :] + ordered[: last + 1] if pair in free]
        trainer, who = turn[0]
        known.last_pid = trainer.pid
        period_s = known.budget.period_s(_nodes(who, len(pairs)))
        known.due_s = now_s + period_s * (0.5 + self.draw())
        spec, wall_ms = self.plan.spec, self.clocks.wall_ms()
        tool = self.plan.tool or tool_of(trainer, spec)
        self._tell_period(job, known, period_s, tool)
        self.windows.begin(Window(str(uuid.uuid4()), "", "continuous", trainer, who, spec, now_s, wall_ms, tool=tool))

    def _tell_period(self, job: str, known: _Job, period_s: float, tool: Tool) -> None:
        """Says when a job is profiled much less often than was wished, or as often again."""
        before_s, upper_s = known.told_period_s or self.plan.every_s, known.budget.upper_s()
        if upper_s is None or 0.5 < period_s / before_s < 2:
            return
        known.told_period_s = period_s
        text = (
            f"job {job} is profiled by {tool} every {period_s:.0f} s: "
            f"a window costs it at most {upper_s:.2f} s (95 %), and "
            f"{100 * self.plan.share:g} % of its time may be spent"
        )
        self.note("profile_period", text)


def _nodes(who: ProcessFacts, here: int) -> int:
    """How many nodes the job has, if each has as many of its ranks as this one."""
    return max(1, -(-(who.ranks.world_size or 1) // max(here, 1)))
