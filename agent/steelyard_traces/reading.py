"""Reads any recording that is known here, by what is in it and not by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from steelyard_proto.errors import TraceError
from steelyard_traces.kineto import read_kineto
from steelyard_traces.kineto_profile import kineto_profile
from steelyard_traces.profile import Profile, Stack
from steelyard_traces.stacks import kineto_stacks


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, read; `stacks` are made when they are asked for."""

    profile: Profile
    stacks: Callable[[], tuple[Stack, ...]]


def read_recording(path: Path) -> Recording:
    """Reads a trace file.

    Raises:
        TraceError: it isn't there, or is none that can be read; says which, where and what to do.
    """
    if not path.exists():
        raise TraceError("is not there; name a trace of torch.profiler (.json, .json.gz)", path=str(path))
    if path.is_dir():
        raise TraceError("is a folder; name the trace file in it (.json, .json.gz)", path=str(path))
    trace = read_kineto(path)
    return Recording(kineto_profile(trace), lambda: kineto_stacks(trace))
