"""Stacks in the forms that flame graphs are drawn from."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steelyard_traces.profile import Stack


def as_collapsed(stacks: Iterable["Stack"]) -> str:
    """A line for each stack: its frames from the outermost on, and its nanoseconds."""
    lines = (f"{';'.join(_plain(frame) for frame in stack.frames)} {stack.duration_ns}\n" for stack in stacks)
    return "".join(lines)


def as_speedscope(stacks: Iterable["Stack"], name: str) -> str:
    """A file that speedscope.app opens."""
    frames: dict[str, int] = {}
    rows = [([frames.setdefault(frame, len(frames)) for frame in s.frames], s.duration_ns) for s in stacks]
    document = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "exporter": "steelyard",
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": name,
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(duration_ns for _, duration_ns in rows),
                "samples": [samples for samples, _ in rows],
                "weights": [duration_ns for _, duration_ns in rows],
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def _plain(frame: str) -> str:
    """A frame without what parts frames and lines."""
    return frame.replace(";", ",").replace("\n", " ").replace("\r", " ")
