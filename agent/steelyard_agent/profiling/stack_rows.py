"""What py-spy saw in a window, as rows of the contract."""

from typing import Final

from steelyard_agent.profiling.rows import Result, profile_of
from steelyard_agent.profiling.sampled import Sampled
from steelyard_agent.profiling.window import Window
from steelyard_proto.host_stacks import HostStack, parse_raw
from steelyard_proto.v1 import batch_pb2

_LONGEST_FRAME: Final = 512


def stacks_result(window: Window, sampled: Sampled, rate_hz: int, run: str) -> Result | None:
    """The profile and its stacks; None where no Python was seen.

    Args:
        window: in which it was sampled; its trace_bytes is set.
        sampled: what py-spy wrote.
        rate_hz: how often it looked.
        run: of the process; empty where it says none.
    """
    found = parse_raw(sampled.text)
    if not found:
        return None
    window.trace_bytes = len(sampled.text.encode())
    profile = profile_of(window, window.end_ms, run)
    profile.format = "py-spy raw"
    profile.samples, profile.sampled_hz = sum(stack.samples for stack in found), rate_hz
    return Result(profile, (), tuple(_stack(profile, stack) for stack in found))


def _stack(profile: batch_pb2.Profile, found: HostStack) -> batch_pb2.Stack:
    stack = batch_pb2.Stack(
        ts_ms=profile.ts_ms,
        profile=profile.id,
        job=profile.job,
        kind="sampled",
        frames=[frame[:_LONGEST_FRAME] for frame in found.frames],
        samples=found.samples,
        waits=found.waits,
        thread=found.thread[:_LONGEST_FRAME],
    )
    if profile.HasField("rank"):
        stack.rank = profile.rank
    return stack
