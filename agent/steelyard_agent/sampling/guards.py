"""Sources behind their guards, and the periods that the settings ask for."""

from collections.abc import Sequence

from steelyard_agent.config import Config, Sampling
from steelyard_agent.devices.base import Source
from steelyard_agent.devices.crew import Crew
from steelyard_agent.devices.moving import MovingSource
from steelyard_agent.devices.registry import SourceRequest
from steelyard_agent.sampling.sampler import Clock, Periods


def guarded(sources: Sequence[Source], config: Config, clock: Clock) -> list[MovingSource]:
    """Each source behind its guard, here or in a process of its own; those here share their threads."""
    crew = Crew("sources", monotonic=clock.monotonic)
    return [
        MovingSource(
            source,
            SourceRequest(source.name, config.node, config.sources.get(source.name, "")),
            deadline_s=config.sampling.call_deadline_ms / 1000,
            monotonic=clock.monotonic,
            wall_ms=clock.wall_ms,
            crew=crew,
        )
        for source in sources
    ]


def periods_of(sampling: Sampling) -> Periods:
    """The settings' periods, by entity and class."""
    return Periods(
        {
            ("device", "fast"): sampling.fast_period_ms,
            ("device", "slow"): sampling.slow_period_ms,
            ("device", "processes"): sampling.processes_period_ms,
            ("host", "fast"): sampling.host_period_ms,
            ("host", "slow"): sampling.slow_period_ms,
        },
        sampling.call_deadline_ms,
    )
