"""What is asked of a profiler, and the text in which libkineto wants it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DEFAULT_STEPS: Final = 3
MOST_STEPS: Final = 100
MOST_DURATION_MS: Final = 30_000
# libkineto's own is 5 s; a second is enough for its buffers.
WARM_UP_S: Final = 1


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """How long a window is, and what it holds.

    Attributes:
        steps: so many; 0 where it goes by time.
        duration_ms: of a window by time.
    """

    steps: int = DEFAULT_STEPS
    duration_ms: int = 0
    with_stacks: bool = False
    with_shapes: bool = False

    @property
    def words(self) -> str:
        """For people."""
        length = f"{self.steps} steps" if self.steps else f"{self.duration_ms} ms"
        extras = [word for word, is_on in (("stacks", self.with_stacks), ("shapes", self.with_shapes)) if is_on]
        return " with ".join([length, *([" and ".join(extras)] if extras else [])])


def kineto_configuration(spec: WindowSpec, path: str) -> str:
    """The configuration for a process of torch.

    Args:
        spec: the window.
        path: where the trace goes; the process puts _PID before its suffix.
    """
    settings: dict[str, object] = {"ACTIVITIES_LOG_FILE": path}
    if spec.steps:
        # Rounded up to the next step of any number, of steps that the optimizer counts: no script has to.
        settings |= {"PROFILE_START_ITERATION": 0, "PROFILE_START_ITERATION_ROUNDUP": 1}
        settings |= {"ACTIVITIES_ITERATIONS": spec.steps}
    else:
        settings |= {"PROFILE_START_TIME": 0, "ACTIVITIES_WARMUP_PERIOD_SECS": WARM_UP_S}
        settings |= {"ACTIVITIES_DURATION_MSECS": spec.duration_ms}
    if spec.with_shapes:
        settings |= {"PROFILE_REPORT_INPUT_SHAPES": "true", "PROFILE_WITH_FLOPS": "true"}
    if spec.with_stacks:
        settings |= {"PROFILE_WITH_STACK": "true", "PROFILE_WITH_MODULES": "true"}
    return as_lines(settings)


def as_lines(settings: Mapping[str, object]) -> str:
    """One KEY=value a line."""
    return "".join(f"{key}={value}\n" for key, value in settings.items())
