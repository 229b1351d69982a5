"""One window in which a process is profiled, and how far it is."""

from dataclasses import dataclass, field
from typing import Literal

from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.profiling.request import WindowSpec
from steelyard_agent.profiling.roster import Trainer

State = Literal["requested", "warming_up", "recording", "parsing", "stored", "failed"]
Cause = Literal["continuous", "asked"]
Tool = Literal["kineto", "npu_trace", "npu_monitor", "dynamic_profile", "py_spy", "msprof"]


@dataclass(slots=True)
class Window:
    """A window.

    Attributes:
        tool: what profiles.
        id: a UUID; the profile's, and the name of its trace.
        ask: of whom it was asked; empty where nobody waits for answers.
        asked_s: on the clock that never jumps.
        sent_s: when its configuration was fetched; None before.
        begin_ms: Unix time of the same; of the asking before.
        end_ms: Unix time that its trace was whole, or that it failed.
        text: about the state, for a person: of failed why, and what to do.
        monitor: what msMonitor in the process said last of its monitor: 1 while it runs; None before.
    """

    id: str
    ask: str
    cause: Cause
    trainer: Trainer
    who: ProcessFacts
    spec: WindowSpec
    asked_s: float
    begin_ms: int
    tool: Tool = "kineto"
    state: State = "requested"
    sent_s: float | None = None
    end_ms: int = 0
    text: str = ""
    trace_bytes: int = 0
    monitor: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the process is still at it, or will be."""
        return self.state in ("requested", "warming_up", "recording")


def tool_of(trainer: Trainer, spec: WindowSpec) -> Tool:
    """What profiles a process by operator: torch_npu's profiler counts steps alone, msMonitor's monitor seconds."""
    if trainer.profiler == "kineto":
        return "kineto"
    if trainer.profiler == "npu_file":
        return "dynamic_profile"
    return "npu_trace" if spec.steps else "npu_monitor"
